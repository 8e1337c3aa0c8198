"""Clusters of hard and of soft atoms, and of as many atoms by chance: sizes, and whether they go through the glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis.connected import Groups, Piece, joined
from qsdask.analysis.counts import described
from qsdask.engine.reading import read_box
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.learn.table import identity_hash
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.store.reader import StoreReader
from qsdask.study.connected import piece_in, within
from qsdask.study.rows import usable_softness
from qsdask.units import renamed

__all__ = ["clusters_of"]

#: Classes, as labels of connected groups, and who has them.
_PARTS = ("hard", "soft")
_LABELS = ("glass", "chance")


def clusters_of(
    path: Path, rests_on: Sequence[str], asked: Mapping, number: np.ndarray, key: str, run: Run
) -> xr.Dataset:
    """Clusters of neighbours that are hard, or soft, beside those of as many atoms by chance.

    Parameters
    ----------
    path : Path
        Root of the store.
    rests_on : sequence of str
        Ledgers of what is read.
    asked : mapping
        ``group`` of the softness, ``label`` of the model.
    number : int64 array, shape (4,)
        Usable atoms of each of `qsdask.analysis.packing.KINDS`.
    key : str
        Key of the specimen: by it, and their ids, atoms are taken at random.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        Over ``part`` (hard, soft) and ``labels`` (glass, chance): ``n_cluster``, ``cluster_mean`` (atoms in the cluster of an atom,
        on average), ``cluster_largest`` and ``cluster_largest_share`` of the atoms of the class, ``cluster_alone`` (share of atoms
        without a neighbour of their class), ``cluster_spans (axis)`` (whether one meets its own image along the cell vector, or
        goes from end to end where the cell does not repeat), ``cluster_atoms (size_bin)``, share of atoms in clusters of 1, 2 to
        3, 4 to 7 ... atoms.
    """
    shares = number[1:3] / max(int(number[:3].sum()), 1)
    first, last = (min(int(share * 2**53) * 2**11, 2**64 - 1) for share in shares)
    cut = [first, 2**64 - 1 - last]
    fixed = {**asked, "cut": cut, "key": key}
    pieces = reduced(path, rests_on, _part, dict.__or__, run, "clusters", **fixed)
    root = StoreReader(path)
    box = read_box(root, 0)
    groups = [joined({domain: found[k] for domain, found in pieces.items()}) for k in range(len(_LABELS))]
    shell = within(path)
    every = [[groups[k].of(label) for k in range(len(_LABELS))] for label in (1, 2)]
    low = np.concatenate([part.low for part in groups]).min(axis=0, initial=np.inf)
    high = np.concatenate([part.high for part in groups]).max(axis=0, initial=-np.inf)
    table = {name: np.array([[tell(of) for of in row] for row in every]) for name, (tell, _) in _TOLD.items()}
    n_size = int(np.log2(max(int(table["cluster_largest"].max()), 1))) + 1
    sized = np.array([[_by_size(of, n_size) for of in row] for row in every])
    spans = np.array([[_spans(of, low, high, shell / box.height, box.periodic) for of in row] for row in every])
    return xr.Dataset(
        {
            **{name: described(table[name], ("part", "labels"), text) for name, (_, text) in _TOLD.items()},
            "cluster_spans": described(
                spans, ("part", "labels", "axis"), "whether a cluster goes through the glass along the cell vector"
            ),
            "cluster_atoms": described(sized, ("part", "labels", "size_bin"), "share of atoms in clusters of a size"),
        },
        {
            "part": described(np.array(_PARTS), "part", "class of the atoms"),
            "labels": described(
                np.array(_LABELS), "labels", "classes of this glass, or as many atoms of each taken at random"
            ),
            "axis": described(np.array(["a", "b", "c"]), "axis", "cell vector"),
            "size_low": described(2 ** np.arange(n_size), "size_bin", "least size, to twice as much less one"),
        },
        {renamed("neighbours_within_angstrom", root.length): shell},
    )


def _part(
    root: StoreReader, domain: int, *, group: str, label: Mapping, cut: list[int], key: str
) -> dict[int, tuple[Piece, Piece]]:
    qs = usable_softness(root, domain, group, label)
    chance = identity_hash(0, "clusters", 0, key, root["atoms/id"][root.rows(domain)])
    first, last = (np.uint64(end) for end in cut)
    by_chance = np.where(np.isnan(qs), 0, np.where(chance < first, 1, np.where(chance > last, 2, 0)))
    of_glass = np.where(qs < HARD_BELOW, 1, np.where(qs > SOFT_ABOVE, 2, 0))
    one = np.ones(len(qs), dtype=np.int64)
    return {domain: (piece_in(root, domain, of_glass, one), piece_in(root, domain, by_chance, one))}


def _spans(of: Groups, low: np.ndarray, high: np.ndarray, tolerance: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """Whether a cluster goes through along each cell vector."""
    if not len(of.size):
        return np.zeros(3, dtype=bool)
    through = (of.low <= low + tolerance) & (of.high >= high - tolerance)
    return np.where(periodic, of.winding.any(axis=0), through.any(axis=0))


def _by_size(of: Groups, n_size: int) -> np.ndarray:
    """Share of the atoms in clusters of 1, 2 to 3, 4 to 7 ... atoms; NaN without atoms."""
    bins = np.floor(np.log2(of.size)).astype(np.int64)
    atoms = np.bincount(bins, of.size, minlength=n_size)
    return atoms / atoms.sum() if len(of.size) else np.full(n_size, np.nan)


def _mean(of: Groups) -> float:
    return float((of.size**2).sum() / of.size.sum()) if len(of.size) else np.nan


def _share(of: Groups) -> float:
    return float(of.size.max() / of.size.sum()) if len(of.size) else np.nan


def _alone(of: Groups) -> float:
    return float((of.size == 1).sum() / of.size.sum()) if len(of.size) else np.nan


_TOLD = {
    "n_cluster": (lambda of: len(of.size), "clusters"),
    "cluster_largest": (lambda of: int(of.size.max(initial=0)), "atoms of the largest cluster"),
    "cluster_largest_share": (_share, "share of the atoms of the class in the largest cluster"),
    "cluster_mean": (_mean, "atoms in the cluster of an atom, on average"),
    "cluster_alone": (_alone, "share of atoms without a neighbour of their class"),
}
