"""Small specimens with the difficulties of real ones, and blocks of them typed as those of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.tessellate import UNCERTIFIED, keep_facets, voronoi_shell
from qsdask.quantity import AtomQuantity, IteratedQuantity, advanced
from qsdask.space.block import Block, Shell
from qsdask.space.box import Box
from qsdask.space.layers import exact_box, exact_position, layered
from qsdask.testing.lattices import bcc, fcc, hcp, icosahedron, open_block, sc

__all__ = ["FACTS", "LATTICES", "Specimen", "block_for", "block_of", "gas", "lattice", "specimen", "states_of"]

#: Facts of the specimens, as the engine gives them to sets that have fields of these names.
FACTS: dict[str, tuple] = {"species": ("Cu", "Zr"), "composition": (0.65, 0.35), "radius": (1.26, 1.58)}

#: Structures in which all atoms, or at least the first, have known surroundings.
LATTICES = {"sc": sc, "bcc": bcc, "fcc": fcc, "hcp": hcp}

#: Volume of an atom of a Cu65Zr35 glass. Unit: cubic angstrom.
ATOM_VOLUME = 15.0
#: Cells that reach farther than half of this are open; no atom beyond it can matter. Unit: angstrom.
SEARCH = 16.0
#: The three bytes of image (0, 0, 0) in the code of an entry.
HOME = 128 * (1 << 16 | 1 << 8 | 1)


class Specimen(NamedTuple):
    """Atoms of one frame.

    Attributes
    ----------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    box : Box
        Cell, origin and periodicity.
    species : int16 array, shape (n_atom,)
        Index of the kind.
    radius : float64 array, shape (n_kind,)
        Radius of each kind. Unit: angstrom.
    id : int64 array, shape (n_atom,)
        Atom ids, which decide the order of neighbours.
    """

    position: np.ndarray
    box: Box
    species: np.ndarray
    radius: np.ndarray
    id: np.ndarray


@cache
def specimen(name: str) -> Specimen:
    """A binary glass of soft spheres, about 100 to 300 atoms.

    Parameters
    ----------
    name : {"glass", "tilted", "thin", "slab"}
        Periodic in a cube; in a tilted cell; in a box so thin that atoms neighbour their own images; or with free
        surfaces along z and 36 angstrom thick.

    Returns
    -------
    Specimen
        Radii and composition of Cu65Zr35. Shared between calls: not to be changed.
    """
    cell, periodic = {
        "glass": (np.diag([13.0, 13.0, 13.0]), [True, True, True]),
        "tilted": (np.array([[12.0, 0.0, 0.0], [4.0, 11.0, 0.0], [-3.0, 5.0, 12.0]]), [True, True, True]),
        "thin": (np.diag([5.5, 15.0, 15.0]), [True, True, True]),
        "slab": (np.diag([11.0, 11.0, 36.0]), [True, True, False]),
    }[name]
    box = Box(cell, np.array([-1.0, 2.0, 0.5]), np.array(periodic))
    n_atom = round(box.volume / ATOM_VOLUME)
    rng = np.random.default_rng(len(name) + n_atom)
    species = np.zeros(n_atom, dtype=np.int16)
    species[: round(FACTS["composition"][1] * n_atom)] = 1
    species, radius = rng.permutation(species), np.array(FACTS["radius"])
    position = box.origin + rng.random((n_atom, 3)) @ cell
    for _ in range(150):
        position = box.wrap(position)
        near = open_block(position, cell, box.origin, periodic, 3.2)
        pairs = neighbour_shell(near.position, near.order, n_atom, 3.2)
        bond = near.position[pairs.neighbour] - position[:, None]
        contact = 0.95 * (radius[species][:, None] + radius[species[near.row]][pairs.neighbour])
        overlap = np.where(pairs.neighbour >= 0, np.maximum(contact / pairs.distance - 1.0, 0.0), 0.0)
        position = position - 0.4 * (overlap[..., None] * bond).sum(axis=1)
    # As many decimals as a dump has: an atom moved by a cell vector and back keeps its bits.
    return Specimen(np.round(position, 6), box, species, radius, rng.permutation(n_atom) + 1)


def gas(spacing: float = 40.0) -> Specimen:
    """An atom alone, a pair and a triangle, far from one another and in open space.

    Parameters
    ----------
    spacing : float
        Distance between the three. Unit: angstrom.

    Returns
    -------
    Specimen
        Six atoms; the first is the one alone. All Voronoi cells are open.
    """
    side = 2.6
    position = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0], [2, 0, 0]], dtype=np.float64
    ) * spacing + side * np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]])
    box = Box(np.eye(3) * 4.0 * spacing, np.full(3, -spacing), np.array([False] * 3))
    species = np.array([0, 0, 1, 0, 1, 0], dtype=np.int16)
    return Specimen(position, box, species, np.array(FACTS["radius"]), np.arange(1, 7))


def lattice(name: str) -> Specimen:
    """A crystal, or an icosahedron with its centre first, of equal atoms that touch their nearest neighbours.

    Parameters
    ----------
    name : {"sc", "bcc", "fcc", "hcp", "icosahedron"}
        With the lattice constants of `qsdask.testing.lattices`.

    Returns
    -------
    Specimen
        All of species 0.
    """
    if name == "icosahedron":
        position = icosahedron()
        box = Box(np.eye(3) * 20.0, np.full(3, -10.0), np.array([False] * 3))
    else:
        position, cell = LATTICES[name]()
        box = Box(cell, np.zeros(3), np.array([True] * 3))
    away = np.linalg.norm(position[1:] - position[0], axis=1)
    n_atom = len(position)
    return Specimen(
        position, box, np.zeros(n_atom, dtype=np.int16), np.full(2, away.min() / 2), np.arange(1, n_atom + 1)
    )


def block_of(
    specimen: Specimen,
    shells=(),
    *,
    rings=1,
    reach=0.0,
    owned=None,
    cutoff=4.0,
    fraction=0.05,
    spare=False,
    more_slots=0,
) -> Block:
    """Block of some atoms of a specimen, as the engine makes it.

    Parameters
    ----------
    specimen : Specimen
        Atoms.
    shells : sequence of str
        Shells to attach, of ``"voronoi"`` and ``"cutoff"``.
    rings : {1, 2}
        Shells of the owned atoms, or also of the ghosts next to them.
    reach : float
        Without shells: every atom within this distance of an owned one is in the block. Unit: angstrom.
    owned : int64 array, shape (n_owned,), optional
        Rows to own, in this order; default: all.
    cutoff : float
        Of the cut-off shell. Unit: angstrom.
    fraction : float
        Of the Voronoi shell: facets below this share of the mean area are dropped.
    spare : bool
        With shells: add entries that no shell names.
    more_slots : int
        With shells: add empty slots.

    Returns
    -------
    Block
        With shells it holds the atoms that they name and has no `Block.order`, as blocks read from a store.
    """
    box = specimen.box
    position = box.wrap(specimen.position)
    owned = np.arange(len(position)) if owned is None else np.asarray(owned, dtype=np.int64)
    if not shells:
        local = open_block(position, box.cell, box.origin, box.periodic, reach, id=specimen.id, owned=owned)
        return _block(specimen, len(owned), local.row, local.image, local.position, local.order, reach, {})

    whole = open_block(position, box.cell, box.origin, box.periodic, SEARCH, id=specimen.id)
    # Images count from here: an atom on a face may have been wrapped once more.
    position = whole.position[: len(position)]
    stored = {name: _stored(name, whole, cutoff, fraction, more_slots) for name in shells}
    entry = (owned << 24) + HOME
    for _ in range(rings):
        n_shelled = len(entry)
        named = np.concatenate([_around(shell.neighbour, entry).ravel() for shell in stored.values()])
        entry = np.concatenate([entry, np.setdiff1d(named[named >= 0], entry)])
    if spare:
        image = product(*((-1, 0, 1) if along else (0,) for along in box.periodic))
        every = _code(np.arange(len(position))[:, None], np.array(list(image))).ravel()
        entry = np.concatenate([entry, np.setdiff1d(every, entry)])
    made = {}
    sorter = np.argsort(entry)
    for name, shell in stored.items():
        named = _around(shell.neighbour, entry[:n_shelled])
        place = sorter[np.searchsorted(entry, np.where(named < 0, entry[0], named), sorter=sorter)]
        held = {key: value[entry[:n_shelled] >> 24] for key, value in vars(shell).items() if value is not None}
        made[name] = Shell(**{**held, "neighbour": np.where(named < 0, -1, place).astype(np.int32)})
    row = entry >> 24
    image = ((entry[:, None] >> np.array([16, 8, 0]) & 255) - 128).astype(np.int8)
    return _block(specimen, len(owned), row, image, position[row] + box.shift(image), None, 0.0, made)


def block_for(specimen: Specimen, quantity: AtomQuantity, states: np.ndarray | None = None, **changes: Any) -> Block:
    """Block with what a quantity declares; of one whose atoms take steps, with the states that these lead to.

    Parameters
    ----------
    specimen : Specimen
        Atoms.
    quantity : AtomQuantity
        Of which the block is.
    states : float64 array, shape (n_atom, n_state), optional
        Those of all atoms; those of `states_of` by default.
    **changes
        As of `block_of`.

    Returns
    -------
    Block
    """
    asked = {"rings": quantity.rings, "reach": quantity.reach, **changes}
    if not isinstance(quantity, IteratedQuantity):
        return block_of(specimen, quantity.shells, **asked)
    states = states_of(specimen, quantity) if states is None else states
    block = block_of(_exact(specimen), (), **asked)
    return replace(block, state=states[block.row])


def states_of(
    specimen: Specimen, quantity: IteratedQuantity, parts: Sequence[np.ndarray] = (), at_once: int = 0
) -> np.ndarray:
    """States of all atoms after all steps.

    Parameters
    ----------
    specimen : Specimen
        Atoms.
    quantity : IteratedQuantity
        Whose steps.
    parts : sequence of int64 array
        Rows that are owned together, as domains; all by default.
    at_once : int
        Steps between two exchanges of states between the parts; all by default, where there is one part.

    Returns
    -------
    float64 array, shape (n_atom, n_state)
    """
    found, n = _exact(specimen), len(specimen.id)
    state = np.zeros((n, quantity.n_state))
    for first in range(0, quantity.n_step, at_once or quantity.n_step):
        steps = range(first, min(first + (at_once or quantity.n_step), quantity.n_step))
        after = np.empty_like(state)
        for owned in parts or [np.arange(n)]:
            # Layers beyond the first by distance, as a sphere: a store takes boxes.
            out = len(steps) if len(owned) < n else 1
            block = block_of(found, reach=out * quantity.reach, owned=owned)
            away = _distance(block.position, block.position[: len(owned)])
            layer = np.ceil(np.maximum(away - 1e-9, 0.0) / quantity.reach).astype(np.int64)
            layer = np.clip(layer, 1, out)
            layer[: len(owned)] = 0
            block, layers = layered(block, layer)
            made = advanced(quantity, block, layers, state[block.row], steps, 0)
            after[owned] = made[: len(owned)]
        state = after
    return state


def _distance(position: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each position from the nearest of others."""
    square = np.full(len(position), np.inf)
    for other in others:
        square = np.minimum(square, ((position - other) ** 2).sum(axis=1))
    return np.sqrt(square)


