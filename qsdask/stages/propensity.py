"""Stage ``propensity``: how often every atom is plastic when one glass is deformed again and again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan, owned_and_ghosts, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.reading import read_rows
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, NoInputError, ResumableError, UsageError
from qsdask.files.location import beside, located, seen_from
from qsdask.schema import steps_in_file
from qsdask.settings import PropensitySettings, refuse_defaults, validated
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group, write_whole

__all__ = ["propensity"]

KEY = "response/propensity"

#: Steps that one unit of work takes: the rows of the other runs are found once for all of them.
STEPS_PER_UNIT = 8

#: Largest difference of strains, and of reference cells in angstrom or sigma, that is rounding of text.
ROUNDING = 1e-6


def propensity(path: Path, runs: Sequence[str | Path], threshold: float | None, run: Run) -> None:
    """Average the response of isoconfigurational runs, atom by atom and step by step.

    Parameters
    ----------
    path : Path
        Store of one run, with its response.
    runs : sequence of paths
        Stores of the others, with theirs; looked for as given, then beside the store. Their order does not matter.
    threshold : float, optional
        D2min above which an atom is plastic in a run; 5 by default. Unit: angstrom^2.
    run : Run
        Cluster, workers, overwriting, progress.

    Raises
    ------
    BadDataError
        ``E-RUNS-DIFFER`` for another glass, other strains, or a response that was computed with different settings.
    UsageError
        ``E-RUN-TWICE``.
    NoInputError
        ``E-NO-STORE``, ``E-STAGE-MISSING``.
    ResumableError
        ``E-INCOMPLETE`` when the response of a run is not finished.

    Notes
    -----
    Of the runs in which the affine fit of an atom is regular: the fraction in which it is plastic, and its mean D2min.
    NaN where there is none. Cost: reads the response of every run once.

    References
    ----------
    A. Widmer-Cooper, P. Harrowell and H. Fynewever, Phys. Rev. Lett. 93, 135701 (2004),
    doi:10.1103/PhysRevLett.93.135701.
    """
    chosen = validated(PropensitySettings, threshold=threshold, runs=_names(path, runs))
    mine = ledger.require(path, "response/d2min")
    refuse_defaults(chosen, StoreReader(path).length)
    inputs = {"ingest": mine.inputs["ingest"], "response/d2min": mine.digest}
    seen = {_input(path): path}
    others: list[StoreAt] = []
    for name in chosen.runs:
        other = beside(path.parent, name)
        others.append(StoreAt.of(other))
        _refuse_unlike(path, other)
        if earlier := seen.get(_input(other)):
            raise UsageError(
                "a run is given twice",
                code="E-RUN-TWICE",
                file=other,
                why=f"it is also in {earlier}",
                hint="every run needs velocities of its own",
            )
        seen[_input(other)] = other
        inputs[f"run {name}"] = _response(other)
    size = size_of(StoreReader(path))
    shape = (1, size.n_step, size.n_domain)
    record = Record(KEY, (KEY,), chosen.stored(), inputs, shape, 2, stride=size.stride)
    course = Course(
        record,
        plan_of(size, 1 + len(chosen.runs)),
        partial(_template, path),
        partial(_average_of_domain, runs=others, threshold=chosen.threshold),
        steps_per_unit=STEPS_PER_UNIT,
        conclude=partial(_conclude, path, record),
    )
    run_stage(path, course, run)


def _conclude(path: Path, record: Record, target: Path) -> dict:
    """The number of runs; each must be what it was when the averaging began, for nobody locks their stores."""
    for name in record.settings["runs"]:
        if _response(beside(path.parent, name)) != record.inputs[f"run {name}"]:
            raise ResumableError(
                "the response of this run was computed again while it was read",
                code="E-CHANGED-MEANWHILE",
                file=beside(path.parent, name),
                why="old and new numbers would be mixed",
                hint="wait until the other has ended, then run the same command again with --overwrite",
            )
    return {"n_run": 1 + len(record.settings["runs"])}


def _response(other: Path) -> str:
    """Identity of the response of another run."""
    return f"{ledger.require(other, 'response/d2min').digest} {_input(other)}"


def plan_of(size: Size, n_run: int) -> StagePlan:
    """What averaging the response of so many runs will cost."""
    owned, _ = owned_and_ghosts(size, 0.0)
    return plan_stage("propensity", size, work=owned * (8 * 4 * n_run + 200), tasks=size.n_stride * size.n_domain)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Average runs with the settings of a record; see `qsdask.engine.recompute.again`."""
    # They are stored as seen from the folder of the store.
    runs = [beside(path.resolve().parent, name) for name in record.settings["runs"]]
    propensity(path, runs, record.settings["threshold"], run)
    return True


