"""Which store a task is to work on: where it is, and which one it must be, for another may bear its name elsewhere."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from qsdask.errors import BadDataError, NoInputError, StoreIOError
from qsdask.files.location import absolute, located
from qsdask.store.reader import StoreReader
from qsdask.store.record import Record, read_record

__all__ = ["StoreAt"]

_ONE_PLACE = "keep the store on a file system that all machines of the cluster mount at the same place"


@dataclass(frozen=True)
class StoreAt:
    """A store as it is named to tasks, which may run on another machine, in another folder.

    Attributes
    ----------
    path : str
        Absolute path of its root.
    identity : str
        Token of the run that began it; empty for stores begun before there were runs.
    """

    path: str
    identity: str

    @classmethod
    def of(cls, path: str | Path) -> StoreAt:
        """The store at a path, as it is now.

        Parameters
        ----------
        path : str or Path
            Root of the store, also relative.
        """
        return cls(absolute(path), _identity(read_record(located(path), "ingest")))

    def reader(self) -> StoreReader:
        """Arrays of the store, when it is the one that is meant.

        Raises
        ------
        NoInputError
            ``E-WORKER-PATH`` when there is no store at the path on this machine.
        BadDataError
            ``E-STORE-OTHER`` when another store is there.
        """
        try:
            found = read_record(located(self.path), "ingest")
        except StoreIOError:
            if located(self.path).is_dir():
                raise
            found = None
        if found is None:
            raise NoInputError(
                f"a worker on {socket.gethostname()} finds no store there",
                code="E-WORKER-PATH",
                file=self.path,
                why="workers read and write the store themselves, and do not see this folder",
                hint=_ONE_PLACE,
            )
        if _identity(found) != self.identity:
            raise BadDataError(
                f"on {socket.gethostname()} another store bears this name",
                code="E-STORE-OTHER",
                file=self.path,
                why="the machines of the cluster see different folders, or the store was made anew meanwhile",
                hint=_ONE_PLACE,
            )
        return StoreReader(self.path)


def _identity(ingest: Record | None) -> str:
    return ingest.runs[0] if ingest is not None and ingest.runs else ""
