"""Modules under the names of version 0.1, each with a DeprecationWarning; version 0.3 will not know them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["MOVED", "MovedModules"]

_ROOMS = {
    "intake": "scatter rowtable specimen",
    "care": "check verify repair migrate damage",
    "study": "train evaluate activation",
    "views": "report export info",
    "jobs": "run plan simulate ensemble recipe recipe_sets quickstart",
    "cli": "tables following feature_options",
}

#: Old name to new one.
MOVED = {
    **{f"qsdask.stages.{name}": f"qsdask.{room}.{name}" for room, names in _ROOMS.items() for name in names.split()},
    "qsdask.stages.glass_checks": "qsdask.views.glasses",
    "qsdask.stages.usable": "qsdask.study.rows",
    "qsdask.engine.stage": "qsdask.engine.where",
    "qsdask.engine.run": "qsdask.engine.tasks",
    "qsdask.engine.plan": "qsdask.engine.cost",
    "qsdask.store.accessor": "qsdask.views.accessor",
    "qsdask.store.lock": "qsdask.files.lock",
}


class MovedModules(MetaPathFinder, Loader):
    """Finds a module by its old name and gives the new one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for the old names only."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module under its new name."""
        new = MOVED[spec.name]
        warnings.warn(f"{spec.name} is now {new}", DeprecationWarning, stacklevel=2)
        module = import_module(new)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already, and keeps the spec of its new name."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state
