"""ASE, where it is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from qsdask.errors import UsageError
from qsdask.space.box import Box

if TYPE_CHECKING:
    import ase

__all__ = ["ase_for", "atoms_of", "symbols"]


def ase_for(path) -> ModuleType:
    """``ase.io``; ASE is installed only by those who need it."""
    try:
        import ase.io
        import ase.io.extxyz
    except ImportError as error:
        raise _absent(f"{os.path.basename(os.fspath(path))} is read through ASE", path) from error
    return ase.io


def atoms_of(element: np.ndarray, position: np.ndarray, box: Box, arrays: Mapping[str, np.ndarray]) -> ase.Atoms:
    """Atoms as ASE holds them.

    Parameters
    ----------
    element : str array, shape (n,)
        Those that ASE does not know are ``X``, and the names of all are in the array ``label``.
    position : float64 array, shape (n, 3)
        Unit: angstrom.
    box : Box
        Its origin is ASE's ``celldisp``.
    arrays : mapping of str to array, shape (n,)
        Further values of the atoms.

    Raises
    ------
    UsageError
        ``E-EXTRA``.
    """
    try:
        import ase
    except ImportError as error:
        raise _absent("the atoms are handed to ASE") from error
    known = np.isin(element, sorted(symbols()))
    made = ase.Atoms(
        np.where(known, element, "X").tolist(), position, cell=box.cell, pbc=box.periodic, celldisp=box.origin
    )
    for name, values in (arrays if known.all() else {**arrays, "label": element}).items():
        made.set_array(name, values)
    return made


def _absent(what: str, file: object = None) -> UsageError:
    return UsageError(f"{what}, which is not installed", code="E-EXTRA", file=file, hint="pip install 'qsdask[ase]'")


def symbols() -> frozenset[str]:
    """Chemical symbols that ASE knows, and its ``X``; where `ase_for` did not refuse."""
    from ase.data import atomic_numbers

    return frozenset(atomic_numbers)
