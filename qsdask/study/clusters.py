"""Clusters of hard and of soft atoms, and of as many atoms by chance: sizes, and whether they go through the glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis.connected import Groups, Piece, joined
from qsdask.analysis.counts import described
from qsdask.engine.reading import read_box
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.learn.table import identity_hash
from qsdask.store.reader import StoreReader
from qsdask.study.connected import piece_in, within
from qsdask.study.rows import usable_softness
from qsdask.units import renamed

__all__ = ["clusters_of"]

#: Classes, as labels of connected groups, and who has them.
_PARTS = ("hard", "soft")
_LABELS = ("glass", "chance")

#: Standard deviations on both sides of where a hash is expected, beyond which it is not looked for.
_SIGMAS = 8.0


def clusters_of(
    path: Path,
    rests_on: Sequence[str],
    asked: Mapping,
    limits: tuple[float, float],
    number: np.ndarray,
    key: str,
    run: Run,
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
    limits : (float, float)
        QS below which atoms are hard, and above which they are soft.
    number : int64 array, shape (4,)
        Usable atoms of each of `qsdask.analysis.packing.KINDS`.
    key : str
        Key of the specimen: by it, and their ids, atoms are taken at random.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        Over ``part`` (hard, soft) and ``labels`` (glass, chance): ``n_clustered`` (atoms), ``n_cluster``,
        ``cluster_mean`` (atoms in the cluster of an atom, on average), ``cluster_largest`` and ``cluster_largest_share``
        of the atoms of the class, ``cluster_alone`` (share of atoms
        without a neighbour of their class), ``cluster_spans (axis)`` (whether one meets its own image along the cell vector, or
        goes from end to end where the cell does not repeat), ``cluster_atoms (size_bin)``, share of atoms in clusters of 1, 2 to
        3, 4 to 7 ... atoms.
    """
    cut = _cuts(path, rests_on, {**asked, "key": key}, number, run)
    pieces = reduced(path, rests_on, _part, dict.__or__, run, "clusters", **asked, limits=limits, cut=cut, key=key)
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


class _Hashes(NamedTuple):
    """Of the atoms that may be drawn for each class: how many hashes lie below a window, and those within."""

    below: np.ndarray
    within: tuple[np.ndarray, ...]

    def __add__(self, other: _Hashes) -> _Hashes:  # type: ignore[override]  # counts add up, tuples would join
        within = zip(self.within, other.within, strict=True)
        return _Hashes(self.below + other.below, tuple(np.concatenate(pair) for pair in within))


def _cuts(path: Path, rests_on: Sequence[str], asked: Mapping, number: np.ndarray, run: Run) -> list[int]:
    """Hashes up to which exactly as many atoms are drawn as there are of each class; -1 where that is none.

    Every hash is as likely as any other, so that the one looked for is known to within a few in a million: only these are gathered.
    """
    total = max(int(number[:3].sum()), 1)
    windows = []
    for n in number[1:3].tolist():
        share = n / total
        slack = _SIGMAS * (share * (1.0 - share) / total) ** 0.5 + _SIGMAS / total
        windows.append([_hash_at(share - slack), _hash_at(share + slack)])
    near = reduced(path, rests_on, _hashes, _Hashes.__add__, run, "draw", **asked, windows=windows)
    cuts = []
    for n, below, hashes in zip(number[1:3].tolist(), near.below.tolist(), near.within, strict=True):
        found = np.sort(hashes)[: max(n - below, 0)]
        cuts.append(int(found[-1]) if n and len(found) else -1)
    return cuts


def _hash_at(share: float) -> int:
    """Hash below which such a share of all hashes lies."""
    return 2**64 - 1 if share >= 1.0 else int(max(share, 0.0) * 2.0**64)


def _hashes(
    root: StoreReader, domain: int, *, group: str, label: Mapping, windows: list[list[int]], key: str
) -> _Hashes:
    usable = np.isfinite(usable_softness(root, domain, group, label))
    below, within = [], []
    for (low, high), chance in zip(windows, _chances(root, domain, key), strict=True):
        mine = chance[usable]
        below.append(np.count_nonzero(mine < np.uint64(low)))
        within.append(mine[(mine >= np.uint64(low)) & (mine <= np.uint64(high))])
    return _Hashes(np.array(below), tuple(within))


def _chances(root: StoreReader, domain: int, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Hash by which each atom of a domain is drawn for either class; the same one from both ends, so that none is drawn twice."""
    chance = identity_hash(0, "clusters", 0, key, root["atoms/id"][root.rows(domain)])
    return chance, ~chance


def _part(
    root: StoreReader, domain: int, *, group: str, label: Mapping, limits: tuple[float, float], cut: list[int], key: str
) -> dict[int, tuple[Piece, Piece]]:
    qs = usable_softness(root, domain, group, label)
    by_chance = np.zeros(len(qs), dtype=np.int64)
    for k, (end, chance) in enumerate(zip(cut, _chances(root, domain, key), strict=True), 1):
        if end >= 0:
            by_chance[np.isfinite(qs) & (chance <= np.uint64(end))] = k
    of_glass = np.where(qs < limits[0], 1, np.where(qs > limits[1], 2, 0))
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
    "n_clustered": (lambda of: int(of.size.sum()), "atoms of the class, or drawn"),
    "n_cluster": (lambda of: len(of.size), "clusters"),
    "cluster_largest": (lambda of: int(of.size.max(initial=0)), "atoms of the largest cluster"),
    "cluster_largest_share": (_share, "share of the atoms of the class in the largest cluster"),
    "cluster_mean": (_mean, "atoms in the cluster of an atom, on average"),
    "cluster_alone": (_alone, "share of atoms without a neighbour of their class"),
}
