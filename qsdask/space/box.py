"""The simulation box: a triclinic cell that repeats along some of its vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qsdask.errors import BadDataError
from qsdask.kernels.lattice import reduced_coordinates

__all__ = ["Box"]

#: The cell's lower face is moved down by this fraction, so that atoms that sit on the face to within rounding
#: (crystals do) always belong to the lower one, whatever image they were written in.
FACE_TOLERANCE = 1e-9

#: Decimals kept when an atom is moved by whole cell vectors. Text dumps have fewer: the wrapped coordinate is then
#: the very number that a wrapped dump would hold, and pair kernels give the same bits for both.
WRAP_DECIMALS = 10


@dataclass(frozen=True)
class Box:
    """Cell, origin and periodicity of one frame.

    Parameters
    ----------
    cell : float64 array, shape (3, 3)
        Cell vectors a, b, c as rows. Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner. Unit: angstrom.
    periodic : bool array, shape (3,)
        Whether the cell repeats along a, b, c.

    Raises
    ------
    BadDataError
        ``E-BOX`` when the cell is not finite or has no volume.
    """

    cell: np.ndarray
    origin: np.ndarray
    periodic: np.ndarray

    def __post_init__(self) -> None:
        finite = np.isfinite(self.cell).all() and np.isfinite(self.origin).all()
        if not finite or abs(np.linalg.det(self.cell)) < 1e-9:
            raise BadDataError(
                f"the cell {np.asarray(self.cell).tolist()} is not finite or has no volume", code="E-BOX"
            )

    @cached_property
    def inverse(self) -> np.ndarray:
        """Inverse of the cell, shape (3, 3): reduced = (x - origin) @ inverse."""
        return np.linalg.inv(self.cell)

    @cached_property
    def height(self) -> np.ndarray:
        """Distance between opposite faces, shape (3,). Unit: angstrom."""
        return 1.0 / np.linalg.norm(self.inverse, axis=0)

    @property
    def volume(self) -> float:
        """Volume of the cell. Unit: angstrom^3."""
        return float(abs(np.linalg.det(self.cell)))

    def reduced(self, position: np.ndarray) -> np.ndarray:
        """Reduced coordinates of Cartesian positions, shape (n, 3)."""
        # Not a matrix product: its threads get in the way of one another, its rounding differs between machines.
        position = np.ascontiguousarray(position, dtype=np.float64)
        return reduced_coordinates(position, np.asarray(self.origin, dtype=np.float64), self.inverse)[0]

    def wrap(self, position: np.ndarray) -> np.ndarray:
        """Positions moved by whole cell vectors into the cell, along its periodic vectors only.

        Parameters
        ----------
        position : float64 array, shape (n, 3)
            Cartesian positions, wrapped or not. Unit: angstrom.

        Returns
        -------
        float64 array, shape (n, 3)
            Atoms already inside keep their bits; moved ones are rounded to 1e-10 angstrom.
        """
        image = np.floor(self.reduced(position) + FACE_TOLERANCE)
        image[:, ~np.asarray(self.periodic, dtype=bool)] = 0.0
        # Not `any` along rows of three, which takes NumPy ten times as long.
        moved = (image[:, 0] != 0) | (image[:, 1] != 0) | (image[:, 2] != 0)
        if not moved.any():
            return position
        wrapped = position.copy()
        wrapped[moved] = np.round(position[moved] - self.shift(image[moved]), WRAP_DECIMALS)
        return wrapped

    def shift(self, image: np.ndarray) -> np.ndarray:
        """Cartesian shift of integer images, shape (n, 3). Unit: angstrom."""
        # Not a matrix product: BLAS rounds one row alone otherwise than among others, and halos differ in their rows.
        a, b, c = image.T.astype(np.float64)
        x, y, z = (a * along[0] + b * along[1] + c * along[2] for along in self.cell.T)
        return np.stack([x, y, z], axis=1)
