"""ASE, where it is installed."""

from __future__ import annotations

import os
from types import ModuleType

from qsdask.errors import UsageError

__all__ = ["ase_for", "symbols"]


def ase_for(path) -> ModuleType:
    """``ase.io``; ASE is installed only by those who need it."""
    try:
        import ase.io
        import ase.io.extxyz
    except ImportError as error:
        raise UsageError(
            f"{os.path.basename(os.fspath(path))} is read through ASE, which is not installed",
            code="E-EXTRA",
            file=path,
            hint="pip install 'qsdask[ase]'",
        ) from error
    return ase.io


def symbols() -> frozenset[str]:
    """Chemical symbols that ASE knows, and its ``X``; where `ase_for` did not refuse."""
    from ase.data import atomic_numbers

    return frozenset(atomic_numbers)
