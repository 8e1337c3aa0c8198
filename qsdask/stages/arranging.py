"""The undeformed frame of a trajectory on a cluster: its passes, and its atoms into an empty store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.cost import StagePlan
from qsdask.engine.preflight import check_disk, check_memory
from qsdask.engine.tasks import cluster_errors, run_tasks
from qsdask.engine.where import Run
from qsdask.errors import QSDaskError
from qsdask.files.location import absolute, located
from qsdask.files.lock import refuse_lost
from qsdask.files.staging import shared_folder
from qsdask.formats.frame import MARKED
from qsdask.formats.reference import tells_species, undeformed
from qsdask.formats.trajectory import Trajectory
from qsdask.intake.comparison import Policy
from qsdask.intake.rows import Part, atoms_of
from qsdask.intake.spreading import (
    Buckets,
    bucket_tasks,
    closed,
    leave_nothing,
    leave_room,
    make_room,
    match_tasks,
    matched_frames,
    spreads,
    waves,
)
from qsdask.intake.survey import Survey
from qsdask.intake.undeformed import TABLE, Arranged, Passes, kept, once
from qsdask.settings import IngestSettings
from qsdask.space.domains import Rule
from qsdask.store.ledger import Begun, Task
from qsdask.store.place import Place
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group, write_rows

__all__ = ["Arranging", "as_typed", "clear_scratch", "empty_store", "scratch_of", "surveyed_on"]

#: Its name in a store.
_SCRATCH = ".scratch"

#: Name in there of the folder for frames that many tasks read.
_STEPS = "steps"


class Arranging:
    """Where the tasks are run that arrange a frame: on the cluster, or in this process where there is too little to do.

    Parameters
    ----------
    passes : Passes
        Over the frame.
    run : Run
        Shared by all tasks.
    plan : StagePlan
        What they need.
    here : bool
        In this process.
    """

    def __init__(self, passes: Passes, run: Run, plan: StagePlan, here: bool) -> None:
        self.passes, self._run, self._plan, self._here = passes, run, plan, here
        self._arranged: Arranged | None = None

    @property
    def arranged(self) -> Arranged:
        """The frame, when `arrange` is done."""
        assert self._arranged is not None
        return self._arranged

    def arrange(self, survey: Survey, species: Mapping[Any, int]) -> None:
        """See `Passes.arranged`; where there is no room for what waits meanwhile, it is not begun."""
        check_disk(self.passes.folder.parent, self._plan, 0.0, 0)
        self._arranged = self.passes.arranged(self.each, survey, species)

    def each(self, label: str, tasks: Sequence[tuple], folder: str = "") -> list[Any]:
        """Run tasks that have no receipt yet; see `qsdask.intake.undeformed.Each`. Receipts lie in the folder of the passes where
        no other is named.
        """
        folder = folder or str(self.passes.folder)
        self._do(label, once, [(folder, *task) for task in tasks if not kept(folder, task[0])])
        return [kept(folder, name)[0] for name, *_ in tasks]

    def put_atoms(self, root: Path, chunk: int) -> None:
        """Write ids and species of all atoms into the empty group ``atoms`` below a root."""
        folder = str(self.passes.folder)
        self._do("ingest", _put_atoms, [(str(root), folder, part, chunk) for part in self.arranged.parts])

    def spread(self, begun: Begun, todo: Sequence[Task], store: Path, source: Trajectory, policy: Policy) -> None:
        """Do the missing tasks of large frames, of which each is read by many workers; see `qsdask.intake.spreading`."""
        work, record = StageRun.of(store, begun), begun.record
        files = [list(record.steps_of(number)) for _, number, _ in todo]
        files = [steps for steps in files if spreads(source, steps, self.passes.n_atom)]
        if not files:
            return
        folder, rows = self.passes.folder, work.own().domain_rows
        # All domains but the last have as many rows as the first.
        buckets = Buckets(str(folder / _STEPS), str(folder / TABLE), int(rows[0, 1]), len(rows))
        # What waits belongs to one beginning of the stage, and to files as they are.
        make_room(buckets, files, (record.runs[:1], record.stride, sorted(source.stamps.items())))
        for some in waves(files, self.passes.n_atom):
            tasks = match_tasks(source, some, files, policy, buckets)
            frames = matched_frames(tasks, self.each("ingest match", tasks, buckets.folder))
            of_file = [[frames[step] for step in steps] for steps in some]
            tasks = [task for mine in of_file for task in bucket_tasks(work, mine, policy, buckets)]
            self.each("ingest buckets", tasks, buckets.folder)
            leave_room(buckets, frames.values())
            both = zip(some, of_file, strict=True)
            last = [(work, steps, source.portion(steps), mine, policy.of(steps), buckets) for steps, mine in both]
            self._do("ingest", closed, last)
            leave_nothing(buckets, some)

    def _do(self, label: str, work: Callable, arguments: Sequence[tuple]) -> None:
        if self._here:
            for one in arguments:
                work(*one)
        elif arguments:
            with self._run.connected() as client, cluster_errors():
                check_memory(client, self._plan)
                done = run_tasks(
                    client,
                    work,
                    arguments,
                    label=label,
                    progress=self._run.progress,
                    describe=lambda *task: str(task[1]),
                )
                with closing(done):
                    for _ in done:
                        refuse_lost(self.passes.folder.parent)


def _put_atoms(root: str, folder: str, part: Part, chunk: int) -> None:
    for start in range(part.first, part.stop, chunk):
        stop = min(start + chunk, part.stop)
        ids, species = atoms_of(folder, part, start, stop)
        write_rows(located(root), "atoms", slice(start, stop), {"id": ids, "species": species})


def surveyed_on(
    source: Trajectory, scratch: Path, settings: IngestSettings, rule: Rule, run: Run, plan: StagePlan
) -> tuple[Arranging, Survey]:
    """Look at the undeformed frame of a trajectory.

    Parameters
    ----------
    source : Trajectory
    scratch : Path
        Folder for what the tasks share.
    settings : IngestSettings
    rule : {"regions", "extents"}
        By which the rows are ordered.
    run : Run
        Where.
    plan : StagePlan
        What the tasks need.

    Returns
    -------
    arranging : Arranging
        For what is to be done with the frame.
    survey : Survey

    Notes
    -----
    A reference whose species only the next frame tells is read, and held, as a whole in this process.
    """
    given = sorted(settings.species.items(), key=str)
    passes = Passes(source.portion([0]), scratch, settings.chunk, rule, given)
    arranging = Arranging(passes, run, plan, passes.n_atom <= MARKED)
    survey = passes.survey(arranging.each)
    if not tells_species(source, survey.examples, settings.species):
        arranging = Arranging(passes.of_frame(undeformed(source, settings.species)), run, plan, True)
        survey = arranging.passes.survey(arranging.each)
    return arranging, survey


@contextmanager
def as_typed(source: Trajectory) -> Iterator[None]:
    """Within the ``with``, errors name the files of a trajectory as the user does; tasks know them by absolute paths."""
    typed = {absolute(place.path): place.path for place in source.frames}
    try:
        yield
    except QSDaskError as error:
        error.file = typed.get(str(error.file), error.file)
        raise


def scratch_of(path: Path) -> Path:
    """Folder of what tasks of ``ingest`` leave for one another, until the store is complete."""
    return shared_folder(path / _SCRATCH)


def clear_scratch(path: Path) -> None:
    """Remove it; the lock of the store is held."""
    folder = scratch_of(path)
    Place(folder.parent).remove_all(folder.name)


def empty_store(
    target: Path, rows: np.ndarray, n_step: int, n_kind: int, length: str, *, counts_new: bool, stride: int
) -> None:
    """Create the empty groups of ``ingest``.

    Parameters
    ----------
    target : Path
        Root of the store.
    rows : int64 array, shape (n_domain, 2)
        First row of every domain and the row after its last.
    n_step, n_kind : int
        Frames and species.
    length : str
        Unit of the lengths.
    counts_new : bool
        Whether atoms that come later are counted.
    stride : int
        Frames of a domain that lie in one file.
    """
    n_atom, chunk = int(rows[-1, 1]), int(rows[0, 1])
    sizes = {"step": n_step, "atom": n_atom, "kind": n_kind, "domain": len(rows)}
    sizes |= {"xyz": 3, "vector": 3, "line": 3, "side": 2, "word": 2}
    target.mkdir(parents=True, exist_ok=True)
    for group in ("atoms", "frames", "domains"):
        chunks = {"step": 1, "atom": chunk}
        create_group(target, group, sizes, chunks, {}, length, () if counts_new else ("n_new",), {"step": stride})
