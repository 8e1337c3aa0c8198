"""``softness``: quench-in softness of a frame in memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from qsdask.errors import UsageError
from qsdask.intake.arrangement import Arrangement, held
from qsdask.learn import Model, loaded, told_outside
from qsdask.learn.validity import count_outside
from qsdask.names import name_of_model
from qsdask.stages.columns import columns_there, feature_rows
from qsdask.system.computed import add_softness
from qsdask.system.describe import arrangement_of, as_given, labelled, marks_of
from qsdask.system.given import frame_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["softness"]


def softness(
    system: Any,
    model: str | Path | Model = "cuzr",
    *,
    species: Mapping[int | str, str] | Sequence[str] | None = None,
    radius: Mapping[str, float] | None = None,
    boundary: str | None = None,
    frame: int = 0,
    features: bool = False,
    check: Literal["warn", "raise", "ignore"] = "warn",
) -> xr.Dataset:
    """Give every atom of a frame in memory its quench-in softness (QS).

    Parameters
    ----------
    system
        ase.Atoms, pymatgen Structure, MDAnalysis Universe or AtomGroup, OVITO DataCollection, ``(cell, positions, symbols)``,
        or the path of a file. Lengths in angstrom.
    model : str, Path or Model
        Model folder.
    species : mapping of int or str to str, or sequence of str, optional
        Element of each atom type, where the system has types only, or of names that are no elements; a sequence is of types 1, 2, ...
    radius : mapping of str to float, optional
        Radii that replace Miracle's. Unit: angstrom.
    boundary : str, optional
        Boundary of a file that does not tell it, such as ``"ppp"``.
    frame : int
        Which frame of a file.
    features : bool
        Give the features too.
    check : {"warn", "raise", "ignore"}
        Of atoms unlike those that the model was trained on: warn above 5 % of them and refuse above 50 %; refuse above 5 %;
        or take every number, also those of elements that the model never saw.

    Returns
    -------
    xarray.Dataset
        ``qs``, ``qs_std`` and ``outside`` over ``atom``, in the order given, with coordinates ``id`` and ``element``; NaN as in
        a store. With `features` also ``feature_value``, dims (atom, feature). Bit for bit what `qsdask.predict` stores for
        atoms of these ids.

    Raises
    ------
    UsageError
        ``E-SYSTEM``, ``E-SETTING``.
    BadDataError
        ``E-OUT-OF-DOMAIN``; what `qsdask.ingest` and `qsdask.shells` raise for such a frame.

    Warns
    -----
    UserWarning
        ``W-OUT-OF-DOMAIN``.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    if check not in ("warn", "raise", "ignore"):
        raise UsageError(f"check is 'warn', 'raise' or 'ignore', not {check!r}", code="E-SETTING")
    found, name = (model, "given") if isinstance(model, Model) else (loaded(str(model)), name_of_model(Path(model)))
    first, label = frame_of(system, frame=frame, boundary=boundary)
    arrangement = arrangement_of(first, label, species, radius)
    store = held(first, arrangement)
    sets = add_softness(store, found, name, accept=check == "ignore")
    group = f"softness/{name}"
    _judge(found, name, arrangement, store[f"{group}/outside"][:], check)
    import xarray as xr

    data: dict[str, Any] = {
        key: ("atom", as_given(array[:], arrangement), marks_of(group, key, store.length))
        for key, array in store.group(group).items()
    }
    coordinates = labelled(first, arrangement)
    if features:
        columns = columns_there(store, sets)
        value = as_given(feature_rows(store, slice(0, store.n_atom), sets, columns), arrangement)
        data["feature_value"] = (("atom", "feature"), value, marks_of(f"features/{sets[0]}", "value", store.length))
        coordinates["feature"] = list(columns)
    return xr.Dataset(data, coords=coordinates, attrs={"model": name, "model_digest": found.digest()})


def _judge(model: Model, name: str, arrangement: Arrangement, distance: np.ndarray, check: str) -> None:
    """Warn of a glass, or refuse it, that the model does not know."""
    counts, accepted = count_outside(distance), check == "ignore"
    told = told_outside(model, name, arrangement.names, *counts, accepted=accepted, strictly=check == "raise")
    for text in told if check != "ignore" else ():
        warnings.warn(f"W-OUT-OF-DOMAIN: {text}", stacklevel=3)
