"""What a run will cost, before anything runs: tasks, ghosts, bytes on disk, memory of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qsdask import schema

__all__ = ["StagePlan", "leaf_edges", "mean_ghosts", "plan_stages"]

#: Memory of a worker before its first task: interpreter, Dask, Numba and the compiled kernels. Unit: bytes.
BASE_BYTES = 330e6

#: Share of its raw size that a compressed array takes on disk, measured on text dumps with five decimals.
COMPRESSED = {
    "float64": 0.55,
    "float32": 0.85,
    "int64": 0.25,
    "int8": 0.02,
    "int16": 0.3,
    "bool": 0.05,
    "uint8": 0.02,
}

#: Neighbours per atom taken for the size of a shell, when the density is that of a metal.
TYPICAL_SHELL = 15


@dataclass(frozen=True)
class StagePlan:
    """Cost of one stage.

    Attributes
    ----------
    stage : str
        Name of the stage.
    tasks : int
        (step, domain) tasks.
    ghosts : int
        Atoms of the halo of one domain, on average.
    bytes_written : int
        Expected size on disk.
    bytes_memory : int
        Expected peak memory of a worker process while it runs one task.
    """

    stage: str
    tasks: int
    ghosts: int
    bytes_written: int
    bytes_memory: int


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


def plan_stages(
    n_atom: int,
    n_step: int,
    edges: np.ndarray,
    chunk: int,
    *,
    reach: Mapping[str, float],
    n_short: int,
    slots: Mapping[str, int],
) -> list[StagePlan]:
    """Cost of every stage of the main job for one specimen.

    Parameters
    ----------
    n_atom, n_step : int
        Size of the trajectory.
    edges : float array, shape (3,)
        Heights of the reference cell. Unit: angstrom.
    chunk : int
        Atoms per domain.
    reach : mapping of str to float
        Halo of the stages ``shells`` and ``respond``. Unit: angstrom.
    n_short : int
        Short-range columns of the feature set.
    slots : mapping of str to int
        Slots of the shells ``voronoi`` and ``cutoff``.

    Returns
    -------
    list of StagePlan
        In the order of computation.
    """
    owned = min(n_atom, chunk)
    n_domain = -(-n_atom // chunk)
    ghosts = {name: mean_ghosts(edges, n_atom, chunk, r) for name, r in reach.items()}
    around = mean_ghosts(edges, n_atom, chunk, 5.0)
    sizes = {
        "step": n_step,
        "atom": n_atom,
        "slot": slots["voronoi"],
        "xyz": 3,
        "vector": 3,
        "feature": 5 * n_short,
    }

    def written(*groups: str) -> int:
        total = 0.0
        for group in groups:
            for v in schema.variables_of(group):
                if "atom" in v.dims:
                    raw = np.prod([sizes[d] for d in v.dims], dtype=float) * np.dtype(v.dtype).itemsize
                    # Empty slots cost next to nothing once compressed.
                    filled = TYPICAL_SHELL / sizes["slot"] if "slot" in v.dims else 1.0
                    total += raw * filled * COMPRESSED[v.dtype]
        return int(total)

    slot_bytes = (slots["voronoi"] * (8 + 8 + 8 + 4 + 8 + 3) + slots["cutoff"] * (8 + 8 + 4 + 8 + 3)) * 1.6
    work = {
        "ingest": n_atom * (24 * 4 + 8 * 3 + 60) / 1.0,
        "shells": (owned + ghosts["shells"]) * 140 + owned * slot_bytes,
        "features": (owned + around) * (110 + 8 * n_short) + owned * (slot_bytes + 8 * n_short * 10),
        "respond": (owned + ghosts["respond"]) * 170 + owned * slots["cutoff"] * 20 + owned * 150,
        "predict": owned * n_short * 5 * 12,
    }
    groups = {
        "ingest": ("atoms", "frames"),
        "shells": ("shells/voronoi", "shells/cutoff"),
        "features": ("features/interstice",),
        "respond": ("response/d2min",),
        "predict": ("softness/model",),
    }
    tasks = {
        "ingest": n_step,
        "shells": n_domain,
        "features": 2 * n_domain,
        "respond": n_step * n_domain,
        "predict": n_domain,
    }
    halo = {"shells": ghosts["shells"], "features": around, "respond": ghosts["respond"]}
    return [
        StagePlan(name, tasks[name], halo.get(name, 0), written(*groups[name]), int(BASE_BYTES + work[name]))
        for name in ("ingest", "shells", "features", "respond", "predict")
    ]
