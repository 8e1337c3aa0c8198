"""Replicas of made glasses together: means with standard errors, and what a slower quench does to the energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import t as student

from qsdask.analysis.expectation import still_rises

__all__ = ["VALUES", "energy_against_rate", "groups", "mean_and_error", "mean_curve"]

#: Values of a row that are averaged over replicas.
VALUES = (
    "density_g_per_cm3",
    "energy_ev_per_atom",
    "modulus_gpa",
    "yield_stress_gpa",
    "yield_strain",
    "plastic_fraction",
)
#: Those that a curve lacks whose stress still rises at its end.
_YIELD = ("yield_stress_gpa", "yield_strain")
#: Probability with which a verdict on the energy must hold.
_CONFIDENCE = 0.95


def mean_and_error(values: Sequence[float | None]) -> dict[str, float | int]:
    """Mean of independent glasses and its standard error.

    Parameters
    ----------
    values : sequence of float or None
        One for each glass; unknown ones (None, NaN) do not count.

    Returns
    -------
    dict
        ``mean``; ``error``: sample standard deviation (one degree of freedom less) over the root of the number;
        ``glasses``: that number. NaN where there are too few: none for the mean, one for the error.
    """
    known = _known(values)
    return {
        "mean": float(known.mean()) if len(known) else np.nan,
        "error": float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan,
        "glasses": len(known),
    }


def groups(rows: Sequence[Mapping]) -> list[dict]:
    """Replicas of one composition, quench rate and loading together.

    Parameters
    ----------
    rows : sequence of mappings
        Of `qsdask.views.glasses.glasses`.

    Returns
    -------
    list of dict
        By composition, then from the fastest quench to the slowest: ``composition``, ``rate_kelvin_per_second``,
        ``loading``, ``strain_rate_per_second``, ``replicas``, ``specimens`` (names), and each of `VALUES` as by
        `mean_and_error`. Runs of one glass are not independent: their mean counts once. A highest stress at the last
        strain is not a yield, and does not count.
    """
    found: dict[tuple, dict[str, list[Mapping]]] = {}
    for row in rows:
        key = (row["composition"], -row["rate_kelvin_per_second"], row["loading"], row["strain_rate_per_second"] or 0.0)
        found.setdefault(key, {}).setdefault(row["specimen"], []).append(row)
    return [
        {
            "composition": composition,
            "rate_kelvin_per_second": -rate,
            "loading": loading,
            "strain_rate_per_second": strain_rate or None,
            "replicas": len(glasses),
            "specimens": list(glasses),
            **{name: mean_and_error([_of_runs(name, runs) for runs in glasses.values()]) for name in VALUES},
        }
        for (composition, rate, loading, strain_rate), glasses in sorted(found.items(), key=lambda item: item[0])
    ]


def energy_against_rate(rows: Sequence[Mapping]) -> list[dict]:
    """Whether slower quenches give lower energies, composition by composition.

    Parameters
    ----------
    rows : sequence of mappings
        Of `qsdask.views.glasses.glasses`.

    Returns
    -------
    list of dict
        ``composition``, ``rates`` and ``glasses`` (numbers); ``slope_ev_per_atom_per_decade``, the straight line of
        energy against log10(rate) through all glasses by least squares, positive when slower quenches lie lower, and its
        standard ``error``; ``verdict``: ``"falls"`` or ``"rises"`` with slower quenches when zero lies outside the
        95 % interval of Student's t, ``"unresolved"`` when it does not, ``"unknown"`` without two rates or replicas.

    Notes
    -----
    The error follows from the scatter of replicas alone, pooled over the rates, so that a bend of the true curve does not
    pass for scatter. Degrees of freedom: glasses less rates.
    """
    energy: dict[str, dict[float, dict[str, float]]] = {}
    for row in rows:
        by_rate = energy.setdefault(row["composition"], {})
        by_rate.setdefault(row["rate_kelvin_per_second"], {})[row["specimen"]] = row["energy_ev_per_atom"]
    return [
        {"composition": composition, **_line({rate: _known(list(of.values())) for rate, of in by_rate.items()})}
        for composition, by_rate in sorted(energy.items())
    ]


def mean_curve(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of stress-strain curves and its standard error.

    Parameters
    ----------
    curves : sequence of tuples of two float arrays
        Strain, growing, and stress; interpolated to the strains of the first, as far as all of them reach.

    Returns
    -------
    strain, mean, error : float arrays, shape (n,)
        The error is NaN for a single curve.
    """
    strain = curves[0][0]
    strain = strain[strain <= min(x[-1] for x, _ in curves)]
    stress = np.array([np.interp(strain, x, y) for x, y in curves])
    if len(curves) < 2:
        return strain, stress[0], np.full(len(strain), np.nan)
    return strain, stress.mean(axis=0), stress.std(axis=0, ddof=1) / np.sqrt(len(curves))


def _known(values: Sequence[float | None]) -> np.ndarray:
    value = np.array(values, dtype=np.float64)  # None becomes NaN
    return value[np.isfinite(value)]


def _of_runs(name: str, runs: Sequence[Mapping]) -> float:
    return mean_and_error([None if name in _YIELD and still_rises(run) else run[name] for run in runs])["mean"]


def _line(energy: Mapping[float, np.ndarray]) -> dict[str, float | int | str]:
    """Slope of energy against log10(rate), with an error from the scatter of replicas."""
    rate = np.repeat(np.log10(list(energy)), [len(of) for of in energy.values()])
    value = np.concatenate(list(energy.values()))
    away = rate - rate.mean()
    square = float((away**2).sum())
    slope = float((away * value).sum() / square) if len(energy) > 1 else np.nan
    freedom = len(value) - len(energy)
    within = sum(float(((of - of.mean()) ** 2).sum()) for of in energy.values())
    error = np.sqrt(within / freedom / square) if freedom and len(energy) > 1 else np.nan
    verdict = "unknown"
    if np.isfinite(error):
        resolved = abs(slope) > error * student.ppf(0.5 + _CONFIDENCE / 2.0, freedom)
        verdict = "unresolved" if not resolved else "falls" if slope > 0 else "rises"
    return {
        "rates": len(energy),
        "glasses": len(value),
        "slope_ev_per_atom_per_decade": slope,
        "error": float(error),
        "verdict": verdict,
    }
