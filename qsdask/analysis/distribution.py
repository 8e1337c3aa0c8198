"""How quench-in softness is distributed in a glass: moments, the hard and the soft end, nothing of what atoms did.

Like `spectrum`, which adds what they did: exact counts, `partial` per chunk of atoms, `combine`, `finalise` once.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsdask.analysis.counts import N_FINE, QUANTUM, checked_softness, coarse, combine, described, fine_bin, quanta
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["combine", "finalise", "limits", "partial", "parts_of"]


def partial(
    qs: np.ndarray, *, hard: float = HARD_BELOW, soft: float = SOFT_ABOVE, predicted: float = 0.5, n_fine: int = N_FINE
) -> xr.Dataset:
    """Counts of one chunk of atoms.

    Parameters
    ----------
    qs : float array, shape (n_atom,)
        Quench-in softness, NaN for atoms that are not to be used. No unit.
    hard, soft, predicted : float
        An atom is hard with QS < `hard`, soft with QS > `soft`, predicted plastic with QS > `predicted`.
    n_fine : int
        Bins of QS over [0, 1].

    Returns
    -------
    Dataset
        int64 counts over (fine,), and exact sums.

    Raises
    ------
    BadDataError
        ``E-QS-RANGE``: a QS lies outside [0, 1].
    """
    qs = checked_softness(qs)
    known, weight = np.isfinite(qs), quanta(qs)
    # Two limbs, so that no sum overflows: upper and lower half of QS squared.
    square = weight * weight
    variables = {
        "usable_count": described(
            np.bincount(fine_bin(qs, n_fine)[known], minlength=n_fine), "fine", "atoms with known QS per fine bin"
        ),
        "qs_sum": described(weight.sum(), (), "sum of QS", "2^-30"),
        "qs_square_high": described((square >> 30).sum(), (), "sum of QS squared, upper limb", "2^-30"),
        "qs_square_low": described((square & (2**30 - 1)).sum(), (), "sum of QS squared, lower limb", "2^-60"),
        "unusable": described((~known).sum(), (), "atoms without QS, left out"),
    }
    for name, mask in parts_of(qs, hard, soft, predicted).items():
        variables[f"n_{name}"] = described(mask.sum(), (), f"atoms: {name}")
    return xr.Dataset(
        {name: variable.astype(np.int64) for name, variable in variables.items()},
        attrs={
            "reduction": "distribution",
            "hard_below": float(hard),
            "soft_above": float(soft),
            "predicted_above": float(predicted),
        },
    )


def parts_of(qs: np.ndarray, hard: float, soft: float, predicted: float) -> dict[str, np.ndarray]:
    """Atoms of each part of a glass by its name; bool arrays, shape of `qs`."""
    return {"all": np.isfinite(qs), "hard": qs < hard, "soft": qs > soft, "predicted": qs > predicted}


def finalise(total: xr.Dataset, *, n_bin: int = 50) -> xr.Dataset:
    """Histogram and moments of QS, and the hard and the soft end.

    Parameters
    ----------
    total : Dataset
        Combined `partial` results, of this module or of `spectrum`.
    n_bin : int
        Bins of the histogram; it must divide the number of fine bins.

    Returns
    -------
    Dataset
        ``n_usable``, ``n_unusable``, ``qs_mean``, ``qs_std``, ``n_*`` and ``fraction_*`` of the parts; ``qs_count`` and
        ``qs_density`` over (bin,), with its edges. NaN where there is no atom.
    """
    usable = total["usable_count"].values
    number, qs_sum = int(usable.sum()), int(total["qs_sum"])
    square_sum = (int(total["qs_square_high"]) << 30) + int(total["qs_square_low"])
    # Python integers: exact, so that equal QS have a spread of exactly zero.
    spread = (number * square_sum - qs_sum**2) ** 0.5 / number * QUANTUM if number else np.nan
    count, edge = coarse(usable, n_bin), np.linspace(0.0, 1.0, n_bin + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = {
            "n_usable": described(number, (), "atoms with known QS"),
            "n_unusable": described(int(total["unusable"]), (), "atoms without QS, left out"),
            "qs_count": described(count, "bin", "usable atoms per QS bin"),
            "qs_density": described(count * n_bin / np.float64(number), "bin", "probability density of QS"),
            "qs_mean": described(np.float64(qs_sum) * QUANTUM / number if number else np.nan, (), "mean QS"),
            "qs_std": described(spread, (), "standard deviation of QS (structural heterogeneity)"),
        }
        for name, text in limits(total).items():
            part = int(total[f"n_{name}"])
            result[f"n_{name}"] = described(part, (), f"atoms: {text}")
            result[f"fraction_{name}"] = described(part / np.float64(number), (), f"fraction of atoms: {text}")
    edges = {
        "qs_lower": described(edge[:-1], "bin", "lower edge of the QS bin"),
        "qs_upper": described(edge[1:], "bin", "upper edge of the QS bin"),
    }
    return xr.Dataset(result, edges, {**total.attrs, "qs_resolution": 1.0 / len(usable)})


def limits(total: xr.Dataset) -> dict[str, str]:
    """What makes an atom one of a part, in words."""
    return {
        "all": "all usable atoms",
        "hard": f"QS < {total.attrs['hard_below']:g}",
        "soft": f"QS > {total.attrs['soft_above']:g}",
        "predicted": f"QS > {total.attrs['predicted_above']:g}",
    }
