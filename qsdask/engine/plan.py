"""What a stage will cost, before it runs: tasks, ghosts, bytes on disk, memory of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qsdask import schema
from qsdask.engine.load import read_box
from qsdask.quantity import AtomQuantity, medium_range, surroundings
from qsdask.store.reader import StoreReader

__all__ = [
    "BASE_BYTES",
    "PIECE_ATOMS",
    "Size",
    "StagePlan",
    "leaf_edges",
    "mean_ghosts",
    "plan_features",
    "plan_stage",
    "size_of",
]

#: Memory of a worker before its first task: interpreter, Dask, Numba and the compiled kernels. Unit: bytes.
BASE_BYTES = 265e6

#: Share of its raw size that a compressed array takes on disk, measured on text dumps with five decimals.
COMPRESSED = {"float64": 0.55, "float32": 0.85, "int64": 0.25, "int8": 0.02, "int16": 0.3, "bool": 0.05, "uint8": 0.02}

#: Neighbours per atom taken for the size of a shell, when the density is that of a metal.
TYPICAL_SHELL = 15

#: Slots of the stored shells, unless more are needed.
SLOTS = {"voronoi": 24, "cutoff": 24}

#: Atoms of a frame that `ingest` holds at once.
PIECE_ATOMS = 1 << 18

#: Distance within which stored Voronoi shells name neighbours. Unit: angstrom.
SHELL_REACH = 5.0


@dataclass(frozen=True)
class Size:
    """Size of a specimen, and how it is cut.

    Attributes
    ----------
    n_atom, n_step : int
        Atoms and frames.
    chunk : int
        Atoms per domain.
    height : tuple of float
        Distances between opposite faces of the reference cell. Unit: angstrom.
    """

    n_atom: int
    n_step: int
    chunk: int
    height: tuple[float, float, float]

    @property
    def n_domain(self) -> int:
        """Number of domains."""
        return -(-self.n_atom // self.chunk)


@dataclass(frozen=True)
class StagePlan:
    """Cost of one stage.

    Attributes
    ----------
    stage : str
        Name of the stage.
    tasks : int
        (part, step, domain) tasks.
    ghosts : int
        Atoms of the halo of one domain, on average.
    bytes_written : int
        Expected size on disk.
    bytes_memory : int
        Peak memory of a worker process while it runs one task; measured peaks stay below it.
    """

    stage: str
    tasks: int
    ghosts: int
    bytes_written: int
    bytes_memory: int


def size_of(root: StoreReader) -> Size:
    """Size of the specimen in a store."""
    n_step, n_atom, _ = root["frames/position"].shape
    height = read_box(root, 0).height
    return Size(n_atom, n_step, root["atoms/id"].chunks[0], tuple(float(h) for h in height))


def leaf_edges(edges: np.ndarray, n_atom: int, chunk: int) -> np.ndarray:
    """Edges of an average domain when equal halves are cut across the longest side.

    Parameters
    ----------
    edges : float array, shape (3,)
        Heights of the cell. Unit: angstrom.
    n_atom, chunk : int
        Atoms in the cell and per domain.

    Returns
    -------
    float64 array, shape (3,)
        Unit: angstrom.
    """
    leaf = np.array(edges, dtype=np.float64)
    parts = n_atom / chunk
    while parts > 1:
        axis = int(np.argmax(leaf))
        leaf[axis] /= min(parts, 2.0)
        parts /= 2.0
    return leaf


def mean_ghosts(edges: np.ndarray, n_atom: int, chunk: int, reach: float) -> int:
    """Atoms of the halo of an average domain in a homogeneous glass.

    Parameters
    ----------
    edges : float array, shape (3,)
        Heights of the cell. Unit: angstrom.
    n_atom, chunk : int
        Atoms in the cell and per domain.
    reach : float
        Unit: angstrom.

    Returns
    -------
    int
        Periodic images counted, as the halo holds them.
    """
    leaf = leaf_edges(edges, n_atom, chunk)
    density = n_atom / float(np.prod(edges))
    return int(density * (np.prod(leaf + 2.0 * reach) - np.prod(leaf)))


def plan_features(size: Size, quantity: AtomQuantity, *, cutoff: float = 0.0) -> StagePlan:
    """Cost of one feature set for one specimen.

    Parameters
    ----------
    size : Size
        Of the specimen.
    quantity : AtomQuantity
        The feature set.
    cutoff : float
        Of the cut-off shell. Unit: angstrom.

    Returns
    -------
    StagePlan
    """
    n_own, n_medium = len(quantity.columns), len(medium_range(quantity))
    shell_reach = max(SHELL_REACH, cutoff)
    owned, ghosts = _owned_and_ghosts(size, quantity.reach or shell_reach * quantity.rings)
    # The shells of the ghosts are read apart and put behind those of the owned atoms: for a while they are there twice.
    shelled = owned if quantity.rings == 1 else 1.6 * sum(_owned_and_ghosts(size, shell_reach))
    ways = surroundings(quantity)
    width = n_medium // max(len(ways), 1)
    repeated = 4 * width if any(way.times > 1 for way in ways) else 0
    work = (owned + ghosts) * (110 + 8 * n_own + repeated) + owned * 16 * (n_own + width)
    work += shelled * _slot_bytes(SLOTS) if quantity.shells else ghosts * 60
    density = size.n_atom / float(np.prod(size.height))
    for radius in quantity.coarsen_radius_angstrom if ways else ():
        within = _owned_and_ghosts(size, radius)[1]
        # The most crowded atom has some more neighbours than the mean.
        slots = 1.5 * density * 4.0 / 3.0 * np.pi * radius**3
        taken = (owned + within) * (170 + 8 * n_own) + owned * (4 * slots + 16 * (n_own + width))
        work, ghosts = max(work, taken), max(ghosts, within)
    tasks = (1 + len(ways)) * size.n_domain
    return _planned("features", ("features/any",), size, tasks, ghosts, work, n_own + n_medium)


def plan_stage(
    stage: str, size: Size, *, reach: float = 0.0, n_column: int = 0, slots: Mapping[str, int] | None = None
) -> StagePlan:
    """Cost of one stage for one specimen; for ``features`` see `plan_features`.

    Parameters
    ----------
    stage : {"ingest", "shells", "respond", "predict"}
        Name of the stage.
    size : Size
        Of the specimen.
    reach : float
        Halo of ``shells`` and ``respond``. Unit: angstrom.
    n_column : int
        Columns of the feature set of ``predict``.
    slots : mapping of str to int, optional
        Slots of the shells ``voronoi`` and ``cutoff``.

    Returns
    -------
    StagePlan
    """
    slots = slots or SLOTS
    owned, ghosts = _owned_and_ghosts(size, reach)
    groups, tasks, work = {
        # A piece of text and its arrays; of the rows by id at most the pages that its ids need.
        "ingest": (("atoms", "frames"), size.n_step, min(size.n_atom, PIECE_ATOMS) * 200 + size.n_atom * 16),
        "shells": (
            ("shells/voronoi", "shells/cutoff"),
            size.n_domain,
            (owned + ghosts) * 140 + owned * _slot_bytes(slots),
        ),
        "respond": (
            ("response/d2min",),
            size.n_step * size.n_domain,
            (owned + ghosts) * 170 + owned * (slots["cutoff"] * 20 + 400),
        ),
        "predict": (("softness/any",), size.n_domain, owned * n_column * 12),
    }[stage]
    return _planned(stage, groups, size, tasks, ghosts, work, n_column, slots["voronoi"])


def _owned_and_ghosts(size: Size, reach: float) -> tuple[int, int]:
    """Atoms of a domain and of its halo."""
    owned = min(size.n_atom, size.chunk)
    return owned, mean_ghosts(np.array(size.height), size.n_atom, size.chunk, reach) if reach else 0


def _slot_bytes(slots: Mapping[str, int]) -> float:
    """Memory of the shells of one atom while they are made or read."""
    return 1.6 * (slots["voronoi"] * (8 + 8 + 8 + 4 + 8 + 3) + slots["cutoff"] * (8 + 8 + 4 + 8 + 3))


def _planned(
    stage: str,
    groups: tuple[str, ...],
    size: Size,
    tasks: int,
    ghosts: int,
    work: float,
    n_column: int,
    n_slot: int = SLOTS["voronoi"],
) -> StagePlan:
    sizes = {"step": size.n_step, "atom": size.n_atom, "slot": n_slot, "xyz": 3, "vector": 3, "feature": n_column}
    return StagePlan(stage, tasks, ghosts, _bytes_written(groups, sizes), int(BASE_BYTES + work))


def _bytes_written(groups: tuple[str, ...], sizes: Mapping[str, int]) -> int:
    total = 0.0
    for v in (v for group in groups for v in schema.variables_of(group) if "atom" in v.dims):
        raw = np.prod([sizes[d] for d in v.dims], dtype=float) * np.dtype(v.dtype).itemsize
        # Empty slots cost next to nothing once compressed.
        filled = TYPICAL_SHELL / sizes["slot"] if "slot" in v.dims else 1.0
        total += raw * filled * COMPRESSED[v.dtype]
    return int(total)