def _exact(specimen: Specimen) -> Specimen:
    """The specimen on the grid on which steps are computed."""
    box = exact_box(specimen.box)
    return specimen._replace(position=exact_position(box.wrap(specimen.position), box), box=box)


def _block(specimen, n_owned, row, image, position, order, reach, shells) -> Block:
    species = specimen.species[row]
    return Block(n_owned, row, image, position, order, species, specimen.radius[species], specimen.box, reach, shells)


def _stored(name, whole, cutoff, fraction, more_slots) -> Shell:
    """A shell of every atom, with the dtypes of a store; its neighbours are codes of (row, image)."""

    def wider(slots, fill):
        return np.pad(slots, ((0, 0), (0, more_slots)), constant_values=fill)

    def codes(neighbour):
        return wider(np.where(neighbour < 0, -1, _code(whole.row, whole.image)[neighbour]), -1)

    if name == "cutoff":
        pairs = neighbour_shell(whole.position, whole.order, whole.n_owned, cutoff)
        return Shell(codes(pairs.neighbour), pairs.count, wider(pairs.distance, np.nan))
    cells = voronoi_shell(whole.position, whole.order, whole.n_owned, SEARCH, open_radius=SEARCH / 2)
    if (cells.state & UNCERTIFIED).any():
        raise ValueError("an unproven Voronoi cell in a specimen made for tests")
    kept = keep_facets(cells, fraction)
    return Shell(
        codes(kept.neighbour),
        kept.count,
        wider(kept.distance, np.nan),
        wider(kept.area, np.nan),
        wider(kept.edges, -1).astype(np.int16),
        kept.volume,
    )


def _code(row, image):
    """One sortable integer of a row and an image."""
    return (row << 24) + HOME + image.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])


def _around(neighbour, entry):
    """Codes of the neighbours of entries: those of the atom at home, moved to the image of the entry."""
    at_home = neighbour[entry >> 24]
    return np.where(at_home < 0, -1, at_home + ((entry & 0xFFFFFF) - HOME)[:, None])
