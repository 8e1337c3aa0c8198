"""How the atoms of a class pack: mass scaling and its dimension, and g(r), from whole-number pair counts by block of space.

M(r) is the mean number of atoms within r of an atom of a class; the centre itself does not count, unless it is asked for: of an
ideal gas M(r) then grows with the third power of r from the first bin on. Where a border is near, an atom is a centre only for
the distances up to which all around it is known, so that free surfaces make neither M(r) nor g(r) smaller.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsdask.analysis.counts import described

__all__ = [
    "CLASSES",
    "GROUPS",
    "KINDS",
    "N_POINT",
    "PAIRS",
    "centres_of",
    "flat",
    "kinds_of",
    "packing",
    "quantities",
    "unflat",
]

#: Classes of atoms in pair counts: between hard and soft, hard, soft, and of unknown softness.
KINDS = ("other", "hard", "soft", "unknown")

#: What is told of: atoms of a class as centres and around them.
GROUPS = {"hard": (1,), "soft": (2,), "all": (0, 1, 2, 3)}
CLASSES = tuple(GROUPS)

#: Pairs of which g(r) is told.
PAIRS = (("hard", "hard"), ("soft", "soft"), ("hard", "soft"), ("all", "all"))

#: Distances, evenly in their logarithm, through which the straight line of a range is drawn.
N_POINT = 24

#: Factor between the distances from which a local dimension is taken.
_LOCAL = 1.15


def kinds_of(qs: np.ndarray, hard: float, soft: float) -> np.ndarray:
    """Class of each atom, int64, shape (n,): a place in `KINDS`; QS is NaN where it is unknown."""
    return np.where(np.isnan(qs), 3, np.where(qs < hard, 1, np.where(qs > soft, 2, 0)))


def flat(pairs: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Counts of `qsdask.kernels.pairs.class_pairs`, one row for each group: int64, shape (n_group, n_column)."""
    return np.concatenate([part.reshape(len(part), np.prod(part.shape[1:])) for part in (pairs, centres)], axis=1)


