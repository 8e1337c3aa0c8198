"""``describe`` and ``respond_pair``: features, and D2min, of frames in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.formats.frame import Frame
from qsdask.intake.arrangement import Arrangement, arranged, held
from qsdask.schema import variables_of
from qsdask.settings import FeatureSettings, IngestSettings, RespondSettings, ShellSettings, validated
from qsdask.settings.base import Settings
from qsdask.stages.features import set_names
from qsdask.system.computed import add_features, add_response
from qsdask.system.given import frame_of
from qsdask.units import stored_length, told_in

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["arrangement_of", "as_given", "describe", "labelled", "marks_of", "respond_pair"]


def describe(
    system: Any,
    set: str = "interstice",
    *,
    species: Mapping[int | str, str] | Sequence[str] | None = None,
    radius: Mapping[str, float] | None = None,
    boundary: str | None = None,
    frame: int = 0,
    **settings: object,
) -> xr.Dataset:
    """Compute the structural features of every atom of a frame in memory.

    Parameters
    ----------
    system
        ase.Atoms, pymatgen Structure, MDAnalysis Universe or AtomGroup, OVITO DataCollection, ``(cell, positions, symbols)``,
        or the path of a file. Lengths in angstrom, or, of a file in ``lj`` units, in sigma: then those of the shells are given.
    set : str
        Name of one feature set.
    species : mapping of int or str to str, or sequence of str, optional
        Element of each atom type, where the system has types only, or of names that are no elements; a sequence is of types 1, 2, ...
    radius : mapping of str to float, optional
        Radii that replace Miracle's. Unit: angstrom, or sigma.
    boundary : str, optional
        Boundary of a file that does not tell it, such as ``"ppp"``.
    frame : int
        Which frame of a file.
    **settings
        Of the shells and of the set, under the names that `qsdask.shells` and `qsdask.features` have.

    Returns
    -------
    xarray.Dataset
        ``value``, float32, dims (atom, feature), atoms in the order given, with coordinates ``id``, ``element``,
        ``feature``, ``unit`` and ``meaning``. Bit for bit what a store has for atoms of these ids.

    Raises
    ------
    UsageError
        ``E-SYSTEM``, ``E-FEATURE-SET``, ``E-SETTING`` (also a cut-off ``"auto"``, which is of stores), ``E-NO-DEFAULT``.
    BadDataError
        What `qsdask.ingest` and `qsdask.shells` raise for such a frame.

    Examples
    --------
    >>> import qsdask
    >>> qsdask.describe(atoms, "coordination").value.sel(feature="sro__coordination__voro")  # doctest: +SKIP
    """
    [name] = set_names(set)[:1]
    if "," in set or set == "all":
        raise UsageError(f"one feature set at a time, not {set!r}", code="E-FEATURE-SET")
    of_shells = {key: value for key, value in settings.items() if key in _names(ShellSettings)}
    others = {key: value for key, value in settings.items() if key not in of_shells or key in _names(FeatureSettings)}
    first, label = frame_of(system, frame=frame, boundary=boundary)
    arrangement = arrangement_of(first, label, species, radius)
    store = held(first, arrangement)
    add_features(store, validated(FeatureSettings, set=name, **others), validated(ShellSettings, **of_shells))
    import xarray as xr

    group = f"features/{name}"
    told = {key: ("feature", store.names(f"{group}/{key}")) for key in ("feature", "unit", "meaning")}
    value = as_given(store[f"{group}/value"][:], arrangement)
    return xr.Dataset(
        {"value": (("atom", "feature"), value, marks_of(group, "value", store.length))},
        coords={**labelled(first, arrangement), **told},
    )


def respond_pair(
    reference: Any,
    current: Any,
    *,
    species: Mapping[int | str, str] | Sequence[str] | None = None,
    radius: Mapping[str, float] | None = None,
    boundary: str | None = None,
    **settings: object,
) -> xr.Dataset:
    """Measure how far every atom moved against its neighbours between two frames in memory: D2min.

    Parameters
    ----------
    reference, current
        The undeformed and the deformed frame, as for `describe`. Atoms are matched by id; without ids by their order.
    species : mapping of int or str to str, or sequence of str, optional
        Element of each atom type, where the system has types only, or of names that are no elements; a sequence is of types 1, 2, ...
    radius : mapping of str to float, optional
        As for `describe`; no number here depends on it.
    boundary : str, optional
        Boundary of files that do not tell it.
    **settings
        ``cutoff`` and ``normalise``, as of `qsdask.respond`.

    Returns
    -------
    xarray.Dataset
        ``d2min``, float64, dims (atom,), in the order of `reference`, with coordinates ``id`` and ``element``. Unit:
        angstrom^2, or sigma^2 of a file in ``lj`` units. NaN where the affine fit is not
        regular. M. L. Falk, J. S. Langer, doi:10.1103/PhysRevE.57.7192.

    Raises
    ------
    BadDataError
        ``E-LOST-ATOMS`` when the frames do not hold the same atoms; ``E-UNITS`` when their lengths have two units.
    UsageError
        ``E-SETTING``, ``E-NO-DEFAULT``.
    """
    first, label = frame_of(reference, boundary=boundary)
    second, other = frame_of(current, boundary=boundary)
    if not np.array_equal(np.sort(first.id), np.sort(second.id)):
        missing = np.setxor1d(first.id, second.id)
        raise BadDataError(
            f"{label} and {other} do not hold the same atoms: {len(missing)} are in one of them only",
            code="E-LOST-ATOMS",
            atom_id=int(missing[0]),
            why="D2min compares every atom with itself",
        )
    lengths = stored_length(first.units), stored_length(second.units)
    if lengths[0] != lengths[1]:
        raise BadDataError(
            f"lengths of {label} are in {lengths[0]}, those of {other} in {lengths[1]}",
            code="E-UNITS",
            hint="give both in the same units",
        )
    arrangement = arrangement_of(first, label, species, radius)
    store = held(first, arrangement, second)
    add_response(store, validated(RespondSettings, **settings))
    import xarray as xr

    value = as_given(store["response/d2min/d2min"][1], arrangement)
    return xr.Dataset(
        {"d2min": ("atom", value, marks_of("response/d2min", "d2min", store.length))},
        coords=labelled(first, arrangement),
    )


def arrangement_of(
    frame: Frame,
    label: str,
    species: Mapping[int | str, str] | Sequence[str] | None,
    radius: Mapping[str, float] | None,
) -> Arrangement:
    """Rows of a frame as `qsdask.ingest` makes them with its default settings."""
    chosen = validated(IngestSettings, species=species, radius=radius)
    return arranged(frame, label, species=chosen.species, radius=chosen.radius_angstrom, chunk=chosen.chunk)


def as_given(value: np.ndarray, arrangement: Arrangement) -> np.ndarray:
    """Values by row, shape (n_atom, ...), in the order in which the atoms were given."""
    out = np.empty_like(value)
    out[arrangement.order] = value
    return out


def labelled(frame: Frame, arrangement: Arrangement) -> dict[str, Any]:
    """Coordinates that tell which atom is which."""
    return {"id": ("atom", frame.id), "element": ("atom", np.array(arrangement.names)[arrangement.kind])}


def marks_of(group: str, name: str, length: str) -> dict[str, str]:
    """Attributes of a variable, as a store has them."""
    (variable,) = (v for v in variables_of(group) if v.name == name)
    return {"units": told_in(variable.units, length), "long_name": told_in(variable.long_name, length)}


def _names(model: type[Settings]) -> list[str]:
    return [name.removesuffix("_angstrom") for name in model.model_fields]
