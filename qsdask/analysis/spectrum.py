"""The spectrum of quench-in softness in one glass, and how often atoms of each softness turn plastic.

Like `activation`, a monoid of exact counts: `partial` per chunk of atoms, `combine`, `finalise` once.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsdask.analysis import distribution
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
    wilson_interval,
)
from qsdask.errors import BadDataError, UsageError
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["D2_EDGES", "HALF_WINDOW", "balanced", "checked_d2", "combine", "finalise", "partial"]

#: Inner edges of the D2 bins, ten a decade; a bin below and one above catch the rest. Unit: angstrom^2.
D2_EDGES = np.round(np.logspace(-2, 3, 51), 6)

#: D2 beyond this means that an atom has left the simulation, not that it moved. Unit: angstrom^2.
_D2_LIMIT = 2.0**31

#: Half width of the window about QS = 0.5 in which P(plastic | QS) is compared with P(plastic).
HALF_WINDOW = 0.05


def partial(
    qs: np.ndarray,
    d2: np.ndarray,
    valid: np.ndarray,
    threshold: float,
    *,
    strain: float = float("nan"),
    hard: float = HARD_BELOW,
    soft: float = SOFT_ABOVE,
    predicted: float = 0.5,
    n_fine: int = N_FINE,
    d2_edges: np.ndarray = D2_EDGES,
) -> xr.Dataset:
    """Counts of one chunk of atoms at one strain.

    Parameters
    ----------
    qs : float array, shape (n_atom,)
        Quench-in softness, NaN for atoms that are not to be used. No unit.
    d2 : float array, shape (n_atom,)
        Non-affine squared displacement at the strain of interest. Unit: angstrom^2.
    valid : bool array, shape (n_atom,)
        Where `d2` may be used; non-finite values are left out as well.
    threshold : float
        An atom with D2 above it is plastic. Unit: angstrom^2.
    strain : float
        Strain at which `d2` was taken, a fraction; kept with the result.
    hard, soft, predicted : float
        An atom is hard with QS < `hard`, soft with QS > `soft`, predicted plastic with QS > `predicted`.
    n_fine : int
        Bins of QS over [0, 1].
    d2_edges : float array, shape (n_edge,)
        Rising inner edges of the D2 bins. Unit: angstrom^2.

    Returns
    -------
    Dataset
        int64 counts over (fine,) and (d2_bin,), and exact sums.

    Raises
    ------
    UsageError
        ``E-PART-SHAPE`` when the shapes do not fit together.
    BadDataError
        ``E-QS-RANGE``: a QS lies outside [0, 1]; ``E-D2-RANGE``: a valid D2 is negative or above 2^31.
    """
    qs, d2, observed = checked_d2(qs, d2, valid)
    of_softness = distribution.partial(qs, hard=hard, soft=soft, predicted=predicted, n_fine=n_fine)
    parts = distribution.parts_of(qs, hard, soft, predicted)
    plastic = observed & (d2 > threshold)
    chosen, fine = parts["predicted"], fine_bin(qs, n_fine)
    # Two limbs, so that no sum overflows: whole angstrom^2 and 2^-30 parts of D2.
    whole = np.floor(np.where(observed, d2, 0.0))
    rest = quanta(np.where(observed, d2, 0.0) - whole)
    d2_bin = np.searchsorted(d2_edges, np.where(observed, d2, 0.0), side="right")
    n_d2 = len(d2_edges) + 1

    def tally(mask, index, n):
        return np.bincount(index[mask], minlength=n)

    variables = {
        "observed_count": described(tally(observed, fine, n_fine), "fine", "atoms with known QS and D2 per fine bin"),
        "plastic_count": described(tally(plastic, fine, n_fine), "fine", "plastic atoms per fine bin"),
        "d2_count": described(tally(observed, d2_bin, n_d2), "d2_bin", "atoms with known QS and D2 per D2 bin"),
        "d2_predicted": described(tally(observed & chosen, d2_bin, n_d2), "d2_bin", "of these, predicted plastic"),
        "true_positive": described((plastic & chosen).sum(), (), "plastic atoms predicted plastic"),
    }
    for name, mask in parts.items():
        seen = observed & mask
        variables[f"n_{name}_observed"] = described(seen.sum(), (), f"atoms with valid D2: {name}")
        variables[f"d2_whole_{name}"] = described(
            whole[seen].sum().astype(np.int64), (), f"sum of D2: {name}", "angstrom^2"
        )
        variables[f"d2_rest_{name}"] = described(rest[seen].sum(), (), f"sum of D2: {name}", "2^-30 angstrom^2")
    lower = np.concatenate([[0.0], d2_edges])
    return xr.Dataset(
        {**of_softness, **{name: variable.astype(np.int64) for name, variable in variables.items()}},
        {
            "d2_lower": described(lower, "d2_bin", "lower edge of the D2 bin", "angstrom^2"),
            "d2_upper": described(np.append(d2_edges, np.inf), "d2_bin", "upper edge of the D2 bin", "angstrom^2"),
            "strain": described(float(strain), (), "strain, as a fraction"),
        },
        {**of_softness.attrs, "reduction": "spectrum", "threshold_angstrom2": float(threshold)},
    )


def checked_d2(qs: np.ndarray, d2: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """QS and D2 of a chunk of atoms as float64, and of which atoms both are known; arguments and errors as of `partial`."""
    qs, d2, valid = checked_softness(qs), np.asarray(d2, dtype=np.float64), np.asarray(valid, dtype=bool)
    if d2.shape != qs.shape or valid.shape != qs.shape:
        raise UsageError(
            f"qs, d2 and valid must have the same shape, not {qs.shape}, {d2.shape} and {valid.shape}",
            code="E-PART-SHAPE",
        )
    observed = np.isfinite(qs) & valid & np.isfinite(d2)
    outside = np.flatnonzero(observed & ((d2 < 0.0) | (d2 > _D2_LIMIT)))
    if outside.size:
        raise BadDataError(
            f"D2 must be 0 to {_D2_LIMIT:.0f} angstrom^2; row {outside[0]} has {float(d2[outside[0]])!r}",
            code="E-D2-RANGE",
        )
    return qs, d2, observed


def balanced(p: np.ndarray, prevalence: float | np.ndarray) -> np.ndarray:
    """A probability carried from the classes as they are to equal classes, as those that models are trained on."""
    return p * (1.0 - prevalence) / (p * (1.0 - prevalence) + (1.0 - p) * prevalence)


def finalise(
    total: xr.Dataset, *, n_bin: int = 50, n_wide: int = 20, n_cut: int = 200, confidence: float = 0.95
) -> xr.Dataset:
    """Distribution, probabilities and moments from the sum of all chunks.

    Parameters
    ----------
    total : Dataset
        Combined `partial` results.
    n_bin, n_wide, n_cut : int
        Bins of the distribution of QS, wider bins for probabilities, and cuts of the ROC curve; each must
        divide the number of fine bins.
    confidence : float
        Of the binomial (Wilson) intervals.

    Returns
    -------
    Dataset
        Dimensions ``bin`` and ``wide_bin`` (QS), ``d2_bin``, ``cut`` (QS); every variable has ``units`` and
        ``long_name``. A probability without atoms behind it is NaN.

    Raises
    ------
    UsageError
        ``E-BINS`` when one of them does not divide the number of fine bins.

    Notes
    -----
    A model trained on as many plastic as other atoms and calibrated there should give
    P(plastic | QS) = QS π / (QS π + (1 − QS)(1 − π)) with π = P(plastic): ``p_expected``, π at QS = 0.5.
    ``p_balanced`` is P(plastic | QS) carried to equal classes by the same rule, to be compared with QS.
    """
    n_fine = total.sizes["fine"]
    for n in (n_bin, n_wide, n_cut):
        if n < 1 or n_fine % n:
            raise UsageError(
                f"n_bin = {n_bin}, n_wide = {n_wide} and n_cut = {n_cut} must divide the {n_fine} fine bins",
                code="E-BINS",
            )
    observed, plastic = (total[f"{k}_count"].values for k in ("observed", "plastic"))
    of_softness, wide = distribution.finalise(total, n_bin=n_bin), np.linspace(0.0, 1.0, n_wide + 1)
    centre = (wide[:-1] + wide[1:]) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        result = dict(of_softness.data_vars) | _movement(total)
        result |= _plasticity(observed, plastic, centre, confidence)
        result |= _prediction(total, confidence)
        result |= _ranking(observed, plastic, n_cut)
    return xr.Dataset(
        result,
        {
            **of_softness.coords,
            "wide_qs": described(centre, "wide_bin", "centre of the wide QS bin"),
            "wide_lower": described(wide[:-1], "wide_bin", "lower edge of the wide QS bin"),
            "wide_upper": described(wide[1:], "wide_bin", "upper edge of the wide QS bin"),
            "d2_lower": total["d2_lower"],
            "d2_upper": total["d2_upper"],
            "cut_qs": described(
                np.linspace(1.0, 0.0, n_cut + 1), "cut", "QS at and above which an atom is called plastic"
            ),
            "strain": total["strain"],
        },
        {**of_softness.attrs, "confidence": float(confidence)},
    )


def _movement(total):
    """Mean D2 of the parts of the glass."""
    result = {}
    for name, text in distribution.limits(total).items():
        d2_sum = total[f"d2_whole_{name}"].values + total[f"d2_rest_{name}"].values * QUANTUM
        mean = d2_sum / np.float64(total[f"n_{name}_observed"])
        result[f"d2_mean_{name}"] = described(mean, (), f"mean D2: {text}", "angstrom^2")
    return result


def _plasticity(observed, plastic, centre, confidence):
    """P(plastic | QS), plainly, relative to P(plastic), and carried to equal classes."""
    n_wide, n_fine = len(centre), len(observed)
    trials, hits = coarse(observed, n_wide), coarse(plastic, n_wide)
    low, high = wilson_interval(hits, trials, confidence)
    prevalence = np.float64(plastic.sum()) / observed.sum()

    first, last = round((0.5 - HALF_WINDOW) * n_fine), round((0.5 + HALF_WINDOW) * n_fine)
    window = np.float64(plastic[first:last].sum()) / observed[first:last].sum()
    expected = centre * prevalence / (centre * prevalence + (1.0 - centre) * (1.0 - prevalence))
    return {
        "n_observed": described(trials, "wide_bin", "atoms with known QS and D2"),
        "n_plastic": described(hits, "wide_bin", "plastic atoms"),
        "p_plastic_all": described(prevalence, (), "P(plastic): fraction of plastic atoms"),
        "p_plastic": described(hits / trials, "wide_bin", "P(plastic | QS)"),
        "p_plastic_low": described(low, "wide_bin", "P(plastic | QS), lower end of the Wilson interval"),
        "p_plastic_high": described(high, "wide_bin", "P(plastic | QS), upper end of the Wilson interval"),
        "p_ratio": described(hits / trials / prevalence, "wide_bin", "P(plastic | QS) / P(plastic)"),
        "p_ratio_half": described(window / prevalence, (), "P(plastic | QS) / P(plastic) for 0.45 <= QS < 0.55"),
        "p_expected": described(expected, "wide_bin", "P(plastic | QS) of a calibrated model trained on equal classes"),
        "p_balanced": described(balanced(hits / trials, prevalence), "wide_bin", "P(plastic | QS) at equal classes"),
        "p_balanced_low": described(
            balanced(low, prevalence), "wide_bin", "P(plastic | QS) at equal classes, lower end"
        ),
        "p_balanced_high": described(
            balanced(high, prevalence), "wide_bin", "P(plastic | QS) at equal classes, upper end"
        ),
    }


def _prediction(total, confidence):
    """P(predicted plastic | D2)."""
    trials, hits = total["d2_count"].values, total["d2_predicted"].values
    low, high = wilson_interval(hits, trials, confidence)
    text = f"P(QS > {total.attrs['predicted_above']:g} | D2)"
    return {
        "d2_count": described(trials, "d2_bin", "atoms with known QS and D2 per D2 bin"),
        "p_predicted": described(hits / trials, "d2_bin", text),
        "p_predicted_low": described(low, "d2_bin", f"{text}, lower end of the Wilson interval"),
        "p_predicted_high": described(high, "d2_bin", f"{text}, upper end of the Wilson interval"),
        "recall": described(
            int(total["true_positive"]) / np.float64(total["plastic_count"].sum()),
            (),
            "recall: plastic atoms predicted so",
        ),
    }


def _ranking(observed, plastic, n_cut):
    """ROC curve by falling QS, and the area under it."""
    other = observed - plastic
    auc, resolution, error = auc_of_counts(plastic, other)

    def rate(count):
        above = np.cumsum(coarse(count, n_cut)[::-1])
        return np.concatenate([[0], above]) / np.float64(count.sum())

    return {
        "roc_true": described(rate(plastic), "cut", "true positive rate: plastic atoms called plastic"),
        "roc_false": described(rate(other), "cut", "false positive rate: other atoms called plastic"),
        "auc": described(auc, (), "AUC-ROC of QS for plastic against other atoms"),
        "auc_resolution": described(resolution, (), "largest error of the AUC by binning of QS"),
        "auc_std_error": described(error, (), "standard error of the AUC (DeLong), atoms taken as independent"),
    }
