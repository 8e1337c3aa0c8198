"""The folder in which a model is learned: what is done is kept there until the model is saved."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.files.lock import refuse_lost, writing
from qsdask.learn.definition import canonical, plain

__all__ = ["Working", "refuse_unseen"]


class Working:
    """The hidden folder ``.NAME.qs.learning`` beside a model, for as long as it is not saved; as a ``with``.

    Parameters
    ----------
    model : Path
        Model folder.

    Notes
    -----
    Nothing is made before a folder is asked for. It stays when the work was interrupted, or when another model is in the way:
    whoever learns the same again goes on where the receipts end; what belongs to another learning is removed then. It is
    removed when the model is saved, and when nothing can be learned.
    """

    def __init__(self, model: Path) -> None:
        self._home = Path(os.path.abspath(model)).with_name(f".{model.name}.learning")
        self._held = contextlib.ExitStack()
        self._begun = False

    def __enter__(self) -> Working:
        return self

    def folder(self, content: Mapping[str, Any]) -> Path:
        """The folder of this very learning, made if it is not there.

        Parameters
        ----------
        content : mapping
            All that decides what comes out; JSON values.

        Raises
        ------
        ResumableError
            ``E-LOCKED`` when another process learns it at this time.
        CannotCreateError
            ``E-NOT-WRITABLE``.
        """
        self._held.enter_context(writing(self._home))
        self._begun = True
        folder = self._home / hashlib.sha256(canonical(plain(content))).hexdigest()[:16]
        for other in self._home.iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other)
        folder.mkdir(exist_ok=True)
        for litter in folder.glob(".*.partial"):
            litter.unlink()
        return folder

    def check(self) -> None:
        """Refuse to go on where another process took the lock; ``E-LOCKED``."""
        refuse_lost(self._home)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        done = self._begun and (kind is None or issubclass(kind, BadDataError | UsageError))
        for folder in self._home.iterdir() if done else ():
            if folder.is_dir():
                shutil.rmtree(folder)
        self._held.close()
        if done:
            with contextlib.suppress(OSError):
                self._home.rmdir()


def refuse_unseen(folder: Path) -> None:
    """Refuse to work on a machine that does not see the folder.

    Raises
    ------
    NoInputError
        ``E-WORKER-PATH``.
    """
    if not folder.is_dir():
        raise NoInputError(
            f"a worker on {socket.gethostname()} does not see the folder in which the model is learned",
            code="E-WORKER-PATH",
            file=folder,
            why="rows and models pass through it, and it is not there on this machine",
            hint="put the model on a file system that all machines of the cluster mount at the same place, or add --parallel none",
        )
