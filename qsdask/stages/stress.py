"""Stage ``stress``: the stress along the loading, frame by frame, as a simulation wrote it beside its trajectory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.where import Run
from qsdask.errors import storage_errors
from qsdask.files.location import beside, located, seen_from
from qsdask.files.lock import writing
from qsdask.formats.thermo import thermo_table
from qsdask.intake.making import thermo_of
from qsdask.intake.stresses import stress_of
from qsdask.schema import variables_of
from qsdask.settings import StressSettings, validated
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_array, create_group, write_whole

__all__ = ["keep_stress", "stress"]

KEY = "stress"


def stress(
    store: str | Path, *, table: str | Path, column: str | None = None, unit: str | None = None, run: Run | None = None
) -> Path:
    """Keep the stress along the loading of every frame, from what the simulation wrote along its way.

    `qsdask.ingest` does so for trajectories of `qsdask.simulate`, and where it is given such a table.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    table : str or Path
        Log of LAMMPS, file of ``fix ave/time``, or a table of text with a heading, packed or not. Its rows belong to frames by
        their timestep, or, where it has none, by the strain, a fraction.
    column : str, optional
        Column of the stress, positive with the load; with a minus before it, it is negated. By default the stress of the
        loading, ``stress_zz_gpa`` or ``Pzz`` for a loading along z, whose sign becomes that of the load.
    unit : {"GPa", "MPa", "kbar", "bar", "atm", "Pa"}, optional
        Unit of the column; by default that at the end of its name, or of the unit style that the log names.
    run : Run, optional
        Overwriting.

    Returns
    -------
    Path
        The store, now with ``stress``: NaN for frames without a row; nothing is interpolated. Unit: GPa, or reduced units of
        stores in sigma.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``, ``E-NO-STORE``.
    BadDataError
        ``E-STRESS``: no unit, no row of any frame, or strains that stand several times; ``E-HEADER``, ``E-LINE``, ``E-NUMBER``.
    UsageError
        ``E-COLUMN``; ``E-LOADING`` where the store does not tell along what the glass is loaded.
    CannotCreateError
        ``E-SETTINGS`` where the store has other stresses, and nothing is overwritten.
    """
    path = located(store)
    _stress(path, table, validated(StressSettings, column=column, unit=unit), run or Run())
    return path


def keep_stress(path: Path, trajectory: str | Path | Sequence[str | Path], table: str | Path | None, run: Run) -> None:
    """Keep the stress of a trajectory that was ingested: of the table given, or of the one that `qsdask.simulate` wrote beside.

    Parameters
    ----------
    path : Path
        Root of the store.
    trajectory : path or sequence of paths
        As given to `qsdask.ingest`.
    table : path, optional
        See `stress`.
    run : Run
        Where and how; a stress that is there stays, unless a table is given or everything is computed anew.
    """
    if table is not None:
        stress(path, table=table, run=run)
    elif (run.overwrite or ledger.read(path, KEY) is None) and (told := thermo_of(trajectory)):
        stress(path, table=told[0], column=told[1], run=run)


def _stress(
    path: Path, table: str | Path, chosen: StressSettings, run: Run, meant: Callable[[str], bool] = lambda digest: True
) -> bool:
    """Do so, unless the stresses are not those that were meant."""
    source = ledger.require(path, "ingest")
    with storage_errors(path), writing(path):
        root = StoreReader(path)
        component = source.facts.get("loading", {}).get("component")
        found = stress_of(root, component, thermo_table(table), chosen)
        digest = hashlib.blake2b(found.value.astype("<f8").tobytes(), digest_size=16).hexdigest()
        if not meant(digest):
            return False
        record = Record(KEY, (KEY,), {"unit": found.unit, "values": digest}, {"ingest": source.digest}, (1, 1, 1), 1)
        origin = {"file": seen_from(path.resolve().parent, table), **chosen.model_dump(), **found.facts}
        course = Course(
            record,
            plan_of(size_of(root)),
            partial(_template, root["frames/strain"][:], found.unit),
            partial(_write, value=found.value),
            conclude=lambda target: origin,
        )
        # A few numbers: no cluster is worth its start.
        run_stage(path, course, replace(run, cluster="threads", workers=1, progress=False))
    return True


def plan_of(size: Size) -> StagePlan:
    """What keeping the stress will cost: nothing that could be told."""
    return plan_stage(KEY, size, work=0, tasks=1)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Read the table of a record again, where it is and still says the same; else False."""
    place = beside(path.resolve().parent, record.facts.get("file", ""))
    if not place.is_file():
        return False
    how = validated(StressSettings, **{name: record.facts.get(name) for name in StressSettings.model_fields})
    return _stress(path, place, how, replace(run, overwrite=False), lambda digest: digest == record.settings["values"])


def _template(strain: np.ndarray, unit: str, target: Path) -> None:
    sizes = {"step": len(strain)}
    create_group(target, KEY, sizes, {}, {}, without=("stress",))
    variable = next(v for v in variables_of(KEY) if v.name == "stress")
    create_array(target, KEY, replace(variable, units=unit), sizes, {})
    write_whole(target, KEY, {"strain": strain})


def _write(work: StageRun, part: int, domain: int, steps: list[int], *, value: np.ndarray) -> None:
    with work.committing(part, steps[0], domain) as writer:
        writer.write(KEY, "stress", (slice(0, len(value)),), value)
