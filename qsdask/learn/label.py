"""Labels: which atoms were plastic."""

from __future__ import annotations

import numpy as np

from qsdask.errors import UsageError

__all__ = ["plastic"]


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
        raise UsageError(
            f"the D2min threshold must be a positive number of angstrom^2, got {threshold!r}",
            code="E-THRESHOLD",
        )
    d2 = np.asarray(d2)
    valid = np.isfinite(d2) & (d2 >= 0)
    return valid & (d2 > threshold), valid
