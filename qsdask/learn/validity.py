"""Where a model knows its way about: how far an atom's features are from those of the training atoms of its species."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsdask.errors import BadDataError
from qsdask.kernels.whitened import cholesky_of_cloud, squared_distance

__all__ = [
    "REFUSED_ABOVE",
    "WARNED_ABOVE",
    "Cloud",
    "clouds_of",
    "clouds_read",
    "count_outside",
    "outside",
    "refuse_outside",
    "share_sampled",
]

#: Quantile of the distances of the training atoms that counts as their rim.
QUANTILE = 0.99

#: Share of a column's variance below which it is taken to follow from others.
LEAST_OWN = 1e-3

#: Training atoms that are looked at, about, where there are more.
LARGEST_SAMPLE = 40_000

#: Share of atoms farther out than the rim above which softness is told to be doubtful; 1 % is what the rim is made of.
WARNED_ABOVE = 0.05

#: Share above which softness is refused.
REFUSED_ABOVE = 0.5

#: Rows for each column below which the cloud of a species is that of all species together.
ENOUGH_ROWS = 5


@dataclass(frozen=True, eq=False)
class Cloud:
    """Features of the training atoms of one species.

    Attributes
    ----------
    column : int64 array, shape (rank,)
        Columns of the model that count; others follow from them.
    mean, scale : float64 array, shape (rank,)
        Mean and standard deviation of each.
    factor : float64 array, shape (rank, rank)
        Lower Cholesky factor of their correlation.
    rim : float
        Distance within which 99 % of the training atoms lie.
    """

    column: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    rim: float

    def record(self) -> dict[str, Any]:
        """JSON values; the factor row by row, without what is zero."""
        rows = [self.factor[k, : k + 1].tolist() for k in range(len(self.column))]
        return {
            "column": self.column.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "factor": rows,
            "rim": self.rim,
        }


def share_sampled(n_usable: int) -> float:
    """Share of the training atoms, by a hash of their identity, that `clouds_of` should see."""
    return min(1.0, LARGEST_SAMPLE / max(n_usable, 1))


def clouds_of(value: Mapping[str, np.ndarray]) -> dict[str, Cloud]:
    """The cloud of every species.

    Parameters
    ----------
    value : mapping of str to float32 array, shape (n, n_feature)
        For every species features of training atoms in canonical order, all finite.

    Returns
    -------
    dict of str to Cloud
        A species of few atoms gets the cloud of all together; empty when these are too few as well.
    """
    there = {name: rows for name, rows in sorted(value.items()) if len(rows)}
    if not there:
        return {}
    every = np.concatenate(list(there.values()))
    enough = ENOUGH_ROWS * every.shape[1]
    if len(every) < enough:
        return {}
    whole = _cloud(every)
    return {name: _cloud(rows) if len(rows) >= enough else whole for name, rows in there.items()}


def _cloud(value: np.ndarray) -> Cloud:
    value = value.astype(np.float64)
    mean = value.mean(axis=0)
    scale = np.sqrt(np.square(value - mean).mean(axis=0))
    z = np.divide(value - mean, scale, out=np.zeros_like(value), where=scale > 0.0)
    column, factor = cholesky_of_cloud(z, LEAST_OWN)
    kept = Cloud(column, _short(mean[column]), _short(scale[column]), _short(factor), 1.0)
    rim = float(_short(np.quantile(_distance(kept, value), QUANTILE)))
    return Cloud(kept.column, kept.mean, kept.scale, kept.factor, rim)


def _short(number: Any) -> np.ndarray:
    """Numbers as they are kept: six digits; the distance is defined by what is kept."""
    return np.vectorize(lambda x: float(f"{x:.6g}"), otypes=[np.float64])(number)


def _distance(cloud: Cloud, value: np.ndarray) -> np.ndarray:
    return np.sqrt(squared_distance(value, cloud.column, cloud.mean, cloud.scale, cloud.factor))


def outside(clouds: Mapping[str, Cloud], value: np.ndarray, species: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Distance of atoms from the training atoms of their species, in units of the rim of these.

    Parameters
    ----------
    clouds : mapping of str to Cloud
        Of the model.
    value : float array, shape (n, n_feature)
        Features, columns in the order of the model.
    species : int array, shape (n,)
        Index into `names`.
    names : sequence of str
        Chemical symbols.

    Returns
    -------
    float64 array, shape (n,)
        Above 1: farther out than 99 % of the training atoms. Infinite for a species that the model never saw, NaN without
        features, and throughout for a model that keeps no clouds.
    """
    out = np.full(len(value), np.nan)
    known = np.isfinite(value).all(axis=1)
    for k, name in enumerate(names) if clouds else ():
        rows = np.flatnonzero(known & (species == k))
        if len(rows):
            found = clouds.get(name)
            out[rows] = np.inf if found is None else _distance(found, value[rows]) / found.rim
    return out


def count_outside(distance: np.ndarray) -> tuple[int, int]:
    """Atoms beyond the rim, and atoms whose distance is known."""
    return int((distance > 1.0).sum()), int((~np.isnan(distance)).sum())


def refuse_outside(
    n_outside: int, n_known: int, name: str, *, accepted: bool = False, strictly: bool = False
) -> list[str]:
    """Judge a glass by the number of its atoms beyond the rim.

    Parameters
    ----------
    n_outside, n_known : int
        Atoms beyond the rim, and atoms whose distance is known.
    name : str
        Of the model, for messages.
    accepted : bool
        Only warn, whatever the share.
    strictly : bool
        Refuse what would be warned of.

    Returns
    -------
    list of str
        Nothing, or one warning.

    Raises
    ------
    BadDataError
        ``E-OUT-OF-DOMAIN`` above one half.
    """
    share = n_outside / n_known if n_known else 0.0
    if share <= WARNED_ABOVE:
        return []
    told = f"{share:.0%} of the atoms are unlike those that the model {name} was trained on"
    if strictly or (share > REFUSED_ABOVE and not accepted):
        raise BadDataError(
            told,
            code="E-OUT-OF-DOMAIN",
            why="their features lie beyond those of 99 % of the training atoms: the model answers at random there",
            hint="train a model on such glasses, or accept numbers without meaning with --accept-outside",
        )
    return [f"{told}; their softness is doubtful"]


def clouds_read(record: Mapping[str, Any], n_feature: int) -> dict[str, Cloud]:
    """Clouds of the record of a model of so many columns.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        When it is none.
    """
    found = {}
    for name, one in record.items():
        column = np.array(one["column"], dtype=np.int64)
        rank = len(column)
        mean, scale = np.array(one["mean"], dtype=np.float64), np.array(one["scale"], dtype=np.float64)
        factor = np.zeros((rank, rank))
        for k, row in enumerate(one["factor"]):
            factor[k, : k + 1] = row
        rim = float(one["rim"])
        sound = mean.shape == scale.shape == (rank,) and len(one["factor"]) == rank > 0 and rim > 0.0
        sound = (
            sound
            and column.min() >= 0
            and column.max() < n_feature
            and scale.min() > 0.0
            and factor.diagonal().min() > 0
        )
        if not (sound and all(np.isfinite(numbers).all() for numbers in (mean, scale, factor))):
            raise ValueError(f"{name} has none")
        found[name] = Cloud(column, mean, scale, factor, rim)
    return found
