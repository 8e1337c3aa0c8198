"""What makes a frame follow the one before: the same lattice; and what is odd about the first one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import FrameLocation, ReadWarning
from qsdask.units import ANGSTROM, stored_length

__all__ = ["ContinuedCell", "continued_cells", "oddities", "rounding_noise", "unflipped"]

#: A tilt may change by this fraction of its box length between two frames; beyond, shear and flip look alike.
_CLEAR = 0.4

#: Distance between atoms of a metal, the cube root of the volume of one. Unit: angstrom.
_METAL_SPACING = 2.6

#: Share of the D2min threshold that rounding may take up before a warning.
_ROUNDING_SHARE = 0.01


class ContinuedCell(NamedTuple):
    """A cell that goes on from the one before.

    Attributes
    ----------
    cell : float64 array, shape (3, 3)
    matrix : int64 array, shape (3, 3)
        Integer, determinant 1: ``cell = matrix @ cell of the file``. The identity when nothing was flipped.
    """

    cell: np.ndarray
    matrix: np.ndarray


def unflipped(cell: np.ndarray, previous_cell: np.ndarray) -> ContinuedCell:
    """Undo LAMMPS box flips: the lattice vectors that continue those of the frame before.

    Parameters
    ----------
    cell : float64 array, shape (3, 3)
        Of the frame, rows are lattice vectors.
    previous_cell : float64 array, shape (3, 3)
        Of the frame before, continued itself.

    Returns
    -------
    ContinuedCell
        Of the same lattice: wrapped positions mean the same atoms, only the cell is cut out differently.

    Raises
    ------
    BadDataError
        ``E-BOX-FLIP`` when a tilt changes by about half a box length, so that shear and flip cannot be told apart.

    Notes
    -----
    When a tilt factor passes half of its box length (0.6 in ``fix deform``), LAMMPS takes the equivalent cell
    on the other side: ``xy`` changes by the length along x (b becomes b - a), ``xz`` likewise (c - a), and ``yz``
    by the length along y (c - b, which changes ``xz`` by ``xy`` too). Between two frames that follow one another a
    tilt is taken to change by less than half, so that the nearest equivalent vector is the one that continues.
    Cells in general orientation are compared by their edges and angles.
    https://docs.lammps.org/Howto_triclinic.html
    """
    matrix = np.eye(3, dtype=np.int64)
    now, before = _lower(cell), _lower(previous_cell)
    before = before / np.diag(before)  # tilts as fractions of the lengths, so that strain does not count
    # Row by row, from the nearest vector back: c by b before c by a, because the former changes both tilts of c.
    for row, column in ((1, 0), (2, 1), (2, 0)):
        jump = before[row, column] - (matrix[row] @ now)[column] / now[column, column]
        n = round(jump)
        if abs(jump - n) > _CLEAR:
            raise BadDataError(
                f"the tilt {('xy', 'xz', 'yz')[row + column - 1]} changes by {abs(jump):.3g} of its box length "
                "from one frame to the next",
                code="E-BOX-FLIP",
                why="shear by half a box and a flip of the box look alike",
                hint="give frames that are closer together",
            )
        matrix[row] += n * matrix[column]
    return ContinuedCell(matrix @ cell, matrix)


def _lower(cell):
    """The same edges and angles with a along x and b in the xy plane, as LAMMPS has them."""
    return np.linalg.cholesky(cell @ cell.T)


def rounding_noise(resolution: float, n_neighbour: int = 14) -> float:
    """D2min (sum over neighbours) that rounding of the coordinates makes on average.

    Parameters
    ----------
    resolution : float
        Rounding step r of the coordinates of both frames. Unit: angstrom.
    n_neighbour : int
        Neighbours n of the atom.

    Returns
    -------
    float
        Unit: angstrom^2.

    Notes
    -----
    Each coordinate of each atom carries an error of variance r^2/12, in both frames. The error of a bond is that
    of the neighbour less that of the atom itself, which all bonds share: along one axis the errors of the n bonds
    have the covariance ``r^2/6 (1 + J)``, J all ones. The affine fit takes 3 of n dimensions away and, in a shell
    without a preferred side, leaves the shared part whole: ``r^2/6 (n - 3 + n)`` along each of three axes.
    """
    return resolution**2 / 2.0 * (2 * n_neighbour - 3)


def oddities(
    copies: tuple[int, int, int],
    resolution: float,
    cell: np.ndarray,
    n_atom: int,
    units: str | None,
    *,
    n_neighbour: int = 14,
    threshold: float = 5.0,
) -> tuple[ReadWarning, ...]:
    """What is odd about the first frame: ``W-REPLICATED``, ``W-ROUNDING``.

    Parameters
    ----------
    copies : tuple of int
        See `qsdask.formats.copies.copies_of`.
    resolution, cell, n_atom, units
        As of `Frame`.
    n_neighbour : int
        Neighbours an atom usually has.
    threshold : float
        D2min above which an atom counts as plastic. Unit: angstrom^2. In sigma as much of the squared distance between
        atoms as it is in a metal.

    Returns
    -------
    tuple of ReadWarning
    """
    warnings = []
    if max(copies) > 1:
        text = (
            f"the first frame is {' x '.join(map(str, copies))} copies of a smaller cell: its atoms are not "
            "independent, and copies of one atom fall into training and test data"
        )
        warnings.append(ReadWarning("W-REPLICATED", text))
    noise, length = rounding_noise(resolution, n_neighbour), stored_length(units)
    if length != ANGSTROM:
        threshold *= (abs(np.linalg.det(cell)) / n_atom) ** (2 / 3) / _METAL_SPACING**2
    if noise > _ROUNDING_SHARE * threshold:  # never for an unknown resolution, NaN
        text = (
            f"coordinates are rounded to {resolution:.2g}: that alone makes a D2min of {noise:.2g} {length}^2, "
            f"{noise / threshold:.0%} of the threshold; dump with 'dump_modify ... format float %.10g'"
        )
        warnings.append(ReadWarning("W-ROUNDING", text))
    return tuple(warnings)


def continued_cells(
    frames: Sequence[FrameLocation], first: np.ndarray
) -> tuple[dict[int, np.ndarray], list[ReadWarning]]:
    """Cells of all frames, continued across box flips.

    Parameters
    ----------
    frames : sequence of FrameLocation
        In order.
    first : float64 array, shape (3, 3)
        Cell of the first one, which was read. Unit: angstrom.

    Returns
    -------
    cells : dict of int to float64 array, shape (3, 3)
        Missing where only the frame itself tells. Unit: angstrom.
    warnings : list of ReadWarning
        ``W-BOX-FLIP`` naming the frames.
    """
    cells: dict[int, np.ndarray] = {0: first}
    flipped: list[int] = []
    for step, place in enumerate(frames):
        if step == 0 or place.cell is None:
            continue
        cells[step] = np.array(place.cell)
        if step - 1 not in cells:
            continue
        found = unflipped(cells[step], cells[step - 1])
        cells[step] = found.cell
        if not np.array_equal(found.matrix, np.eye(3)):
            flipped.append(step)
    text = f"the box was flipped before the frames {flipped}; their cells continue those of the frames before"
    return cells, [ReadWarning("W-BOX-FLIP", text)] if flipped else []