def unflat(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `flat` put together: pairs (..., kind, kind, bin) and centres (..., kind, bin)."""
    n = len(KINDS)
    n_bin = count.shape[-1] // (n * n + n)
    pairs, centres = np.split(count, [n * n * n_bin], axis=-1)
    return pairs.reshape(*count.shape[:-1], n, n, n_bin), centres.reshape(*count.shape[:-1], n, n_bin)


def centres_of(count: np.ndarray) -> dict[str, np.ndarray]:
    """Centres of each class by bin, shape (..., n_bin)."""
    _, centres = unflat(count)
    return {name: centres[..., list(kinds), :].sum(axis=-2) for name, kinds in GROUPS.items()}


def quantities(
    count: np.ndarray,
    edges: np.ndarray,
    density: np.ndarray,
    ranges: Sequence[tuple[float, float]],
    *,
    own: bool = True,
    with_centre: bool = False,
) -> dict[str, np.ndarray]:
    """Mass, dimensions and g(r) from sums of counts of blocks.

    Parameters
    ----------
    count : float64 array, shape (n_draw, n_column)
        Sums of rows of `flat`.
    edges : float64 array, shape (n_bin + 1,)
        Of the bins of distance, from 0 on. Unit: angstrom.
    density : float64 array, shape (n_class,)
        Atoms of each of `CLASSES` per volume. Unit: angstrom^-3.
    ranges : sequence of (float, float)
        Of which a dimension is wanted. Unit: angstrom.
    own : bool
        Count atoms of the class of the centre; all atoms otherwise.
    with_centre : bool
        Count the centre, too.

    Returns
    -------
    dict of str to float64 array, shape (n_draw, ...)
        ``mass (class, r)`` at the upper edges; ``dimension (class, range)``, slope of ln M against ln r by least squares;
        ``dimension_excess (class, range)``, that less the slope of all atoms around all; ``dimension_local (class, r)``;
        ``g (pair, r)``. NaN where there is no centre, or no atom within.
    """
    pairs = unflat(count)[0]
    shell = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    number = centres_of(count)
    mass, g = [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        around = {
            (one, two): pairs[..., list(GROUPS[one]), :, :][..., list(GROUPS[two]), :].sum(axis=(-3, -2)) / number[one]
            for one, two in {*PAIRS, *((name, "all") for name in CLASSES), *((name, name) for name in CLASSES)}
        }
        for name in CLASSES:
            mass.append(np.cumsum(around[name, name if own else "all"], axis=-1) + with_centre)
        for one, two in PAIRS:
            g.append(around[one, two] / (density[CLASSES.index(two)] * shell))
    every = np.stack(mass, axis=-2)
    dimension = np.stack([_slope(every, edges[1:], low, high) for low, high in ranges], axis=-1)
    return {
        "mass": every,
        "dimension": dimension,
        "dimension_excess": dimension - dimension[..., -1:, :],
        "dimension_local": _local(every, edges[1:]),
        "g": np.stack(g, axis=-2),
    }


def _log_mass(mass: np.ndarray, edge: np.ndarray, r: np.ndarray) -> np.ndarray:
    """ln M at distances between edges, linear in ln r there; NaN beyond the bins, and where M is zero on one side."""
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.log(mass)
    known = np.where(np.isfinite(known), known, np.nan)
    after = np.clip(np.searchsorted(edge, r * (1.0 - 1e-12)), 1, len(edge) - 1)
    part = np.log(r / edge[after - 1]) / np.log(edge[after] / edge[after - 1])
    inside = (r >= edge[0] * (1.0 - 1e-12)) & (r <= edge[-1] * (1.0 + 1e-12))
    return np.where(inside, known[..., after - 1] * (1.0 - part) + known[..., after] * part, np.nan)


def _slope(mass: np.ndarray, edge: np.ndarray, low: float, high: float) -> np.ndarray:
    """Slope of ln M against ln r between two distances, by least squares."""
    r = np.geomspace(low, high, N_POINT)
    x = np.log(r) - np.log(r).mean()
    return (_log_mass(mass, edge, r) * x).sum(axis=-1) / (x * x).sum()


def _local(mass: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Slope of ln M about each edge, between distances a factor apart."""
    half = np.sqrt(_LOCAL)
    rise = _log_mass(mass, edge, edge * half) - _log_mass(mass, edge, edge / half)
    return rise / np.log(_LOCAL)


def packing(
    found: dict[str, np.ndarray],
    number: dict[str, np.ndarray],
    edges: np.ndarray,
    ranges: Sequence[tuple[float, float]],
) -> xr.Dataset:
    """The answer as a Dataset: what `quantities` found of all blocks together, without the dimension of draws.

    Parameters
    ----------
    found : dict of str to float64 array
        Of `quantities`.
    number : dict of str to int64 array, shape (n_bin,)
        Of `centres_of`.
    edges, ranges
        As of `quantities`.
    """
    meaning = {
        "mass": (("class", "r"), "M(r): mean number of atoms within r of an atom of the class"),
        "dimension": (("class", "range"), "D: slope of ln M against ln r in the range"),
        "dimension_excess": (("class", "range"), "D less that of all atoms"),
        "dimension_local": (("class", "r"), "local slope of ln M against ln r"),
        "g": (("pair", "shell"), "g(r): second class around the first, by the density of the second"),
    }
    low, high = np.array(ranges).reshape(-1, 2).T
    return xr.Dataset(
        {
            **{name: described(found[name], dims, text) for name, (dims, text) in meaning.items()},
            "centres": described(
                np.stack([number[name] for name in CLASSES]),
                ("class", "shell"),
                "atoms that are centres: all around them is known as far as the shell",
            ),
        },
        {
            "class": described(np.array(CLASSES), "class", "class of the atoms"),
            "pair": described(np.array(["-".join(pair) for pair in PAIRS]), "pair", "centre and what is around it"),
            "r": described(edges[1:], "r", "distance from the centre", "angstrom"),
            "shell_r": described((edges[1:] + edges[:-1]) / 2.0, "shell", "middle of the shell", "angstrom"),
            "range_low": described(low, "range", "lower end of the range", "angstrom"),
            "range_high": described(high, "range", "upper end of the range", "angstrom"),
        },
    )
