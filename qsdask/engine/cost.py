"""What a stage will cost, before it runs: tasks, ghosts, bytes on disk, memory of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qsdask import schema
from qsdask.engine.reading import read_box
from qsdask.store.reader import Arrays

__all__ = [
    "BASE_BYTES",
    "Size",
    "StagePlan",
    "leaf_edges",
    "mean_ghosts",
    "owned_and_ghosts",
    "plan_stage",
    "size_of",
    "slot_bytes",
]

#: Memory of a worker before its first task: interpreter, Dask, Numba and the compiled kernels. Unit: bytes.
BASE_BYTES = 265e6

#: Share of its raw size that a compressed array takes on disk, measured on text dumps with five decimals.
COMPRESSED = {"float64": 0.55, "float32": 0.85, "int64": 0.25, "int8": 0.02, "int16": 0.3, "bool": 0.05, "uint8": 0.02}

#: Neighbours per atom taken for the size of a shell, when the density is that of a metal.
TYPICAL_SHELL = 15

#: Slots per atom that new shells offer; a domain that needs more asks for more.
SLOTS = {"voronoi": 24, "cutoff": 24}


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

    def scaled(self, n_atom: int | None = None, n_step: int | None = None) -> Size:
        """As if the same glass had so many atoms, at its density, and frames."""
        grown = (n_atom / self.n_atom) ** (1 / 3) if n_atom else 1.0
        a, b, c = (grown * height for height in self.height)
        return Size(n_atom or self.n_atom, n_step or self.n_step, self.chunk, (a, b, c))

    @property
    def n_domain(self) -> int:
        """Number of domains."""
        return -(-self.n_atom // self.chunk)

    @property
    def stride(self) -> int:
        """Steps that lie in one file."""
        return schema.steps_in_file(self.n_step)

    @property
    def n_stride(self) -> int:
        """Files that hold all steps of a domain."""
        return -(-self.n_step // self.stride)


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
    bytes_scratch : int
        What lies on the disk besides, until the stage is complete.
    part : str
        What of the stage: the feature set.
    note : str
        What else a user should know before.
    """

    stage: str
    tasks: int
    ghosts: int
    bytes_written: int
    bytes_memory: int
    bytes_scratch: int = 0
    part: str = ""
    note: str = ""


def size_of(root: Arrays) -> Size:
    """Size of the specimen in a store."""
    n_step, n_atom, _ = root["frames/position"].shape
    a, b, c = read_box(root, 0).height.tolist()
    return Size(n_atom, n_step, root["atoms/id"].chunks[0], (a, b, c))


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


def plan_stage(
    stage: str,
    size: Size,
    *,
    work: float,
    tasks: int | None = None,
    ghosts: int = 0,
    n_column: int = 0,
    n_part: int = 0,
    n_slot: int = SLOTS["voronoi"],
    scratch: float = 0.0,
    part: str = "",
) -> StagePlan:
    """Cost of one stage for one specimen, from what the stage knows of its own tasks.

    Parameters
    ----------
    stage : str
        Name of the stage in `qsdask.schema.STAGES`: what it writes is known from there.
    size : Size
        Of the specimen.
    work : float
        Memory of one task beside the process itself. Unit: bytes.
    tasks : int, optional
        One a domain when not given.
    ghosts : int
        Atoms of the halo of one domain, on average.
    n_column : int
        Columns of features.
    n_part : int
        Parts that they are summed to.
    n_slot : int
        Slots of the stored shells.
    scratch : float
        What lies on the disk until the stage is complete. Unit: bytes.
    part : str
        What of the stage: the feature set.

    Returns
    -------
    StagePlan
    """
    sizes = {"step": size.n_step, "atom": size.n_atom, "slot": n_slot, "xyz": 3, "vector": 3}
    sizes |= {"feature": n_column, "part": n_part}
    [groups] = [known.groups for known in schema.STAGES if known.name == stage]
    written = _bytes_written([group.replace("*", "any") for group in groups], sizes)
    return StagePlan(
        stage, size.n_domain if tasks is None else tasks, ghosts, written, int(BASE_BYTES + work), int(scratch), part
    )


def owned_and_ghosts(size: Size, reach: float) -> tuple[int, int]:
    """Atoms of a domain, and of a halo of this reach (angstrom)."""
    owned = min(size.n_atom, size.chunk)
    return owned, mean_ghosts(np.array(size.height), size.n_atom, size.chunk, reach) if reach else 0


def slot_bytes(slots: Mapping[str, int]) -> float:
    """Memory of the shells of one atom while they are made or read. Unit: bytes."""
    return 1.6 * (slots["voronoi"] * (8 + 8 + 8 + 4 + 8 + 3) + slots["cutoff"] * (8 + 8 + 4 + 8 + 3))


def _bytes_written(groups: Sequence[str], sizes: Mapping[str, int]) -> int:
    total = 0.0
    for v in (v for group in groups for v in schema.variables_of(group) if "atom" in v.dims):
        raw = np.prod([sizes[d] for d in v.dims], dtype=float) * np.dtype(v.dtype).itemsize
        # Empty slots cost next to nothing once compressed.
        filled = TYPICAL_SHELL / sizes["slot"] if "slot" in v.dims else 1.0
        total += raw * filled * COMPRESSED[v.dtype]
    return int(total)