def _names(path: Path, runs: Sequence[str | Path]) -> list[str]:
    """Where the other runs are, seen from the folder of the store: a folder with all of them may move."""
    home = path.resolve().parent
    found = set()
    for given in runs:
        place = next((p for p in (located(given), beside(home, str(given))) if p.is_dir()), None)
        if place is None:
            raise NoInputError(
                "no store of a run here",
                code="E-NO-STORE",
                file=given,
                hint=f"make it with: qsdask ingest DUMP {given}",
            )
        found.add(seen_from(home, place))
    return sorted(found)


def _input(path: Path) -> str:
    return ledger.require(path, "ingest").facts["input_hash"]


def _refuse_unlike(path: Path, other: Path) -> None:
    """Refuse a store that is not another run of the same glass, measured in the same way."""
    mine, its = (ledger.require(p, "ingest").facts for p in (path, other))
    here, there = StoreReader(path), StoreReader(other)
    strain, strain_there = here["frames/strain"][:], there["frames/strain"][:]
    fault = None
    if (mine["specimen"], mine["fingerprint"]) != (its["specimen"], its["fingerprint"]) or not np.allclose(
        here["frames/cell"][0], there["frames/cell"][0], rtol=0.0, atol=ROUNDING
    ):
        fault = "its undeformed frame is another one: runs must start from one glass"
    elif len(strain) != len(strain_there) or not np.allclose(strain, strain_there, rtol=0.0, atol=ROUNDING):
        fault = f"it has {len(strain_there)} frames to strain {strain_there[-1]:g}, the store {len(strain)} to {strain[-1]:g}"
    else:
        settings = [ledger.require(p, "response/d2min").settings for p in (path, other)]
        if settings[0] != settings[1]:
            fault = f"its response was measured with {settings[1]}, that of the store with {settings[0]}"
    if fault:
        raise BadDataError(
            f"this is no isoconfigurational run of {path}: {fault}",
            code="E-RUNS-DIFFER",
            file=other,
            hint="give stores of the runs of one glass, with the same strains and 'qsdask respond' settings",
        )


def _average_of_domain(
    work: StageRun, part: int, domain: int, steps: list[int], *, runs: Sequence[StoreAt], threshold: float
) -> None:
    root = work.reader()
    rows = root.rows(domain)
    ids = root["atoms/id"][rows]
    others = [other.reader() for other in runs]
    places = [_rows_of(other, ids, domain) for other in others]
    for some in work.together(steps):
        found = [_average(root, others, places, rows, step, threshold) for step in some]
        at = slice(some[0], some[-1] + 1)
        with work.committing(part, some[0], domain) as writer:
            writer.write(KEY, "frequency", (at, rows), np.stack([frequency for frequency, _ in found]))
            writer.write(KEY, "d2min_mean", (at, rows), np.stack([mean for _, mean in found]))


def _average(
    root: StoreReader,
    others: Sequence[StoreReader],
    places: Sequence[np.ndarray],
    rows: slice,
    step: int,
    threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of runs in which the atoms of some rows are plastic in a frame, and their mean D2min; NaN without any."""
    theirs = [read_rows(o["response/d2min/d2min"], row, step=step) for o, row in zip(others, places, strict=True)]
    d2 = np.stack([root["response/d2min/d2min"][step, rows], *theirs])
    known = np.isfinite(d2)
    with np.errstate(invalid="ignore"):
        # Nothing divided by nothing: NaN where no run has a value.
        frequency = (known & (d2 > threshold)).sum(axis=0) / known.sum(axis=0)
        mean = np.where(known, d2, 0.0).sum(axis=0) / known.sum(axis=0)
    return frequency, mean


def _rows_of(root: StoreReader, ids: np.ndarray, domain: int) -> np.ndarray:
    """Rows of the atoms with these ids in another store.

    Runs of one glass that were cut alike have them in the domain of the same number; that one is looked at first, and
    never more than one is held.
    """
    row = np.full(len(ids), -1, dtype=np.int64)
    for other in sorted(range(root.n_domain), key=lambda d: abs(d - domain)):
        theirs = root.rows(other)
        _, mine, place = np.intersect1d(ids, root["atoms/id"][theirs], assume_unique=True, return_indices=True)
        row[mine] = theirs.start + place
        if (row >= 0).all():
            break
    return row


def _template(path: Path, target: Path) -> None:
    root = StoreReader(path)
    n_step, n_atom, _ = root["frames/position"].shape
    create_group(
        target,
        KEY,
        {"step": n_step, "atom": n_atom},
        {"step": 1, "atom": root["atoms/id"].chunks[0]},
        {},
        root.length,
        together={"step": steps_in_file(n_step)},
    )
    write_whole(target, KEY, {"strain": root["frames/strain"][:]})
