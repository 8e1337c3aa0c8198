"""Which atoms become plastic as the strain grows, and what their quench-in softness was before it all began.

Words used throughout, for an atom with known QS:

* *observed* at a step: its D2 is valid there; *plastic* at a step: observed and D2 above the threshold.
* *newly* plastic: plastic at this step and at none of the earlier stored steps.
* *activated*: plastic at this or any earlier step; the running sum of the newly plastic. An atom stays
  activated when its D2 falls below the threshold again or is no longer known.
* *at risk*: observed at this step and not activated before; the atoms from which the newly plastic come.

A chunk must hold all steps of its atoms, in the order of the deformation.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsdask.analysis.counts import (
    N_FINE,
    QUANTUM,
    auc_of_counts,
    checked_softness,
    coarse,
    combine,
    described,
    fine_bin,
    quanta,
    quantile_of_counts,
)
from qsdask.errors import UsageError

__all__ = ["QUANTILES", "combine", "finalise", "partial"]

#: Quantiles of QS reported for each group.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

_GROUPS = {
    "observed": "atoms with a valid D2 at this step",
    "plastic": "atoms plastic at this step",
    "newly": "atoms plastic at this step for the first time",
    "at_risk": "observed atoms that were not plastic at any earlier step",
}


def partial(
    qs: np.ndarray, d2: np.ndarray, valid: np.ndarray, strain: np.ndarray, threshold: float, *, n_fine: int = N_FINE
) -> xr.Dataset:
    """Counts of one chunk of atoms.

    Parameters
    ----------
    qs : float array, shape (n_atom,)
        Quench-in softness, NaN for atoms that are not to be used. No unit.
    d2 : float array, shape (n_step, n_atom)
        Non-affine squared displacement against the undeformed frame. Unit: angstrom^2.
    valid : bool array, shape (n_step, n_atom)
        Where `d2` may be used; non-finite values are left out as well.
    strain : float array, shape (n_step,)
        Strain of each step, a fraction.
    threshold : float
        An atom with D2 above it is plastic. Unit: angstrom^2.
    n_fine : int
        Bins of QS over [0, 1].

    Returns
    -------
    Dataset
        int64 counts over (step, fine) per group of atoms, and sums of QS in multiples of `QUANTUM`.

    Raises
    ------
    UsageError
        ``E-PART-SHAPE`` when the shapes do not fit together.
    BadDataError
        ``E-QS-RANGE`` when a QS lies outside [0, 1].
    """
    qs = checked_softness(qs)
    d2, valid, strain = np.asarray(d2), np.asarray(valid, dtype=bool), np.asarray(strain, dtype=np.float64)
    expected = (len(strain), len(qs))
    if d2.shape != expected or valid.shape != expected:
        raise UsageError(
            f"d2 and valid must have the shape (step, atom) = {expected}, not {d2.shape} and {valid.shape}",
            code="E-PART-SHAPE",
        )
    known = np.isfinite(qs)
    fine, weight = fine_bin(qs, n_fine), quanta(qs)
    count = {name: np.zeros((len(strain), n_fine), dtype=np.int64) for name in _GROUPS}
    total = {name: np.zeros(len(strain), dtype=np.int64) for name in _GROUPS}
    activated = np.zeros(len(qs), dtype=bool)
    for step in range(len(strain)):
        observed = known & valid[step] & np.isfinite(d2[step])
        plastic = observed & (d2[step] > threshold)
        member = {
            "observed": observed,
            "plastic": plastic,
            "newly": plastic & ~activated,
            "at_risk": observed & ~activated,
        }
        for name, mask in member.items():
            count[name][step] = np.bincount(fine[mask], minlength=n_fine)
            total[name][step] = weight[mask].sum()
        activated |= plastic
    variables = {
        "usable_count": described(
            np.bincount(fine[known], minlength=n_fine), "fine", "atoms with known QS per fine bin"
        ),
        "usable_qs_sum": described(weight.sum(), (), "sum of QS of atoms with known QS", "2^-30"),
        "unusable": described(np.int64((~known).sum()), (), "atoms without QS, left out"),
    }
    for name, meaning in _GROUPS.items():
        variables[f"{name}_count"] = described(count[name], ("step", "fine"), f"{meaning}, per fine QS bin")
        variables[f"{name}_qs_sum"] = described(total[name], "step", f"sum of QS: {meaning}", "2^-30")
    return xr.Dataset(
        variables,
        {"strain": described(strain, "step", "strain, as a fraction")},
        {"reduction": "activation", "threshold_angstrom2": float(threshold)},
    )


def finalise(total: xr.Dataset, *, n_bin: int = 20) -> xr.Dataset:
    """Means, quantiles and scores from the sum of all chunks.

    Parameters
    ----------
    total : Dataset
        Combined `partial` results.
    n_bin : int
        Bins of the QS histograms to report; must divide the number of fine bins.

    Returns
    -------
    Dataset
        Dimensions ``step``, ``bin``, ``decile``, ``quantile``; coordinates ``strain (step)``, ``qs (bin)``,
        ``qs_lower (bin)``, ``qs_upper (bin)``, ``decile``, ``quantile``. Every variable has ``units`` and
        ``long_name``; empty groups give NaN.

    Raises
    ------
    UsageError
        ``E-BINS`` when `n_bin` does not divide the number of fine bins.

    Notes
    -----
    AUC, quantiles and deciles are read from the fine bins: quantiles and decile limits are good to one bin
    width (attribute ``qs_resolution``), the AUC to ``auc_resolution``. Means are good to 1e-9.
    The random expectation is what softness-blind activation would give: ``qs_mean_all`` for activated atoms,
    ``qs_mean_at_risk`` for newly plastic ones, 0.5 for the AUC.
    """
    n_fine = total.sizes["fine"]
    if n_bin < 1 or n_fine % n_bin:
        raise UsageError(f"n_bin = {n_bin} must divide the {n_fine} fine bins", code="E-BINS")
    count = {name: total[f"{name}_count"].values for name in _GROUPS}
    qs_sum = {name: total[f"{name}_qs_sum"].values for name in _GROUPS}
    count["activated"] = np.cumsum(count["newly"], axis=0)
    qs_sum["activated"] = np.cumsum(qs_sum["newly"])
    meaning = {**_GROUPS, "activated": "atoms plastic at this or any earlier step"}
    usable = total["usable_count"].values

    result: dict[str, xr.Variable] = {
        "n_usable": described(usable.sum(), (), "atoms with known QS"),
        "n_unusable": described(int(total["unusable"]), (), "atoms without QS, left out"),
        "qs_mean_all": described(
            _mean(total["usable_qs_sum"].values, usable.sum()), (), "mean QS of all usable atoms (random expectation)"
        ),
        "qs_count_all": described(coarse(usable, n_bin), "bin", "usable atoms per QS bin"),
    }
    for name, text in meaning.items():
        number = count[name].sum(axis=-1)
        result[f"n_{name}"] = described(number, "step", f"number of {text}")
        result[f"qs_mean_{name}"] = described(_mean(qs_sum[name], number), "step", f"mean QS of {text}")
    for name in ("plastic", "newly", "activated"):
        result[f"qs_count_{name}"] = described(
            coarse(count[name], n_bin), ("step", "bin"), f"{meaning[name]}, per QS bin"
        )
        result[f"qs_quantile_{name}"] = described(
            quantile_of_counts(count[name], np.array(QUANTILES)),
            ("step", "quantile"),
            f"quantiles of QS of {meaning[name]}",
        )
    result |= _scores(count)
    result |= _deciles(usable, count["activated"])
    edge = np.linspace(0.0, 1.0, n_bin + 1)
    return xr.Dataset(
        result,
        {
            "strain": total["strain"],
            "qs": described((edge[:-1] + edge[1:]) / 2.0, "bin", "centre of the QS bin"),
            "qs_lower": described(edge[:-1], "bin", "lower edge of the QS bin"),
            "qs_upper": described(edge[1:], "bin", "upper edge of the QS bin"),
            "decile": described(np.arange(1, 11), "decile", "tenth of the atoms by QS, 1 the hardest"),
            "quantile": described(np.array(QUANTILES), "quantile", "fraction of atoms below"),
        },
        {**total.attrs, "qs_resolution": 1.0 / n_fine},
    )


def _mean(total, number):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.float64(1.0) * total * QUANTUM / number


def _scores(count):
    """How well QS ranks the plastic atoms of each step."""
    observed, plastic = count["observed"].sum(axis=-1), count["plastic"].sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = plastic / observed
    result = {"plastic_fraction": described(fraction, "step", "fraction of the observed atoms that are plastic")}
    for suffix, positive, everyone, text in (
        ("", "plastic", "observed", "plastic at this step against all other observed atoms"),
        ("_newly", "newly", "at_risk", "newly plastic against the other atoms at risk"),
    ):
        auc, resolution, error = auc_of_counts(count[positive], count[everyone] - count[positive])
        result[f"auc{suffix}"] = described(auc, "step", f"AUC-ROC of QS: {text}")
        result[f"auc{suffix}_resolution"] = described(
            resolution, "step", f"largest error by binning of the AUC: {text}"
        )
        result[f"auc{suffix}_std_error"] = described(error, "step", f"standard error (DeLong) of the AUC: {text}")
    return result


def _deciles(usable, activated):
    """Fraction activated in each tenth of the atoms, hardest first.

    A fine bin belongs to the tenth that holds its middle atom; with many equal QS a tenth may be empty.
    """
    number = max(int(usable.sum()), 1)
    middle = 2 * np.cumsum(usable) - usable
    decile = np.minimum(10 * middle // (2 * number), 9)
    member = np.zeros((10, len(usable)), dtype=np.int64)
    member[decile, np.arange(len(usable))] = 1
    size = member @ usable
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = (activated @ member.T) / size
    upper = np.array([(np.flatnonzero(row * usable).max(initial=-1) + 1) / len(usable) for row in member])
    return {
        "decile_count": described(size, "decile", "atoms in the decile of QS"),
        "decile_upper": described(np.where(size > 0, upper, np.nan), "decile", "upper limit of QS in the decile"),
        "activated_fraction": described(
            fraction, ("step", "decile"), "fraction of the decile's atoms activated by now"
        ),
    }
