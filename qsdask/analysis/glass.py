"""Physics of a made glass: structure, quench and loading as plain numbers, and what is to be expected of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelmax
from scipy.spatial import cKDTree

from qsdask.analysis.expectation import EXPECTED
from qsdask.kernels.affine import d2min
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.lattice import images_inside, reduced_coordinates

__all__ = ["glass_transition", "nonaffine", "packing", "radial_distribution", "stress_strain", "structure"]

#: Strain up to which Young's modulus is fitted: less of it is noise in small boxes.
ELASTIC = 0.02
#: Offset of the technical yield point.
OFFSET = 0.002
#: Standard deviation of the smoothing of g(r) before peaks are looked for. Unit: angstrom.
_SMOOTH = 0.1
#: Peaks of the second shell lie between these multiples of the first distance; beyond the second, order has faded.
_SECOND = (1.4, 2.2)
_FAR = 2.3


def radial_distribution(
    position: np.ndarray,
    cell: np.ndarray,
    origin: np.ndarray,
    periodic: np.ndarray,
    species: np.ndarray,
    names: Sequence[str],
    *,
    reach: float = 10.0,
    width: float = 0.05,
) -> xr.Dataset:
    """Total and partial radial distribution functions.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    cell : float64 array, shape (3, 3)
        Cell vectors as rows. Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner. Unit: angstrom.
    periodic : bool array, shape (3,)
        Axes along which the cell repeats; the others must be orthogonal to the rest.
    species : int array, shape (n_atom,)
        Index into `names`.
    names : sequence of str
        Chemical symbols.
    reach : float
        Largest distance. Unit: angstrom.
    width : float
        Of a bin. Unit: angstrom.

    Returns
    -------
    Dataset
        ``total(r)`` and ``partial(pair, r)``, no unit; ``r`` are middles of bins, angstrom. NaN where a species is absent.

    Notes
    -----
    1 for atoms at random places. All periodic images count, whatever the size of the box. Along free sides the density
    is that between the outermost atoms, and the space that a sphere lacks beyond them is taken into account (the set
    covariance of a slab, a bar or a block), so that g tends to 1 there too; `reach` is then at most the thickness.
    Time and memory grow in proportion to the number of atoms.
    """
    periodic = np.asarray(periodic, dtype=bool)
    position, entry = _with_images(position, cell, origin, periodic, reach)
    n_atom = len(species)
    box = _solid(position[:n_atom], cell, periodic)
    thin = np.linalg.norm(box, axis=1)[~periodic]
    n_bin = int(np.floor(min([reach, *thin]) / width))
    edges = np.arange(n_bin + 1) * width
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3) / abs(np.linalg.det(box))
    r = 0.5 * (edges[1:] + edges[:-1])
    shells *= _covered(r, thin)
    around = np.asarray(species)[entry]
    trees = [cKDTree(position[:n_atom][species == k]) for k in range(len(names))]
    all_trees = [cKDTree(position[around == k]) for k in range(len(names))]
    pairs = [(a, b) for a in range(len(names)) for b in range(a, len(names))]
    partial, total = [], np.zeros(n_bin)
    for a, b in pairs:
        # Bins are (low, high]; the first entry holds what is at distance 0: the atom itself.
        found = trees[a].count_neighbors(all_trees[b], edges, cumulative=False)[1:].astype(np.float64)
        total += found if a == b else 2.0 * found
        with np.errstate(invalid="ignore"):
            partial.append(found / (trees[a].n * trees[b].n * shells))
    return xr.Dataset(
        {
            "total": ("r", total / (n_atom**2 * shells), {"units": "1", "long_name": "g(r) of all atoms"}),
            "partial": (("pair", "r"), np.array(partial), {"units": "1", "long_name": "g(r) of two species"}),
        },
        coords={
            "r": ("r", r, {"units": "angstrom", "long_name": "distance"}),
            "pair": ("pair", [f"{names[a]}-{names[b]}" for a, b in pairs]),
        },
    )


def structure(g: xr.Dataset) -> dict[str, float | int | bool]:
    """What g(r) says about order.

    Parameters
    ----------
    g : Dataset
        Of `radial_distribution`.

    Returns
    -------
    dict
        ``g_first_peak`` and ``g_first_angstrom``: height and place of the first peak; ``g_minimum_angstrom``: the
        minimum behind it, where the first shell ends; ``g_second_peaks``: maxima of the second shell (2 in a glass, whose
        second peak is split); ``g_far_peak``: the highest g beyond; ``crystalline``: whether that is too high for a glass.
        From g smoothed by 0.1 angstrom.
    """
    r, total = g["r"].values, np.nan_to_num(g["total"].values)
    smooth = gaussian_filter1d(total, _SMOOTH / (r[1] - r[0]))
    # In some crystals a farther shell stands higher than the first.
    tops = argrelmax(smooth, order=3)[0]
    high = tops[smooth[tops] >= 0.5 * smooth.max()]
    first = int(high[0]) if len(high) else int(np.argmax(smooth))
    begin, end = np.searchsorted(r, np.array(_SECOND) * r[first])
    second = smooth[begin:end]
    far = smooth[r > _FAR * r[first]]
    highest = float(far.max()) if len(far) else float("nan")
    return {
        "g_first_peak": float(smooth[first]),
        "g_first_angstrom": float(r[first]),
        "g_minimum_angstrom": float(r[first + np.argmin(smooth[first:begin])]) if begin > first else float("nan"),
        "g_second_peaks": int((second[argrelmax(second, order=3)[0]] > 1.0).sum()),
        "g_far_peak": highest,
        "crystalline": highest > EXPECTED["g_far_peak"].high,
    }


def packing(density: float, share: Sequence[float], radius: Sequence[float]) -> float:
    """Volume of the atoms as spheres in that of the glass.

    Parameters
    ----------
    density : float
        Number density. Unit: 1/angstrom^3.
    share : sequence of float
        Atomic fraction of every species.
    radius : sequence of float
        Of every species. Unit: angstrom.
    """
    sphere = 4.0 / 3.0 * np.pi * sum(c * r**3 for c, r in zip(share, radius, strict=True))
    return density * sphere


def glass_transition(kelvin: np.ndarray, energy: np.ndarray) -> float:
    """Temperature at which the lines of liquid and glass meet in the potential energy of a quench.

    Parameters
    ----------
    kelvin, energy : float arrays, shape (n,)
        During the quench. Units: K, eV per atom.

    Returns
    -------
    float
        From straight lines through the lowest and the highest third of the temperatures. Unit: K. NaN when one of them
        holds fewer than three points, or the lines meet outside.
    """
    if len(kelvin) < 6:
        return float("nan")
    low, high = kelvin.min(), kelvin.max()
    third = (high - low) / 3.0
    cold, hot = kelvin <= low + third, kelvin >= high - third
    if min(cold.sum(), hot.sum()) < 3:
        return float("nan")
    (a, b), (c, d) = np.polyfit(kelvin[cold], energy[cold], 1), np.polyfit(kelvin[hot], energy[hot], 1)
    meet = (d - b) / (a - c) if a != c else np.nan
    return float(meet) if low < meet < high else float("nan")


def stress_strain(strain: np.ndarray, stress: np.ndarray) -> dict[str, float]:
    """Modulus, yield and flow of a uniaxial loading.

    Parameters
    ----------
    strain : float array, shape (n,)
        Engineering strain from 0, a fraction, positive in compression and tension.
    stress : float array, shape (n,)
        True stress along the loaded axis, positive with the load. Unit: GPa.

    Returns
    -------
    dict
        ``modulus_gpa``: slope of the straight line through strains up to 2 %, with intercept, and
        ``modulus_fit_strain``, the last strain of the fit; ``yield_stress_gpa`` and ``yield_strain``: the highest stress; ``last_strain``;
        ``offset_stress_gpa`` and ``offset_strain``: where the curve falls below the elastic line moved by 0.2 % of strain,
        if that is beyond the fit;
        ``flow_stress_gpa``: mean of the last quarter of the strains, if the highest stress lies before.
        ``yield_stress_over_modulus``. NaN where the curve is too short; the offset and the ratio
        also where it falls from the beginning, so that there is no elastic line.
    """
    nan = float("nan")
    found = dict.fromkeys(
        ("modulus_gpa", "modulus_fit_strain", "offset_stress_gpa", "offset_strain", "flow_stress_gpa"), nan
    )
    top = int(np.argmax(stress))
    found |= {"yield_stress_gpa": float(stress[top]), "yield_strain": float(strain[top])}
    found["last_strain"] = float(strain[-1])
    # Rounding of text must not decide about the last point.
    elastic = strain <= ELASTIC * (1.0 + 1e-9)
    if elastic.sum() >= 3:
        slope, intercept = np.polyfit(strain[elastic], stress[elastic], 1)
        found |= {"modulus_gpa": float(slope), "modulus_fit_strain": float(strain[elastic][-1])}
        gap = stress - (intercept + slope * (strain - OFFSET))
        below = np.flatnonzero((gap < 0) & ~elastic & (slope > 0))
        # A curve that is below already at the end of the fit fell somewhere in it: no elastic line, and no offset.
        if len(below) and gap[below[0] - 1] >= 0:
            k = below[0]
            part = gap[k - 1] / (gap[k - 1] - gap[k])
            found["offset_strain"] = float(strain[k - 1] + part * (strain[k] - strain[k - 1]))
            found["offset_stress_gpa"] = float(stress[k - 1] + part * (stress[k] - stress[k - 1]))
    late = strain >= 0.75 * strain[-1]
    if not late[top] and late.sum() >= 3:
        found["flow_stress_gpa"] = float(stress[late].mean())
    found["yield_stress_over_modulus"] = (
        found["yield_stress_gpa"] / found["modulus_gpa"] if found["modulus_gpa"] > 0 else nan
    )
    return found


def nonaffine(
    reference: np.ndarray,
    current: np.ndarray,
    cell: np.ndarray,
    current_cell: np.ndarray,
    origin: np.ndarray,
    periodic: np.ndarray,
    *,
    cutoff: float = 4.0,
) -> np.ndarray:
    """D2min of every atom between two frames that are held in memory.

    Parameters
    ----------
    reference, current : float64 array, shape (n_atom, 3)
        The same atoms in both frames, in the order of their ids. Unit: angstrom.
    cell, current_cell : float64 array, shape (3, 3)
        Cell vectors as rows. Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner of the reference cell. Unit: angstrom.
    periodic : bool array, shape (3,)
        Axes along which the cell repeats.
    cutoff : float
        Neighbours of the reference within this distance count. Unit: angstrom.

    Returns
    -------
    float64 array, shape (n_atom,)
        Sum over the neighbours; NaN where the fit is singular. Unit: angstrom^2.

    References
    ----------
    M. L. Falk and J. S. Langer, Phys. Rev. E 57, 7192 (1998), doi:10.1103/PhysRevE.57.7192.
    """
    periodic = np.asarray(periodic, dtype=bool)
    near, entry = _with_images(reference, cell, origin, periodic, cutoff)
    shell = neighbour_shell(near, np.arange(len(near)), len(reference), cutoff, measured=False)
    # The kernel takes the nearest image of every bond, so the images of the current frame need not be moved.
    value, _ = d2min(
        near,
        np.ascontiguousarray(current[entry]),
        len(reference),
        shell.neighbour,
        shell.count,
        cell_reference=cell,
        cell_current=current_cell,
        periodic=periodic,
        mean=False,
    )
    return value


def _with_images(
    position: np.ndarray, cell: np.ndarray, origin: np.ndarray, periodic: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped atoms, then all their images within reach of the cell; and which atom each of these is."""
    inverse = np.linalg.inv(cell)
    reduced, _, _ = reduced_coordinates(np.ascontiguousarray(position), origin, inverse)
    wrapped = position - np.where(periodic, np.floor(reduced), 0.0) @ cell
    reduced, low, high = reduced_coordinates(wrapped, origin, inverse)
    margin = reach * np.linalg.norm(inverse, axis=0)
    row, image = images_inside(reduced, low - margin, high + margin, periodic)
    near = np.concatenate([wrapped, wrapped[row] + image.astype(np.float64) @ cell])
    return near, np.concatenate([np.arange(len(position)), row])


def _solid(position: np.ndarray, cell: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """The cell, cut to the outermost atoms along free sides."""
    box = np.array(cell, dtype=np.float64)
    for axis in np.flatnonzero(~periodic):
        along = box[axis] / np.linalg.norm(box[axis])
        box[axis] = along * np.ptp(position @ along)
    return box


def _covered(r: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    """Share of spheres of radius r around points of a slab, a bar or a block that lies inside it, up to its thickness."""
    inverse = 1.0 / np.asarray(thickness)
    one, three = inverse.sum(), inverse.prod() if len(inverse) == 3 else 0.0
    two = (one**2 - (inverse**2).sum()) / 2.0
    return 1.0 - r * one / 2.0 + r**2 * two * 2.0 / (3.0 * np.pi) - r**3 * three / (4.0 * np.pi)
