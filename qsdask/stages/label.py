"""Stage ``label``: a property of every atom that was found by other means, such as an energy barrier or local yield stress."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qsdask.engine.cost import Size, StagePlan, owned_and_ghosts, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.where import Run
from qsdask.errors import storage_errors
from qsdask.files.location import absolute, beside, located, seen_from
from qsdask.files.lock import writing
from qsdask.formats.values import value_rows
from qsdask.intake.labelling import Gathered, gather_values, gathered_rows
from qsdask.schema import variables_of
from qsdask.settings import LabelSettings, validated
from qsdask.settings.label import label_name
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_array, create_group

__all__ = ["group_of", "label"]

#: Folder of the store in which values wait for their domains.
SCRATCH = ".label"


def group_of(name: str) -> str:
    """Group, and ledger, of a label."""
    return f"labels/{name}"


def label(
    store: str | Path,
    *,
    values: Any,
    name: str,
    unit: str = "1",
    meaning: str | None = None,
    id_column: str | None = None,
    column: str | None = None,
    partial: bool | None = None,
    run: Run | None = None,
) -> Path:
    """Keep a property of the atoms that was found by other means, to learn it and to hold softness against it.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`; it need not be deformed.
    values : path-like, mapping, data frame, series, or pair of sequences
        Values by atom id: a CSV file (or one divided by semicolons, tabs or blanks; packed or not) or a Parquet file with a
        heading; a mapping of ids to values; a data frame or mapping of columns; a series whose index are the ids; ids and
        values. In any order. Empty cells, NaN, NA and null are no value.
    name : str
        Name of the property, such as ``"barrier"``.
    unit : str
        Unit of the values, ``"eV"`` for example; stores that are learned from together have the same.
    meaning : str, optional
        What the values are, in a few words; stands beside them.
    id_column : str, optional
        Column of the ids, ``"id"`` by default.
    column : str, optional
        Column of the values: the one called as the label, or the only one beside the ids, by default.
    partial : bool, optional
        Atoms that `values` does not have get no value, instead of a refusal.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``labels/<name>``: ``value``, NaN where there is none.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``, ``E-NO-STORE``.
    BadDataError
        ``E-DUP-ID``, ``E-LABEL-ID``, ``E-LABEL-MISSING``, ``E-NO-VALUE``, ``E-NUMBER`` (infinite values, too), ``E-FORMAT``,
        ``E-HEADER``, ``E-COLUMN``, ``E-LINE``: with file, line and atom id. The store stays as it was.
    UsageError
        ``E-NAMING`` for a name that no label can have, ``E-VALUES``, ``E-EXTRA``.
    CannotCreateError
        ``E-SETTINGS`` where the store has other values of this name, and nothing is overwritten.

    Notes
    -----
    The file is read once, in pieces, in this process; a domain is a task. Memory here: 32 bytes an atom while the ids are
    sorted.
    """
    path = located(store)
    chosen = validated(
        LabelSettings, name=name, unit=unit, meaning=meaning, id_column=id_column, column=column, partial=partial
    )
    _label(path, values, chosen, run or Run())
    return path


def _label(
    path: Path, values: Any, chosen: LabelSettings, run: Run, meant: Callable[[Gathered], bool] = lambda found: True
) -> bool:
    """Do so, unless the values are not those that were meant."""
    key = group_of(label_name(chosen.name))
    source = ledger.require(path, "ingest")
    file = values if isinstance(values, str | os.PathLike) else None
    with storage_errors(path), writing(path):
        root, scratch = StoreReader(path), located(absolute(path)) / SCRATCH
        try:
            table = value_rows(values, name=chosen.name, id_column=chosen.id_column, column=chosen.column)
            found = gather_values(root, scratch, table, partial=chosen.partial, file=file, name=chosen.name)
            if not meant(found):
                return False
            size = size_of(root)
            settings = {"name": chosen.name, "unit": chosen.unit, "meaning": chosen.meaning, "values": found.digest}
            record = Record(key, (key,), settings, {"ingest": source.digest}, (1, 1, size.n_domain), 1)
            course = Course(
                record,
                plan_of(size),
                partial(_template, path, chosen),
                partial(_label_domain, key=key, scratch=str(scratch)),
                conclude=lambda target: {**_origin(path, file, chosen), **found._asdict()},
            )
            run_stage(path, course, run)
        finally:
            Place(path).remove_all(SCRATCH)
    return True


def plan_of(size: Size) -> StagePlan:
    """What keeping a label will cost."""
    return plan_stage("label", size, work=owned_and_ghosts(size, 0.0)[0] * 8 * 4)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Read the values of a record again, where their file is and still has them; else False."""
    facts = record.facts
    file = facts.get("file")
    if file is None or not (place := beside(path.resolve().parent, file)).is_file():
        return False
    told = {name: record.settings[name] for name in ("name", "unit", "meaning")}
    how = {name: facts[name] for name in ("id_column", "column", "partial")}
    meant = record.settings["values"]
    return _label(
        path,
        place,
        validated(LabelSettings, **told, **how),
        replace(run, overwrite=False),
        lambda found: found.digest == meant,
    )


def _origin(path: Path, file: Any, chosen: LabelSettings) -> dict[str, Any]:
    """Where the values come from, seen from the folder of the store: a folder with both may move."""
    home = path.resolve().parent
    place = None if file is None else seen_from(home, file)
    return {"file": place, **chosen.model_dump(include={"id_column", "column", "partial"})}


def _label_domain(work: StageRun, part: int, domain: int, steps: list[int], *, key: str, scratch: str) -> None:
    rows = work.reader().rows(domain)
    with work.committing(part, steps[0], domain) as writer:
        writer.write(key, "value", (rows,), gathered_rows(located(scratch), rows))


def _template(path: Path, chosen: LabelSettings, target: Path) -> None:
    ids, key = StoreReader(path)["atoms/id"], group_of(chosen.name)
    sizes, chunks = {"atom": ids.shape[0]}, {"atom": ids.chunks[0]}
    [variable] = variables_of(key)
    create_group(target, key, sizes, chunks, {}, without=(variable.name,))
    told = chosen.meaning or f"{chosen.name}, as given by the user; NaN: no value"
    # Its unit is what the user says, never one of the lengths of the store.
    create_array(target, key, replace(variable, units=chosen.unit, long_name=told), sizes, chunks)
