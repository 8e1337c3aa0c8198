"""A small glass under strain, made by code, and the text that LAMMPS would write of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Picture", "dump", "glass", "text"]

EDGE, PER_SIDE = 11.0, 4
NAMES = ("Cu", "Zr")


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame as it is: the truth that a reader must find.

    Attributes
    ----------
    timestep : int
    id, type : int64 array, shape (n_atom,)
    position : float64 array, shape (n_atom, 3)
        What the decimals of the text say, exactly. Unit: angstrom.
    cell, origin : float64 array, shapes (3, 3) and (3,)
        Rows are the lattice vectors. Unit: angstrom.
    boundary : tuple of str
    """

    timestep: int
    id: np.ndarray
    type: np.ndarray
    position: np.ndarray
    cell: np.ndarray
    origin: np.ndarray
    boundary: tuple[str, ...] = ("pp", "pp", "pp")

    def but(self, **changes) -> Picture:
        """The same frame with other fields."""
        return replace(self, **changes)

    def only(self, keep) -> Picture:
        """The same frame with some of its atoms, by mask or index."""
        return self.but(id=self.id[keep], type=self.type[keep], position=self.position[keep])

    def rounded(self, digits: int) -> Picture:
        """The same frame as ``digits`` decimals tell it."""
        return self.but(position=np.array([[float(f"{x:.{digits}f}") for x in row] for row in self.position]))


def glass(n_frame: int = 3, digits: int = 6) -> list[Picture]:
    """Frames of 64 atoms, stretched along x by 1 % each, no two atoms closer than 1.6 angstrom.

    Parameters
    ----------
    n_frame, digits : int
        Number of frames, and decimals of the coordinates.

    Returns
    -------
    list of Picture
        In each the atoms stand in another order, as LAMMPS leaves them.
    """
    chance = np.random.default_rng(64)
    site = np.stack(np.meshgrid(*[np.arange(PER_SIDE)] * 3, indexing="ij"), -1).reshape(-1, 3)
    reduced = (site + 0.5 + chance.uniform(-0.2, 0.2, site.shape)) / PER_SIDE
    kind = np.where(chance.random(len(site)) < 0.6, 1, 2)
    frames = []
    for k in range(n_frame):
        edge = np.round(EDGE * np.array([1 + 0.01 * k, 1 - 0.004 * k, 1 - 0.004 * k]), digits)
        moved = (reduced + chance.normal(0, 0.004 * k, reduced.shape)) % 1.0
        order = chance.permutation(len(site))
        picture = Picture(1000 * k, order + 1, kind[order], moved[order] * edge, np.diag(edge), np.zeros(3))
        frames.append(picture.rounded(digits))
    return frames


def text(
    picture: Picture,
    columns: str = "id type x y z",
    *,
    title: str | None = None,
    bounds: str | None = None,
    count: object = None,
    number="{:.6f}".format,
    more=None,
    head: str = "",
) -> str:
    """A frame as LAMMPS writes it.

    Parameters
    ----------
    picture : Picture
        Its cell must be orthogonal unless ``title`` and ``bounds`` are given.
    columns : str
    title, bounds : str, optional
        What follows ``ITEM: BOX BOUNDS``, and the three lines below it.
    count : optional
        What stands for the number of atoms, if not the number of atoms.
    number : callable
        Float to text.
    more : mapping of str to sequence, optional
        Further columns, or other text for a known one.
    head : str
        Goes before ``ITEM: TIMESTEP``.

    Returns
    -------
    str
    """
    if title is None:
        title = " ".join(picture.boundary)
    if bounds is None:
        low, high = picture.origin, picture.origin + np.diag(picture.cell)
        bounds = "\n".join(f"{a:.16e} {b:.16e}" for a, b in zip(low, high, strict=True))
    cells = {
        "id": picture.id,
        "type": picture.type,
        "element": [NAMES[t - 1] for t in picture.type],
        **{
            axis + suffix: list(map(number, values))
            for suffix in ("", "u", "s", "su")
            for axis, values in zip("xyz", picture.position.T, strict=True)
        },
        **(more or {}),
    }
    rows = zip(*(cells[name] for name in columns.split()), strict=True)
    body = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    n = len(picture.id) if count is None else count
    return (
        f"{head}ITEM: TIMESTEP\n{picture.timestep}\nITEM: NUMBER OF ATOMS\n{n}\n"
        f"ITEM: BOX BOUNDS{' ' * bool(title)}{title}\n{bounds}\nITEM: ATOMS {columns}\n{body}"
    )


def dump(frames: Sequence[Picture], columns: str = "id type x y z", **form) -> str:
    """All frames, one after the other; see `text`."""
    return "".join(text(frame, columns, **form) for frame in frames)
