"""Under which conditions glasses were made and deformed: composition, quench rate, system, loading."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qsdask.errors import BadDataError, NoInputError
from qsdask.stages.features import facts_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["Condition", "category", "conditions_of", "elements_between"]

#: Columns of a table of conditions that name a glass; the first one that a row fills counts.
_NAMING = ("store", "name")
_TOLD = ("composition", "rate", "system", "loading")


@dataclass(frozen=True)
class Condition:
    """What replicas have in common.

    Attributes
    ----------
    composition : str
        Such as ``Cu65Zr35``: elements with their percentages.
    rate : float or None
        Quench rate, None when nobody tells it. Unit: kelvin per second.
    system : str
        Such as ``Cu-Zr``.
    loading : str
        Such as ``compression along z``; empty when not known.
    """

    composition: str
    rate: float | None
    system: str
    loading: str

    @property
    def name(self) -> str:
        """For people; without the loading."""
        return self.composition + ("" if self.rate is None else f", {self.rate:.3g} K/s".replace("e+", "e"))


def conditions_of(
    paths: Sequence[Path], table: str | Path | None = None
) -> tuple[dict[Condition, list[Path]], list[str]]:
    """Sort stores by their conditions.

    Parameters
    ----------
    paths : sequence of Path
        Stores; their order does not matter.
    table : str or Path, optional
        CSV with a header: ``store`` (path, file name, or file name without its ending) or ``name`` (of the specimen), and any
        of ``composition``, ``rate`` (K/s), ``system``, ``loading``. What it tells goes before what stores tell.

    Returns
    -------
    conditions : dict of Condition to list of Path
        By system, composition and rate; the stores of each by specimen.
    notes : list of str
        What is not known.

    Raises
    ------
    NoInputError
        ``E-NO-FILE`` when the table cannot be read.
    BadDataError
        ``E-CONDITIONS`` when it is not such a table, or a row names none of the stores.
    """
    told = _table(Path(table), paths) if table is not None else {}
    groups: dict[Condition, list[Path]] = defaultdict(list)
    for path in sorted(paths, key=_identity):
        groups[replace(_of_store(path), **told.get(path, {}))].append(path)
    order = sorted(groups, key=lambda c: (c.system, c.composition, -(c.rate or 0.0), c.loading))
    unknown = [path.name for condition in order for path in groups[condition] if condition.rate is None]
    notes = []
    if unknown:
        notes.append(
            f"quench rate not known, taken as one and the same: {', '.join(unknown)}; a table of --conditions tells it"
        )
    return {condition: groups[condition] for condition in order}, notes


def category(source: Condition, target: Condition) -> str:
    """How far a model is transferred: ``same``, ``rate``, ``composition``, ``both``, ``system``, or ``loading``."""
    if source.system != target.system:
        return "system"
    if source.loading != target.loading:
        return "loading"
    other_rate, other_composition = source.rate != target.rate, source.composition != target.composition
    if other_rate and other_composition:
        return "both"
    return "rate" if other_rate else "composition" if other_composition else "same"


def elements_between(source: Path, target: Path) -> dict[str, str]:
    """Element of one glass for each of another: itself where both have it, of the others the most frequent, and so on.

    Parameters
    ----------
    source, target : Path
        Stores.

    Returns
    -------
    dict of str to str
        Empty when the elements are the same; of as many as both have.
    """
    first, second = (_by_share(path) for path in (source, target))
    if set(first) == set(second):
        return {}
    shared = {name: name for name in first if name in second}
    others = ([name for name in names if name not in shared] for names in (first, second))
    return shared | dict(zip(*others, strict=False))


def _by_share(path: Path) -> list[str]:
    """Elements of a store, the most frequent first; equally frequent ones by name."""
    facts = facts_of(StoreReader(path))
    shares: Mapping[str, float] = dict(zip(facts["species"], facts["composition"], strict=True))
    return sorted(shares, key=lambda name: (-shares[name], name))


def _identity(path: Path) -> tuple[str, list[float]]:
    facts = ledger.require(path, "ingest").facts
    return facts["specimen"], facts["fingerprint"]


def _of_store(path: Path) -> Condition:
    facts = ledger.require(path, "ingest").facts
    known = facts_of(StoreReader(path))
    made = facts.get("simulated", {})
    shares = dict(sorted(zip(known["species"], known["composition"], strict=True)))
    return Condition(
        "".join(f"{name}{round(100 * share)}" for name, share in shares.items()),
        made.get("rate_kelvin_per_second"),
        "-".join(shares),
        facts.get("loading", {}).get("name", ""),
    )


def _table(file: Path, paths: Sequence[Path]) -> dict[Path, dict]:
    """What a table tells of each store."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NoInputError(
            "the table of conditions cannot be read", code="E-NO-FILE", file=file, why=str(error)
        ) from None
    reader = csv.DictReader(lines, skipinitialspace=True)
    heads = [(name or "").strip() for name in reader.fieldnames or []]
    if not set(heads) & set(_NAMING) or set(heads) - {*_NAMING, *_TOLD}:
        raise BadDataError(
            f"the columns of the table are {', '.join(heads) or 'none'}",
            code="E-CONDITIONS",
            file=file,
            line=1,
            hint=f"store or name, and any of {', '.join(_TOLD)}",
        )
    reader.fieldnames = heads
    names = {path: {str(path), path.name, path.stem} for path in paths}
    specimens = {path: ledger.require(path, "ingest").settings["name"] for path in paths}
    told: dict[Path, dict] = {}
    for row in reader:
        store, name = ((row.get(head) or "").strip() for head in _NAMING)
        mine = [path for path in paths if (store in names[path] if store else specimens[path] == name)]
        if not mine:
            raise BadDataError(
                f"the row names no store that was given: {store or name!r}",
                code="E-CONDITIONS",
                file=file,
                line=reader.line_num,
                hint=f"one of {', '.join(sorted(path.stem for path in paths)[:9])}",
            )
        for path in mine:
            told[path] = _values(row, file, reader.line_num)
    return told


def _values(row: Mapping[str, str | None], file: Path, line: int) -> dict:
    values: dict = {head: text for head in _TOLD if (text := (row.get(head) or "").strip())}
    if "rate" in values:
        try:
            values["rate"] = float(values["rate"])
        except ValueError:
            raise BadDataError(
                f"rate is {values['rate']!r}, expected kelvin per second such as 5e10",
                code="E-CONDITIONS",
                file=file,
                line=line,
            ) from None
    return values
