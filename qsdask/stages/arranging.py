"""Passes over an undeformed frame on a cluster, and its atoms into a store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qsdask.engine.tasks import cluster_errors, run_tasks
from qsdask.engine.where import Run
from qsdask.files.lock import refuse_lost
from qsdask.formats.frame import MARKED
from qsdask.intake.rows import Part, atoms_of
from qsdask.intake.undeformed import Arranged, once
from qsdask.store.template import write_rows

__all__ = ["Arranging"]


class Arranging:
    """Where the tasks are run that arrange a frame: on the cluster, or in this process where there is too little to do.

    Parameters
    ----------
    run : Run
        Shared by all of them.
    folder : Path
        Scratch folder.
    n_atom : int
        Atoms of the frame; those of one piece are arranged in this process.
    """

    def __init__(self, run: Run, folder: Path, n_atom: int) -> None:
        self._run, self._folder = run, folder
        self._here = n_atom <= MARKED

    def each(self, label: str, tasks: Sequence[tuple]) -> list[Any]:
        """Run tasks that have no receipt yet; see `qsdask.intake.undeformed.Each`."""
        names = [name for name, *_ in tasks]
        todo = [(str(self._folder), *task) for task in tasks if not (self._folder / f"{task[0]}.json").is_file()]
        self._do(label, once, todo)
        return [json.loads((self._folder / f"{name}.json").read_bytes()) for name in names]

    def put_atoms(self, root: Path, arranged: Arranged, chunk: int) -> None:
        """Write ids and species of all atoms into the empty group ``atoms`` below a root."""
        self._do("ingest atoms", _atoms_put, [(str(root), str(self._folder), part, chunk) for part in arranged.parts])

    def _do(self, label: str, work: Callable, arguments: Sequence[tuple]) -> None:
        if self._here:
            for one in arguments:
                work(*one)
        elif arguments:
            with self._run.connected() as client, cluster_errors():
                for _ in run_tasks(
                    client,
                    work,
                    arguments,
                    label=label,
                    progress=self._run.progress,
                    describe=lambda *task: str(task[1]),
                ):
                    refuse_lost(self._folder.parent)


def _atoms_put(root: str, folder: str, part: Part, chunk: int) -> None:
    for start in range(part.first, part.stop, chunk):
        stop = min(start + chunk, part.stop)
        ids, species = atoms_of(folder, part, start, stop)
        write_rows(Path(root), "atoms", slice(start, stop), {"id": ids, "species": species})
