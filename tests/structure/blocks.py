"""Glasses, and blocks of them with every shell that a feature set may ask for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from qsdask.space.block import Block, Shell
from qsdask.space.box import Box
from qsdask.testing import blocks, lattices
from tests.naive import census, voronoi

CUTOFF = 4.0
SHEAR = np.array([[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [-0.25, 0.4, 1.0]])


class Glass(NamedTuple):
    """A specimen, its corner at the origin."""

    position: np.ndarray
    cell: np.ndarray
    periodic: np.ndarray
    species: np.ndarray
    radius: np.ndarray

    @property
    def reach(self) -> float:
        """Nothing farther matters; at a free surface that is twice the radius at which a cell is open."""
        return 8.0 if self.periodic.all() else 16.0


def glass(kind: str, golden) -> Glass:
    """The golden glass ("bulk"), the same sheared ("tilted"), a box one shell thick ("thin"), a "slab"."""
    periodic = np.ones(3, dtype=bool)
    if kind in ("thin", "slab"):
        crystal = lattices.fcc(4.0, (3, 1, 4) if kind == "thin" else (4, 4, 3))
        position, cell = lattices.perturbed(crystal.position, 0.4, seed=4), crystal.cell
        species = np.random.default_rng(5).integers(0, 2, len(position))
        if kind == "slab":
            periodic[0] = False
    else:
        table = np.loadtxt(golden / "cuzr256.dump", skiprows=9)
        bounds = np.loadtxt(golden / "cuzr256.dump", skiprows=5, max_rows=3)
        length = bounds[:, 1] - bounds[:, 0]
        position, cell = (table[:, 2:5] - bounds[:, 0]) % length, np.diag(length)
        species = table[:, 1].astype(int) - 1
        if kind == "tilted":
            position, cell = position @ SHEAR, cell @ SHEAR
    turns = np.where(periodic, np.floor(position @ np.linalg.inv(cell)), 0.0)
    return Glass(position - turns @ cell, cell, periodic, species, np.array([1.26, 1.58])[species])


@cache
def _cells(kind: str, golden):
    specimen = glass(kind, golden)
    return voronoi.voronoi_cells(*specimen[:3], specimen.reach)


def twin(kind: str, golden, fraction: float = 0.05) -> list[census.Atom | None]:
    """Kept facets of every atom of a glass by Qhull."""
    position, cell, *_ = glass(kind, golden)
    return census.atoms(position, cell, _cells(kind, golden), fraction)


def of_lattice(made: lattices.Crystal, species=None, radius: float = 1.0) -> Glass:
    """Specimen of a periodic lattice, all atoms of one species and radius unless told otherwise."""
    n = len(made.position)
    species = np.zeros(n, dtype=int) if species is None else species
    return Glass(made.position, made.cell, np.ones(3, dtype=bool), species, np.full(n, radius))


def cluster(position) -> Glass:
    """Specimen of atoms in open space."""
    n = len(position)
    return Glass(position, 90.0 * np.eye(3), np.zeros(3, dtype=bool), np.zeros(n, dtype=int), np.ones(n))


def block_of(specimen: Glass, fraction: float = 0.05, rings: int = 1, owned=None) -> Block:
    """Block of the owned rows (all by default) with both shells; two rings: of neighbouring ghosts too."""
    n_atom = len(specimen.position)
    made = blocks.block_of(
        blocks.Specimen(
            specimen.position,
            Box(specimen.cell, np.zeros(3), specimen.periodic),
            specimen.species.astype(np.int16),
            np.ones(specimen.species.max() + 1),
            np.arange(n_atom),
        ),
        ("voronoi", "cutoff"),
        rings=rings,
        owned=owned,
        cutoff=CUTOFF,
        fraction=fraction,
    )
    return replace(made, radius=specimen.radius[made.row])


def shell_of(point, radius) -> Block:
    """One atom at the origin with the given neighbours, and no more than their number and places known."""
    position = np.concatenate([np.zeros((1, 3)), point])
    n = len(point)
    neighbour, count = np.arange(1, n + 1, dtype=np.int32)[None], np.array([n], dtype=np.int32)
    distance = np.linalg.norm(point, axis=1)[None]
    shell = Shell(neighbour, count, distance, cell_volume=np.array([np.nan]))
    return Block(
        1,
        np.arange(n + 1),
        np.zeros((n + 1, 3), dtype=np.int8),
        position,
        np.arange(n + 1),
        np.zeros(n + 1, dtype=np.int16),
        np.broadcast_to(radius, n + 1).astype(float),
        Box(np.eye(3) * 99.0, np.full(3, -49.5), np.zeros(3, dtype=bool)),
        8.0,
        {"voronoi": shell, "cutoff": shell},
    )


def cell_of(edges, area=None) -> Block:
    """One atom whose Voronoi facets have these edges and areas, and no more than that known."""
    block = shell_of(np.ones((len(edges), 3)), 1.0)
    shell = replace(block.shells["voronoi"], edges=np.array([edges], dtype=np.int16))
    if area is not None:
        shell = replace(shell, facet_area=np.array([area], dtype=float))
    return replace(block, shells={"voronoi": shell})
