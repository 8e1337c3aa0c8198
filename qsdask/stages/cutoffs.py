"""Cut-offs: the first minimum of g(r), where a user asks for it, and a word where a cut-off cannot be meant.

Both are counts over all domains, so that nothing depends on how the work is cut. g(r) is that of all atoms together, up to
a factor: neither the density nor the volume that a free surface leaves empty is needed to find its minimum.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import read_box
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError
from qsdask.kernels.cells import neighbour_shell
from qsdask.settings import RespondSettings, ShellSettings
from qsdask.settings.base import AUTO
from qsdask.store.reader import StoreReader

__all__ = ["MOST_IN_RESPONSE", "MOST_IN_SHELL", "cutoff_warnings", "first_minimum", "half_box_warning", "resolved"]

#: How far g(r) is counted, its bins, and the standard deviation of its smoothing, in distances between atoms: the cube root
#: of the volume of one. In metals, glass or crystal, first neighbours are 0.9 to 1.15 of it away.
_REACH, _WIDTH, _SMOOTH = 2.8, 0.005, 0.05

#: Nearest distance of neighbours, in distances between atoms; a first peak is at least this share of the highest.
_NEAREST, _HIGH = 0.4, 0.5

#: The first minimum lies below the mean of g(r) from the first peak up to this multiple of its distance.
_AROUND = 2.5

#: So far below that mean it lies, as a share of it, and by so many standard deviations of the number of pairs.
_DEEP, _CLEAR = 0.1, 5.0

#: Mean numbers of neighbours beyond which a cut-off is hardly meant: 13 to 15 are within the first minimum of g(r), some 45
#: within the second shell, which a response may be asked to take in, and a shell of neighbours not.
MOST_IN_SHELL, MOST_IN_RESPONSE = 40, 80

#: Fewer span no affine map, nor a polyhedron around an atom.
_FEWEST = 4

#: Share of bonds that says that radii are of another unit.
_NEARLY_ALL = 0.99

#: Atoms looked at, if a specimen has more: the domains are taken evenly.
_SAMPLE = 1 << 18

S = TypeVar("S", ShellSettings, RespondSettings)


class _Counts(NamedTuple):
    """Counts of atoms and bonds, which add up.

    Attributes
    ----------
    atoms, bonds : int
    inside : int
        Bonds shorter than the sum of the two radii.
    far : int
        Bonds longer than twice that sum.
    """

    atoms: int
    bonds: int
    inside: int
    far: int


def resolved(settings: S, path: Path, run: Run) -> S:
    """Settings whose cut-off is a number, that of `first_minimum` where they say ``auto``."""
    if settings.cutoff_angstrom != AUTO:
        return settings
    return settings.model_copy(update={"cutoff_angstrom": first_minimum(path, run)})


def first_minimum(path: Path, run: Run) -> float:
    """Where the first shell of neighbours of the undeformed glass ends: the first minimum of g(r) of all atoms.

    Parameters
    ----------
    path : Path
        Root of the store.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    float
        In the unit of the store, three decimals: the same however the work is cut.

    Raises
    ------
    BadDataError
        ``E-NO-MINIMUM`` when g(r) has none, as in a gas.

    Notes
    -----
    Pairs are counted in bins of 0.005 distances between atoms and smoothed by 0.05 of them. Behind the first peak that is
    at least half as high as the highest, g(r) falls below its mean around there, and rises above it again: its lowest
    place in between, the middle if there are several. Peaks of single pairs of species, as Cu-Cu before Cu-Zr, are parts
    of one first peak as long as g(r) between them does not fall below that mean.
    """
    root = StoreReader(path)
    spacing = _spacing(root)
    width, n_bin = _WIDTH * spacing, round(_REACH / _WIDTH)
    fixed = {"width": width, "n_bin": n_bin}
    count = reduced(path, ("ingest",), _pair_counts, np.add, run, "g(r)", **fixed)
    found = minimum_of(count)
    if found is None:
        raise BadDataError(
            "g(r) of the undeformed glass has no clear first minimum",
            code="E-NO-MINIMUM",
            file=path,
            why=f"looked at up to {_REACH * spacing:.3g} {root.length}, 2.8 mean distances between atoms",
            hint=f"give a number instead: --cutoff {1.45 * spacing:.2g}, or what suits this specimen",
        )
    return round(found * width, 3)


def minimum_of(count: np.ndarray) -> float | None:
    """First minimum of a distribution of distances.

    Parameters
    ----------
    count : int array, shape (n_bin,)
        Pairs in bins of equal width from distance 0 on; 1 / 0.005 bins are a mean distance between atoms.

    Returns
    -------
    float or None
        In widths of a bin. None when there is no minimum.
    """
    r = np.arange(len(count)) + 0.5
    spread = _SMOOTH / _WIDTH
    kernel = np.exp(-0.5 * (np.arange(-4 * spread, 4 * spread + 1) / spread) ** 2)
    smooth = np.convolve(count / r**2, kernel / kernel.sum(), mode="same")
    # Beyond, smoothing misses what is farther than the last bin.
    last = len(count) - int(4 * spread)
    tops = 1 + np.flatnonzero((smooth[1 : last - 1] > smooth[: last - 2]) & (smooth[1 : last - 1] >= smooth[2:last]))
    tops = tops[r[tops] > _NEAREST / _WIDTH]
    high = tops[smooth[tops] >= _HIGH * smooth[tops].max(initial=0.0)]
    if not len(high):
        return None
    first = int(high[0])
    around = slice(first, min(int(_AROUND * first), last))
    level = count[around].sum() / (r[around] ** 2).sum()
    below = first + np.flatnonzero(smooth[first:last] < level)
    if not len(below):
        return None
    again = below[0] + np.flatnonzero(smooth[below[0] : last] >= level)
    if not len(again):
        return None
    shell = smooth[below[0] : again[0]]
    lowest = below[0] + np.flatnonzero(shell == shell.min())
    place = float(r[lowest[0]] + r[lowest[-1]]) / 2.0
    # Each pair is counted from both ends; the smoothing is as wide as so many bins of equal weight.
    pairs = 0.5 * level * place**2 * 2.0 * np.sqrt(np.pi) * spread
    return place if 1.0 - shell.min() / level > max(_DEEP, _CLEAR / np.sqrt(pairs)) else None


def _spacing(root: StoreReader) -> float:
    """Cube root of the volume of an atom, in the box of the outermost atoms."""
    bounds = root["domains/bounds"][0]
    extent = np.nanmax(bounds[:, 1], axis=0) - np.nanmin(bounds[:, 0], axis=0)
    volume = abs(np.linalg.det(read_box(root, 0).cell)) * extent.prod()
    return float(volume / root["atoms/id"].shape[0]) ** (1.0 / 3.0)


def _pair_counts(root: StoreReader, domain: int, *, width: float, n_bin: int) -> np.ndarray:
    """Neighbours of the atoms of a domain by their distance."""
    reach = width * n_bin
    block = halo_block(root, domain, reach)
    shell = neighbour_shell(block.position, block.order, block.n_owned, reach)
    bins = (shell.distance[np.isfinite(shell.distance)] / width).astype(np.int64)
    return np.bincount(np.minimum(bins, n_bin - 1), minlength=n_bin)


def cutoff_warnings(path: Path, cutoff: float, run: Run, *, most: int, frame: int = 0) -> list[dict[str, str]]:
    """What is odd about a cut-off, and about the radii of the atoms within it.

    Parameters
    ----------
    path : Path
        Root of the store.
    cutoff : float
        In the unit of the store.
    run : Run
        Cluster, workers, progress.
    most : int
        Mean number of neighbours that is not odd yet.
    frame : int
        Whose atoms.

    Returns
    -------
    list of dict
        ``code`` and ``text``: ``W-MANY-NEIGHBOURS``, ``W-FEW-NEIGHBOURS``, ``W-RADII``, ``W-HALF-BOX``.
    """
    root = StoreReader(path)
    n_domain = root.n_domain
    wanted = min(n_domain, -(-_SAMPLE * n_domain // root["atoms/id"].shape[0]))
    domains = np.unique(np.linspace(0, n_domain - 1, wanted).astype(int)).tolist()
    fixed = {"cutoff": cutoff, "frame": frame, "domains": domains}
    found = _Counts(*reduced(path, ("ingest",), _bonds, _added, run, "neighbours", **fixed))
    told = [*half_box_warning(root, cutoff, f"the cut-off {cutoff:g} {root.length}", frame)]
    mean = found.bonds / max(found.atoms, 1)
    if mean > most or mean < _FEWEST:
        many = "MANY" if mean > most else "FEW"
        told.append(
            _warning(
                f"W-{many}-NEIGHBOURS",
                f"{mean:.3g} atoms on average are within the cut-off {cutoff:g} {root.length}, where 12 to 15 are usual and "
                f"{_FEWEST} to {most} no cause for doubt: are cut-off and file in {root.length} ('qsdask ingest --units')? "
                "--cutoff auto takes the first minimum of g(r)",
            )
        )
    for count, how in ((found.inside, "shorter than"), (found.far, "longer than twice")):
        # The bonds of a cut-off that is too short are short, whatever the radii.
        if mean >= _FEWEST and count >= _NEARLY_ALL * found.bonds:
            told.append(
                _warning(
                    "W-RADII",
                    f"{count / found.bonds:.0%} of the bonds within {cutoff:g} {root.length} are {how} the sum of the radii "
                    f"of their atoms: are the radii in {root.length}? 'qsdask ingest --radius' gives others",
                )
            )
    return told


def half_box_warning(root: StoreReader, reach: float, what: str, frame: int = 0) -> list[dict[str, str]]:
    """``W-HALF-BOX`` where a distance is beyond half of the box along a periodic axis; else nothing."""
    box = read_box(root, frame)
    height = np.where(box.periodic, box.height, np.inf)
    thinnest = float(height.min())
    if reach <= 0.5 * thinnest:
        return []
    return [
        _warning(
            "W-HALF-BOX",
            f"{what} is beyond half of the box, {0.5 * thinnest:.4g} along {'abc'[int(height.argmin())]}: several images of one "
            "atom are neighbours. They are counted as in a crystal of such boxes, but they are one atom and move alike",
        )
    ]


def _bonds(root: StoreReader, domain: int, *, cutoff: float, frame: int, domains: list[int]) -> tuple[int, ...]:
    if domain not in domains:
        return _Counts(0, 0, 0, 0)
    block = halo_block(root, domain, cutoff, frame)
    shell = neighbour_shell(block.position, block.order, block.n_owned, cutoff)
    there = shell.neighbour >= 0
    touching = (block.radius[: block.n_owned, None] + block.radius[shell.neighbour])[there]
    distance = shell.distance[there]
    inside, far = (distance < touching).sum(), (distance > 2.0 * touching).sum()
    return _Counts(block.n_owned, int(there.sum()), int(inside), int(far))


def _added(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, two, strict=True))


def _warning(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}
