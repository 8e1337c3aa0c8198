"""The curve from scores to quench-in softness: how often an atom of a score is plastic, at equal classes."""

from __future__ import annotations

import numpy as np

from qsdask.errors import BadDataError
from qsdask.learn.tally import Tally

__all__ = ["fitted_curve"]

_MOST_STEPS = 100


def fitted_curve(tally: Tally) -> tuple[float, float]:
    """Fit ``1 / (1 + exp(-(offset + slope * score)))`` to the class of atoms, both classes having the same weight.

    Parameters
    ----------
    tally : Tally
        Atoms by score and label.

    Returns
    -------
    offset, slope : float
        Rounded to 10 digits. The slope is at least 0: where plastic atoms have the lower scores, there is no skill, and
        nothing to turn over.

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``: one label only.

    Notes
    -----
    Maximum likelihood with Platt's targets, (N + 1) / (N + 2) of the N plastic atoms and 1 / (M + 2) of the M others,
    which keep the slope finite where a score separates the classes; by Newton's method. J. C. Platt, Adv. Large Margin
    Classifiers, 61 (1999); H.-T. Lin, C.-J. Lin, R. C. Weng, Mach. Learn. 68, 267 (2007),
    doi:10.1007/s10994-007-5018-6.
    """
    n_plastic, n_other = tally.n_plastic, int(tally.other.sum())
    if 0 in (n_plastic, n_other):
        raise BadDataError("the atoms that were left out have one label", code="E-ONE-CLASS")
    centre, width = _centre_and_width(tally.score, tally.atoms)
    if width == 0.0:
        return 0.0, 0.0
    x = (tally.score - centre) / width
    weight = tally.plastic / (2 * n_plastic) + tally.other / (2 * n_other)
    hits = tally.plastic / (2 * n_plastic) * ((n_plastic + 1) / (n_plastic + 2))
    hits += tally.other / (2 * n_other) / (n_other + 2)
    line = np.zeros(2)
    for _ in range(_MOST_STEPS):
        p = 1.0 / (1.0 + np.exp(-(line[0] + line[1] * x)))
        gradient = np.array([np.sum(weight * p - hits), np.sum((weight * p - hits) * x)])
        curvature = weight * p * (1.0 - p)
        a, b, c = np.sum(curvature), np.sum(curvature * x), np.sum(curvature * x * x)
        step = np.array([c * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]]) / (a * c - b * b)
        # Far from the maximum a whole step may overshoot; two units of log-odds never do.
        line -= step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-12:
            break
    slope = max(line[1], 0.0) / width
    offset = line[0] - slope * centre if slope else 0.0
    return float(f"{offset:.10g}"), float(f"{slope:.10g}")


def _centre_and_width(score: np.ndarray, atoms: np.ndarray) -> tuple[float, float]:
    n = atoms.sum()
    centre = float(np.sum(score * atoms) / n)
    return centre, float(np.sqrt(np.sum((score - centre) ** 2 * atoms) / n))
