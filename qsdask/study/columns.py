"""The columns to learn from: all of some feature sets, those of short range, or those that a file names."""

from __future__ import annotations

from pathlib import Path

from qsdask.errors import NoInputError, UsageError
from qsdask.settings import TrainSettings
from qsdask.settings.text import parts_of
from qsdask.stages.columns import columns_there
from qsdask.store.reader import StoreReader

__all__ = ["columns_of", "same_atoms_of", "sets_of", "with_columns"]


def sets_of(chosen: TrainSettings) -> list[str]:
    """Feature sets to learn from, each once; the order in which they were typed makes no difference."""
    return sorted(set(parts_of(chosen.set)))


def same_atoms_of(chosen: TrainSettings) -> list[str]:
    """Feature sets of which an atom must have every column, beside those that are learned from."""
    return sorted(set(parts_of(chosen.same_atoms))) if chosen.same_atoms else []


def with_columns(chosen: TrainSettings, base: Path = Path()) -> TrainSettings:
    """Settings that name their columns one by one where a file, its name starting from a folder, did.

    Raises
    ------
    NoInputError
        ``E-NO-FILE`` when there is no such file.
    UsageError
        ``E-COLUMN`` when it holds no names, or one twice.
    """
    if chosen.columns in ("all", "short_range") or not isinstance(chosen.columns, str):
        return chosen
    file = base / chosen.columns
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NoInputError(
            "the list of columns cannot be read",
            code="E-NO-FILE",
            file=file,
            why=str(error),
            hint="--columns all, short_range, or a text file of column names, one a line",
        ) from None
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        fault = f"{twice[0]} stands twice" if twice else "it names no column"
        raise UsageError(f"the list of columns cannot be used: {fault}", code="E-COLUMN", file=file)
    return chosen.model_copy(update={"columns": names})


def columns_of(root: StoreReader, chosen: TrainSettings) -> tuple[str, ...]:
    """Columns to learn from, in the order in which they are stored.

    Raises
    ------
    UsageError
        ``E-COLUMN`` for names that no column of the sets has.
    """
    there = columns_there(root, sets_of(chosen))
    if isinstance(chosen.columns, str):
        return tuple(name for name in there if chosen.columns == "all" or name.startswith("sro__"))
    wanted = set(chosen.columns)
    if unknown := sorted(wanted - set(there)):
        raise UsageError(
            f"{len(unknown)} of the {len(wanted)} columns are not in the feature sets {chosen.set}: "
            f"{', '.join(unknown[:3])}{', ...' * (len(unknown) > 3)}",
            code="E-COLUMN",
            file=root.path,
            hint="name the sets that hold them with --set",
        )
    return tuple(name for name in there if name in wanted)
