"""Labels: which atoms were plastic, in one run or in many."""

from __future__ import annotations

import numpy as np

from qsdask.errors import UsageError

__all__ = ["plastic", "plastic_in_runs"]


def plastic(d2: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Label atoms whose non-affine displacement exceeds a threshold.

    Parameters
    ----------
    d2 : float array, shape (n,)
        D2min at the chosen strain against the undeformed frame. Unit: angstrom^2.
    threshold : float
        Unit: angstrom^2. Must be finite and positive.

    Returns
    -------
    label : bool array, shape (n,)
        ``d2 > threshold``; False where `d2` has no value.
    valid : bool array, shape (n,)
        Where `d2` is finite and not negative. A label without a value is no label.

    Raises
    ------
    UsageError
        ``E-THRESHOLD``: the threshold is not a positive number.

    Notes
    -----
    Works on any part of a specimen: each atom is judged alone.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    if not (np.isfinite(threshold) and threshold > 0):
        raise UsageError(f"the D2min threshold must be a positive number, got {threshold!r}", code="E-THRESHOLD")
    d2 = np.asarray(d2)
    valid = np.isfinite(d2) & (d2 >= 0)
    return valid & (d2 > threshold), valid


def plastic_in_runs(frequency: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Label atoms that are plastic in more than a fraction of isoconfigurational runs.

    Parameters
    ----------
    frequency : float array, shape (n,)
        Fraction of the runs in which the atom is plastic, 0 to 1; NaN where no run has a value.
    threshold : float
        At least 0 and below 1.

    Returns
    -------
    label : bool array, shape (n,)
        ``frequency > threshold``; False where there is no value.
    valid : bool array, shape (n,)
        Where `frequency` is finite.

    Raises
    ------
    UsageError
        ``E-THRESHOLD``: the threshold is not such a fraction.

    References
    ----------
    .. [1] A. Widmer-Cooper, P. Harrowell, H. Fynewever, Phys. Rev. Lett. 93, 135701 (2004),
       doi:10.1103/PhysRevLett.93.135701.
    """
    if not 0 <= threshold < 1:
        raise UsageError(
            f"the threshold of a fraction of runs must be at least 0 and below 1, got {threshold!r}", code="E-THRESHOLD"
        )
    valid = np.isfinite(frequency)
    return valid & (np.asarray(frequency) > threshold), valid
