"""What qsdask says of itself in the metadata of a store: its format, what is needed to read it, what a stage did."""

from __future__ import annotations

import json
from pathlib import Path

from qsdask import __version__, schema
from qsdask.errors import BadDataError
from qsdask.store.validate import damaged, metadata

__all__ = ["MIGRATION", "check_format", "check_requires", "check_root", "in_migration", "mark_in", "mark_of"]

#: Feature flags in the root's ``requires`` that this version understands.
KNOWN_FEATURES: frozenset[str] = frozenset({"runs", "shards", "text"})

#: What a store needs while ``migrate`` works on it: nothing else can read it then.
MIGRATION = "migration"


def mark_of(root: Path, node: str) -> dict:
    """What qsdask keeps in the metadata of a group or a ledger.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when it is not there.
    """
    file = f"{node}/zarr.json"
    found = metadata(root, file)
    try:
        mark = mark_in((found or {})["attributes"])
    except (KeyError, TypeError):
        mark = None
    if mark is None:
        raise damaged(root, file, "it does not say what the stage did")
    return mark


def mark_in(attributes: dict) -> dict | None:
    """What qsdask keeps among the attributes of a node; None when it is not there, or not as it was written.

    It is JSON in a string, for attributes that netCDF can hold too; in ledgers, and in what earlier versions wrote, a mapping.
    """
    mark = attributes.get("qsdask")
    if isinstance(mark, str):
        try:
            mark = json.loads(mark)
        except (ValueError, RecursionError):
            return None
    return mark if isinstance(mark, dict) else None


def check_root(root: Path) -> dict:
    """Metadata of the store itself, after a look at format and needed features.

    Parameters
    ----------
    root : Path
        Root of the store.

    Returns
    -------
    dict

    Raises
    ------
    BadDataError
        ``E-FORMAT-VERSION`` when a newer or older qsdask wrote the store, or one with features unknown here.
    StoreIOError
        ``E-STORE-DAMAGED``, ``E-STORE-UNSAFE``.
    """
    found = metadata(root, "zarr.json")
    if found is None:
        raise damaged(root, "zarr.json", "it is missing")
    marks = found.get("attributes")
    if found.get("zarr_format") != 3 or found.get("node_type") != "group" or not isinstance(marks, dict):
        raise damaged(root, "zarr.json", "it is not the root of a Zarr v3 store")
    # Format 1 had no mark at the root.
    mark = mark_in({"qsdask": {"format": 1}, **marks})
    if mark is None:
        raise damaged(root, "zarr.json", "the mark of qsdask is not what was written")
    check_format(root, mark.get("format"))
    check_requires(root, mark)
    return found


def in_migration(mark: dict) -> bool:
    """Whether the mark at a root says that ``migrate`` is at work on the store, or was cut short."""
    requires = mark.get("requires", [])
    return isinstance(requires, list) and MIGRATION in requires


def check_requires(root: Path, mark: dict) -> None:
    """Refuse a store that needs features unknown here; see `check_root`."""
    requires = mark.get("requires", [])
    if in_migration(mark):
        raise BadDataError(
            "the store is being brought to the present format, or was when somebody stopped it",
            code="E-FORMAT-VERSION",
            file=root,
            hint=f"go on with 'qsdask migrate {root}'",
        )
    if not isinstance(requires, list) or not set(map(str, requires)) <= KNOWN_FEATURES:
        raise BadDataError(
            f"the store needs {requires}, which qsdask {__version__} does not know",
            code="E-FORMAT-VERSION",
            file=root,
            hint="use a newer qsdask",
        )


def check_format(root: Path, number: object) -> None:
    """Refuse a store of another format; see `check_root`."""
    if type(number) is not int or number < 1:
        raise damaged(root, "zarr.json", f"format {number!r}")
    if number != schema.FORMAT_VERSION:
        newer = number > schema.FORMAT_VERSION
        raise BadDataError(
            f"the store has format {number}, this is qsdask {__version__} and "
            f"{'knows <=' if newer else 'writes'} {schema.FORMAT_VERSION}",
            code="E-FORMAT-VERSION",
            file=root,
            hint="use a newer qsdask" if newer else f"qsdask migrate {root}",
        )
