"""Where feature sets are found: the files of `qsdask.structure`, and the entry points of other packages."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from qsdask import outside
from qsdask.errors import UsageError
from qsdask.names import checked_name
from qsdask.quantity.contract import KNOWN_STATISTICS, AtomQuantity, Column
from qsdask.quantity.iterated import IteratedQuantity

__all__ = ["feature_sets", "source_of_set"]


def feature_sets() -> dict[str, type[AtomQuantity]]:
    """Feature sets by name: the files of `qsdask.structure`, then the entry points ``qsdask.features``.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` when two sets have one name, or one cannot be loaded or does not follow the contract; ``E-NAMING``
        when its name cannot be one.
    """
    return {name: kind for name, (kind, _) in _registered().items()}


def source_of_set(name: str) -> dict[str, str]:
    """What tells one version of a set of another package from another, see `qsdask.outside.source_of`; empty for our own."""
    return _registered()[name][1]


@cache
def _registered() -> dict[str, tuple[type[AtomQuantity], dict[str, str]]]:
    """Feature sets by name, each with its source as it was when it was loaded."""
    package = import_module("qsdask.structure")
    found: dict[str, tuple[type[AtomQuantity], dict[str, str]]] = {}
    for module in iter_modules(package.__path__):
        ours = import_module(f"qsdask.structure.{module.name}").FEATURE_SET
        found[ours.name] = (ours, {})
    for entry in outside.entries():
        place = outside.package_of(entry)
        kind: Any = outside.loaded(entry)
        if fault := _breach(kind):
            told = getattr(kind, "name", None) or getattr(kind, "__name__", kind)
            raise UsageError(
                f"the feature set {told!r} of the package {place!r} does not follow the contract: {fault}",
                code="E-FEATURE-SET",
                hint=f"mend or remove {place}; see qsdask.quantity.AtomQuantity",
            )
        if kind.name in found:
            raise UsageError(
                f"two feature sets are named {kind.name!r}", code="E-FEATURE-SET", hint=f"mend or remove {place}"
            )
        checked_name(kind.name, f"feature set (of the package {place})", key=True)
        found[kind.name] = (kind, outside.source_of(kind, entry))
    return found


def _breach(kind: Any) -> str | None:
    """What a class of another package lacks to be a feature set."""
    if not (isinstance(kind, type) and issubclass(kind, AtomQuantity) and "__dataclass_params__" in vars(kind)):
        return "it is no dataclass that inherits from AtomQuantity"
    declared: dict[str, Any] = {name: getattr(kind, name, None) for name in ("name", "columns", "shells", "statistics")}
    name, columns = declared["name"], declared["columns"]
    if not isinstance(name, str):
        return "it has no name"
    if name == "all" or "," in name:
        return "commas join the names of sets, and 'all' stands for every one"
    if not (columns and isinstance(columns, tuple) and all(isinstance(column, Column) for column in columns)):
        return "its columns are no tuple of Column"
    if len({column.name for column in columns}) != len(columns):
        return "two of its columns have one name"
    for what, allowed in (("shells", {"voronoi", "cutoff"}), ("statistics", set(KNOWN_STATISTICS))):
        if not isinstance(declared[what], tuple) or not set(declared[what]) <= allowed:
            return f"its {what} are no tuple of some of {', '.join(sorted(allowed))}"
    if kind.rings not in (1, 2):
        return f"its rings are {kind.rings!r}"
    try:
        made = kind()
    except (Exception, SystemExit) as error:
        return f"it cannot be made with its default settings: {type(error).__name__}: {error}"
    if isinstance(made, IteratedQuantity):
        for what in ("n_step", "n_state", "reach"):
            number = getattr(made, what, None)
            if not isinstance(number, int | float) or number <= 0:
                return f"its {what} is {number!r}"
    return None
