"""What columns add to the softness of a glass: how much on the whole, and to what end in soft and in hard atoms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qsdask.analysis.counts import QUANTUM
from qsdask.analysis.extent import exact_sum
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["combine", "finalise", "partial"]


def partial(qs: np.ndarray, placed: np.ndarray, added: np.ndarray, grouped: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Sums of one chunk of atoms.

    Parameters
    ----------
    qs : float64 array, shape (n,)
        Quench-in softness, finite.
    placed : float64 array, shape (n, n_column)
        Where the values of the columns lie between their ends, from 0 to 1, NaN without a value; see
        `qsdask.analysis.extent.placed_within`.
    added : float array, shape (n, n_column)
        Contributions of the columns. Logarithm of the odds.
    grouped : mapping of str to float64 array, shape (n, n_group)
        Contributions of groups of columns, by the name of the grouping.

    Returns
    -------
    dict of str to int, or to object array of int
        Exact, so that `combine` gives the same in any order.
    """
    known, everyone = np.isfinite(placed), np.ones(len(qs), dtype=bool)
    placed = np.where(known, placed, 0.0)
    found: dict[str, Any] = {"square": exact_sum(placed**2)}
    shares = {"column": added.astype(np.float64), **grouped}
    for name, value in shares.items():
        found[f"size_{name}"] = exact_sum(np.abs(value))
    for kind, chosen in (("all", everyone), ("soft", qs > SOFT_ABOVE), ("hard", qs < HARD_BELOW)):
        found[f"n_{kind}"] = int(np.count_nonzero(chosen))
        found[f"known_{kind}"] = np.count_nonzero(known[chosen], axis=0)
        found[f"placed_{kind}"] = exact_sum(placed[chosen])
        for name, value in shares.items():
            found[f"{kind}_{name}"] = exact_sum(value[chosen])
    return found


def combine(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Sums of the atoms of both."""
    return {name: value + other[name] for name, value in one.items()}


def finalise(total: dict[str, Any]) -> dict[str, Any]:
    """Means from sums.

    Returns
    -------
    dict
        ``n``, ``n_soft``, ``n_hard``. Of columns and of every grouping: ``size_<name>``, mean absolute contribution, and
        ``apart_<name>``, mean contribution in soft atoms minus that in hard ones; these add up to the difference of their
        mean scores. ``higher``: by how many standard deviations (of all atoms) the columns are higher in soft atoms than in
        hard ones, over the atoms that have them. NaN where there are no soft, or no hard, atoms.
    """
    n = {kind: total[f"n_{kind}"] for kind in ("all", "soft", "hard")}
    found: dict[str, Any] = {"n": n["all"], "n_soft": n["soft"], "n_hard": n["hard"]}
    names = [key.removeprefix("size_") for key in total if key.startswith("size_")]
    for name in names:
        found[f"size_{name}"] = _mean(total[f"size_{name}"], n["all"])
        found[f"apart_{name}"] = _mean(total[f"soft_{name}"], n["soft"]) - _mean(total[f"hard_{name}"], n["hard"])
    placed = {kind: _mean(total[f"placed_{kind}"], total[f"known_{kind}"]) for kind in n}
    spread = _mean(total["square"], total["known_all"]) - placed["all"] ** 2
    # Of a column that is the same everywhere the spread is rounding.
    spread = np.sqrt(np.where(spread > QUANTUM, spread, np.nan))
    return {**found, "higher": (placed["soft"] - placed["hard"]) / spread}


def _mean(total: np.ndarray, n: int | np.ndarray) -> np.ndarray:
    return total.astype(np.float64) * QUANTUM / np.where(np.asarray(n) > 0, n, np.nan)
