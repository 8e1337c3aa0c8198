"""A thin slice through the box, for a picture of D2 and softness in the plane.

The slice is cut between two planes parallel to a face of the cell. Chunks of atoms may be cut one by one
and put together in the order of their rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from qsdask.analysis.counts import described
from qsdask.errors import UsageError
from qsdask.kernels.slices import fill_between

__all__ = ["cut_slab", "face_height", "finalise", "join", "slab_mask"]

_AXES = {"x": 0, "y": 1, "z": 2, "a": 0, "b": 1, "c": 2}

#: The smoothed map of D2 is left blank where fewer atoms than this, in units of one atom's peak weight,
#: contribute.
_LEAST_WEIGHT = 0.02


def axis_number(axis: int | str) -> int:
    """Number of a cell axis given as 0, 1, 2, as x, y, z or as a, b, c.

    Raises
    ------
    UsageError
        ``E-AXIS`` for anything else.
    """
    number = _AXES.get(axis.lower()) if isinstance(axis, str) else int(axis)
    if number not in (0, 1, 2):
        raise UsageError(f"axis must be 0, 1, 2, x, y or z, not {axis!r}", code="E-AXIS")
    return number


def face_height(coordinate: float, cell: np.ndarray, origin: np.ndarray, axis: int | str) -> float:
    """Height above the lower face of the cell of a plane that is named by its coordinate.

    Parameters
    ----------
    coordinate : float
        Of the plane along the normal of the faces, counted as positions are: in an orthogonal box its x, y or z. Unit: angstrom.
    cell, origin, axis
        As in `slab_mask`.

    Returns
    -------
    float
        ``centre`` of `slab_mask`. Unit: angstrom.
    """
    normal, height = _normal(cell, axis_number(axis))
    return float(coordinate - np.asarray(origin) @ normal * height)


def _coordinate(cell: np.ndarray, origin: np.ndarray, axis: int, centre: float | None) -> float:
    """The reverse of `face_height`: the coordinate of the middle plane of a slice along the normal of the faces. Unit: angstrom."""
    normal, height = _normal(cell, axis)
    return float(np.asarray(origin) @ normal * height + (height / 2.0 if centre is None else centre))


def _normal(cell: np.ndarray, axis: int) -> tuple[np.ndarray, float]:
    """What gives the reduced coordinate along an axis, float64 array of shape (3,), and the height of the box between its faces."""
    normal = np.ascontiguousarray(np.linalg.inv(cell)[:, axis])
    return normal, float(1.0 / np.linalg.norm(normal))


def slab_mask(
    position: np.ndarray,
    cell: np.ndarray,
    origin: np.ndarray,
    periodic: np.ndarray,
    *,
    axis: int | str = 2,
    centre: float | None = None,
    thickness: float = 2.0,
) -> np.ndarray:
    """Atoms inside a slice of the box.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Wrapped or not. Unit: angstrom. Atoms with NaN are outside.
    cell : float64 array, shape (3, 3)
        Cell vectors as rows. Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner. Unit: angstrom.
    periodic : bool array, shape (3,)
        Whether the cell repeats along each vector.
    axis : int or str
        The slice lies parallel to the other two cell vectors.
    centre : float, optional
        Height of its middle plane above the lower face of the cell, angstrom; the middle of the box if not
        given.
    thickness : float
        Unit: angstrom.

    Returns
    -------
    bool array, shape (n_atom,)
        Half-open, so that touching slices share no atom.

    Raises
    ------
    UsageError
        ``E-AXIS`` for an unknown axis, ``E-THICKNESS`` for a thickness that is not positive.
    """
    axis = axis_number(axis)
    if not thickness > 0.0:
        raise UsageError(f"thickness must be positive, not {thickness!r} angstrom", code="E-THICKNESS")
    normal, height = _normal(cell, axis)
    middle = 0.5 if centre is None else float(centre) / height
    place = np.ascontiguousarray(position, dtype=np.float64)
    inside = np.empty(len(place), dtype=bool)
    corner = np.asarray(origin, dtype=np.float64)
    fill_between(place, corner, normal, middle, height, bool(periodic[axis]), float(thickness), inside)
    return inside


def cut_slab(
    position: np.ndarray,
    cell: np.ndarray,
    origin: np.ndarray,
    periodic: np.ndarray,
    qs: np.ndarray,
    d2: np.ndarray,
    radius: np.ndarray,
    *,
    axis: int | str = 2,
    centre: float | None = None,
    thickness: float = 2.0,
    strain: float = float("nan"),
    threshold: float = float("nan"),
) -> xr.Dataset:
    """The atoms of a slice with their place in its plane.

    Parameters
    ----------
    position, cell, origin, periodic, axis, centre, thickness
        As in `slab_mask`.
    qs : float array, shape (n_atom,)
        Quench-in softness, NaN where unknown. No unit.
    d2 : float array, shape (n_atom,)
        Non-affine squared displacement, NaN where unknown. Unit: angstrom^2.
    radius : float array, shape (n_atom,)
        Atomic radius. Unit: angstrom.
    strain, threshold : float
        Strain of `d2`, a fraction, and the plastic threshold in angstrom^2; kept for the picture.

    Returns
    -------
    Dataset
        ``u``, ``v``, ``qs``, ``d2``, ``radius`` over (atom,); ``plane_cell (side, uv)``, the two cell
        vectors in the plane, the first along u. The attributes ``u_axis``, ``v_axis`` and ``normal_axis`` name the axes,
        ``coordinate_angstrom`` is that of the middle plane along the normal. Feed one or several of them to `finalise`.
    """
    axis = axis_number(axis)
    mask = slab_mask(position, cell, origin, periodic, axis=axis, centre=centre, thickness=thickness)
    cell, periodic = np.asarray(cell, dtype=np.float64), np.asarray(periodic, dtype=bool)
    # Cyclic order keeps the picture right-handed: looking down the axis.
    first, second = (axis + 1) % 3, (axis + 2) % 3
    length = np.linalg.norm(cell[first])
    along = cell[second] @ cell[first] / length
    plane = np.array([[length, 0.0], [along, np.sqrt(cell[second] @ cell[second] - along**2)]])
    reduced = (np.asarray(position, dtype=np.float64)[mask] - origin) @ np.linalg.inv(cell)[:, [first, second]]
    repeats = periodic[[first, second]]
    reduced = np.where(repeats, reduced - np.floor(reduced), reduced)
    u, v = (reduced @ plane).T
    return xr.Dataset(
        {
            "u": described(u, "atom", f"place in the slice along cell vector {'abc'[first]}", "angstrom"),
            "v": described(v, "atom", "place in the slice across u", "angstrom"),
            "qs": described(np.asarray(qs, dtype=np.float64)[mask], "atom", "quench-in softness"),
            "d2": described(np.asarray(d2, dtype=np.float64)[mask], "atom", "D2", "angstrom^2"),
            "radius": described(np.asarray(radius, dtype=np.float64)[mask], "atom", "atomic radius", "angstrom"),
            "plane_cell": described(plane, ("side", "uv"), "cell vectors in the plane of the slice", "angstrom"),
            "plane_periodic": described(repeats, "side", "whether the slice repeats along them"),
        },
        attrs={
            "u_axis": "xyz"[first],
            "v_axis": "xyz"[second],
            "normal_axis": "xyz"[axis],
            "thickness_angstrom": float(thickness),
            "centre_angstrom": float("nan") if centre is None else float(centre),
            "coordinate_angstrom": _coordinate(cell, origin, axis, centre),
            "strain": float(strain),
            "threshold_angstrom2": float(threshold),
        },
    )


def join(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """The slice made of the `cut_slab` of several chunks, in the order given.

    Raises
    ------
    UsageError
        ``E-PART-MISMATCH`` when there is none, or when the parts come from different slices.
    """
    if not parts:
        raise UsageError("there is no slice to join", code="E-PART-MISMATCH")
    first = parts[0]
    for part in parts[1:]:
        same = {k: repr(v) for k, v in part.attrs.items()} == {k: repr(v) for k, v in first.attrs.items()}
        if not same or not part["plane_cell"].equals(first["plane_cell"]):
            raise UsageError("the parts come from different slices", code="E-PART-MISMATCH")
    return xr.concat(parts, dim="atom", data_vars="minimal", coords="minimal", compat="override")


def finalise(
    slab: xr.Dataset, *, pixel: float = 0.5, smoothing: float = 1.5, max_pixels: int = 1_000_000
) -> xr.Dataset:
    """Add a smooth map of D2 to a slice.

    Parameters
    ----------
    slab : Dataset
        From `cut_slab` or `join`.
    pixel : float
        Wanted spacing of the map; widened where the map would have more than `max_pixels`. Unit: angstrom.
    smoothing : float
        Standard deviation of the Gaussian weights. Unit: angstrom.
    max_pixels : int
        Largest size of the map.

    Returns
    -------
    Dataset
        `slab` with ``map_d2 (row, column)``, the Gaussian-weighted mean D2 of the slice's atoms, NaN far
        from all of them; ``map_u`` and ``map_v``, the places of its pixels.

    Notes
    -----
    The map follows the cell vectors in the plane and wraps along those that repeat.
    """
    plane, repeats = slab["plane_cell"].values, slab["plane_periodic"].values
    length = np.linalg.norm(plane, axis=1)
    pixel = max(pixel, float(np.sqrt(length.prod() / max_pixels)))
    known = np.isfinite(slab["d2"].values)
    reduced = np.stack([slab["u"].values, slab["v"].values], axis=1)[known] @ np.linalg.inv(plane)
    # Atoms beyond a free face widen the map instead of being lost.
    low = np.where(repeats, 0.0, np.minimum(reduced.min(axis=0, initial=0.0), 0.0))
    high = np.where(repeats, 1.0, np.maximum(reduced.max(axis=0, initial=1.0), 1.0))
    shape = np.maximum(np.ceil((high - low) * length / pixel).astype(int), 1)
    index = np.minimum(((reduced - low) / (high - low) * shape).astype(int), shape - 1)
    weight = np.zeros(shape)
    weighted = np.zeros(shape)
    np.add.at(weight, tuple(index.T), 1.0)
    np.add.at(weighted, tuple(index.T), slab["d2"].values[known])
    sigma = smoothing / ((high - low) * length / shape)
    mode = ["wrap" if repeat else "constant" for repeat in repeats]
    weight = gaussian_filter(weight, sigma, mode=mode)
    weighted = gaussian_filter(weighted, sigma, mode=mode)
    peak = 1.0 / (2.0 * np.pi * sigma.prod())
    with np.errstate(divide="ignore", invalid="ignore"):
        field = np.where(weight > _LEAST_WEIGHT * peak, weighted / weight, np.nan)
    centre = [low[k] + (np.arange(shape[k]) + 0.5) / shape[k] * (high[k] - low[k]) for k in (0, 1)]
    u, v = np.moveaxis(np.stack(np.meshgrid(*centre, indexing="ij"), axis=-1) @ plane, -1, 0)
    dims = ("row", "column")
    return slab.assign(
        map_d2=described(field.T, dims, "Gaussian-weighted mean D2 of the atoms of the slice", "angstrom^2"),
        map_u=described(u.T, dims, "place of the pixel along u", "angstrom"),
        map_v=described(v.T, dims, "place of the pixel across u", "angstrom"),
    ).assign_attrs(smoothing_angstrom=float(smoothing))
