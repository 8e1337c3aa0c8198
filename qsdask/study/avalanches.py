"""Avalanches: neighbours that become plastic for the first time at the same step, with their softness before any strain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis.connected import Piece, joined
from qsdask.analysis.counts import QUANTUM, described, quanta
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.store.reader import StoreReader
from qsdask.study.connected import piece_in
from qsdask.study.rows import usable_softness

__all__ = ["avalanches"]


def avalanches(path: Path, rests_on: Sequence[str], fixed: Mapping, n_step: int, run: Run) -> xr.Dataset:
    """Connected groups of newly plastic atoms of every step.

    Parameters
    ----------
    path : Path
        Root of the store.
    rests_on : sequence of str
        Ledgers of what is read.
    fixed : mapping
        ``group``, ``label`` and ``threshold``, as of `qsdask.study.activation.activation_asked`.
    n_step : int
        Frames.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        Over ``step``: ``n_avalanche``, ``avalanche_largest`` (atoms), ``avalanche_mean`` (atoms in the avalanche of an atom, on
        average), ``avalanche_qs_largest`` (mean QS of the largest; of several of one size of the first). Over ``size_bin``, of 1, 2
        to 3, 4 to 7 ... atoms, all steps together: ``avalanche_count``, ``avalanche_qs``, mean QS of their atoms.
    """
    pieces = reduced(path, rests_on, _part, dict.__or__, run, "avalanches", **fixed)
    groups = joined(pieces)
    step = groups.label - 1
    number, atoms = (np.bincount(step, weight, n_step) for weight in (None, groups.size))
    largest, mean_qs = np.zeros(n_step, dtype=np.int64), np.full(n_step, np.nan)
    qs = groups.total * QUANTUM / groups.size
    # Of the smallest to the largest, so that the last one written is the largest; of equals the first.
    for k in np.lexsort((-np.arange(len(step)), groups.size)):
        largest[step[k]], mean_qs[step[k]] = groups.size[k], qs[k]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_size = np.bincount(step, groups.size.astype(np.float64) ** 2, n_step) / atoms
        sizes = np.floor(np.log2(groups.size)).astype(np.int64)
        n_size = int(sizes.max(initial=0)) + 1
        of_size = np.bincount(sizes, groups.size, n_size)
        qs_of_size = np.bincount(sizes, groups.total * QUANTUM, n_size) / of_size
    return xr.Dataset(
        {
            "n_avalanche": described(number.astype(np.int64), "step", "groups of neighbours that are newly plastic"),
            "avalanche_largest": described(largest, "step", "atoms of the largest of them"),
            "avalanche_mean": described(mean_size, "step", "atoms in the group of a newly plastic atom, on average"),
            "avalanche_qs_largest": described(mean_qs, "step", "mean QS of the largest group"),
            "avalanche_count": described(
                np.bincount(sizes, minlength=n_size), "size_bin", "groups of a size, at all steps"
            ),
            "avalanche_qs": described(qs_of_size, "size_bin", "mean QS of the atoms in groups of a size"),
        },
        {"size_low": described(2 ** np.arange(n_size), "size_bin", "least size, to twice as much less one")},
    )


def _part(root: StoreReader, domain: int, *, group: str, label: Mapping, threshold: float) -> dict[int, Piece]:
    rows = root.rows(domain)
    qs = usable_softness(root, domain, group, label)
    d2, valid = (root[f"response/d2min/{name}"][:, rows] for name in ("d2min", "valid"))
    plastic = np.isfinite(qs) & valid.astype(bool) & (d2 > threshold)
    first = np.where(plastic.any(axis=0), plastic.argmax(axis=0) + 1, 0)
    return {domain: piece_in(root, domain, first, quanta(qs))}
