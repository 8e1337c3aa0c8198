"""Halos: which domains, in which periodic image, hold atoms within reach of a domain."""

from __future__ import annotations

from itertools import product

import numpy as np

from qsdask.errors import BadDataError
from qsdask.space.box import FACE_TOLERANCE, Box

__all__ = ["MOST_ALONG", "MOST_COPIES", "extent", "halo_domains", "in_halo", "pieces_of", "refuse_copies", "widened"]

#: Images are stored as int8.
MOST_ALONG = 127

#: Copies of the whole cell within a reach. A unit cell of one atom, 2 angstrom thick, has 31^3 within the 30 angstrom
#: that are the largest cut-off and the largest radius of medium range; glasses have 27.
MOST_COPIES = 1 << 15


def refuse_copies(reach: float, box: Box) -> None:
    """Refuse a reach within which the cell repeats itself without measure.

    Parameters
    ----------
    reach : float
        Unit: angstrom.
    box : Box
        Cell of the frame; only its periodic vectors have images.

    Raises
    ------
    BadDataError
        ``E-COPIES``.
    """
    along = np.where(box.periodic, np.ceil(reach / box.height), 0.0)
    copies = np.prod(2.0 * along + 1.0)
    if along.max() > MOST_ALONG or copies > MOST_COPIES:
        axis = int(np.argmax(along))
        raise BadDataError(
            f"the cell is {box.height[axis]:.3g} angstrom thick along {'abc'[axis]}: "
            f"{copies:.3g} periodic copies of it lie within {reach:g} angstrom",
            code="E-COPIES",
            why=f"at most {MOST_COPIES} copies are looked at, {MOST_ALONG} to a side: every atom has as many neighbours",
            hint="a smaller cut-off or radius, or a larger piece of the material",
        )


def widened(bounds: np.ndarray, reach: float, box: Box) -> np.ndarray:
    """Bounds of a domain enlarged by a reach on every side.

    Parameters
    ----------
    bounds : float64 array, shape (2, 3)
        Lowest and highest reduced coordinate of the domain.
    reach : float
        Unit: angstrom.
    box : Box
        Cell of the frame.

    Returns
    -------
    float64 array, shape (2, 3)
        Reduced coordinates. A point within `reach` of any atom of the domain lies inside.
    """
    # A hair more than the reach: rounding of reduced coordinates must not lose an atom at exactly the reach.
    margin = (reach + 1e-6) / box.height
    return np.stack([bounds[0] - margin, bounds[1] + margin])


def halo_domains(bounds: np.ndarray, domain: int, reach: float, box: Box) -> list[tuple[int, tuple[int, int, int]]]:
    """Domains and periodic images that can hold atoms within reach of a domain.

    Parameters
    ----------
    bounds : float64 array, shape (n_domain, 2, 3)
        Reduced bounds of all domains.
    domain : int
        The domain whose halo is asked for.
    reach : float
        Unit: angstrom.
    box : Box
        Cell of the frame; only its periodic vectors have images.

    Returns
    -------
    list of (int, (int, int, int))
        Domain and the lattice vectors to add to its positions, sorted; the domain itself in image 0 included.
        Boxes thinner than two reaches give several images of one domain.
    """
    wanted = widened(bounds[domain], reach, box)
    spans = []
    for axis in range(3):
        if box.periodic[axis]:
            low = int(np.floor(wanted[0, axis] - bounds[:, 1, axis].max()))
            high = int(np.ceil(wanted[1, axis] - bounds[:, 0, axis].min()))
            spans.append(range(low, high + 1))
        else:
            spans.append(range(1))
    found = []
    a, b, c = spans
    for image in product(a, b, c):
        touches = ((bounds[:, 0] + image <= wanted[1]) & (bounds[:, 1] + image >= wanted[0])).all(axis=1)
        found += [(int(other), image) for other in np.flatnonzero(touches)]
    return sorted(found)


def in_halo(reduced: np.ndarray, image: tuple[int, int, int], wanted: np.ndarray) -> np.ndarray:
    """Mask of the atoms that, moved by `image`, lie inside widened bounds; bool, shape (n,)."""
    inside = np.ones(len(reduced), dtype=bool)
    # Axis by axis: NumPy is ten times slower along rows of three.
    for axis, shift in enumerate(image):
        moved = reduced[:, axis] + float(shift)
        inside &= (moved >= wanted[0, axis]) & (moved <= wanted[1, axis])
    return inside


def pieces_of(reduced: np.ndarray, bounds: np.ndarray, box: Box) -> list[np.ndarray]:
    """Bounds of the wrapped atoms of a domain, apart for those that crossed a face of the cell since the first frame.

    Parameters
    ----------
    reduced : float64 array, shape (n, 3)
        Reduced coordinates of the wrapped atoms.
    bounds : float64 array, shape (2, 3)
        Stored bounds. They follow the atoms across the faces, so that a domain stays compact; wrapped, it may lie in pieces.
    box : Box
        Cell of the frame.

    Returns
    -------
    list of float64 array, shape (2, 3)
        Lowest and highest reduced coordinates of each piece.
    """
    if not len(reduced):
        return []
    # A domain that fills most of an axis gains nothing by being cut there.
    cut = box.periodic & (bounds[1] - bounds[0] < 0.5)
    crossed = np.where(cut, np.floor(reduced - bounds[0] + FACE_TOLERANCE), 0.0)
    if not crossed.any():
        return [extent(reduced)]
    # One number for each piece: sorting whole rows would cost more than the search for neighbours.
    piece = (crossed + 8.0) @ np.array([256.0, 16.0, 1.0])
    return [extent(reduced[piece == number]) for number in np.unique(piece)]


def extent(reduced: np.ndarray) -> np.ndarray:
    """Lowest and highest reduced coordinates, shape (2, 3)."""
    # NumPy is ten times slower along columns that do not lie in one piece.
    columns = np.ascontiguousarray(reduced.T)
    return np.stack([columns.min(axis=1), columns.max(axis=1)])
