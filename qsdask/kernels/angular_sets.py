"""Angular symmetry functions in sets that share what is dear."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["AngularSets", "angular_sets"]


class AngularSets(NamedTuple):
    """Parameter sets of the angular functions, with what they share kept once.

    Attributes
    ----------
    inverse : float64 array, shape (n_width,)
        1 / xi**2 of every xi that occurs. Unit: 1 / angstrom^2.
    sign : float64 array, shape (n_power,)
        lambda of every (lambda, zeta) that occurs.
    zeta : int64 array, shape (n_power,)
        zeta of the same.
    width : int64 array, shape (n_set,)
        Which xi a set has; sets of one xi follow each other.
    power : int64 array, shape (n_set,)
        Which (lambda, zeta) a set has.
    column : int64 array, shape (n_set,)
        Column of the set.
    """

    inverse: np.ndarray
    sign: np.ndarray
    zeta: np.ndarray
    width: np.ndarray
    power: np.ndarray
    column: np.ndarray


def angular_sets(xi, sign, zeta):
    """Sort parameter sets by what they share.

    Parameters
    ----------
    xi : float64 array, shape (n_set,)
        Unit: angstrom.
    sign : float64 array, shape (n_set,)
        lambda.
    zeta : int array, shape (n_set,)
        At least 1.

    Returns
    -------
    AngularSets
        The same sets.

    Raises
    ------
    ValueError
        If a xi is not positive, a zeta is not a positive whole number, or the lengths differ.
    """
    xi, sign, zeta = np.asarray(xi, dtype=np.float64), np.asarray(sign, dtype=np.float64), np.asarray(zeta)
    if not xi.shape == sign.shape == zeta.shape == (xi.size,):
        raise ValueError(f"xi, lambda and zeta must be of one length, got {xi.size}, {sign.size}, {zeta.size}")
    if not (xi > 0).all():
        raise ValueError("every xi must be positive")
    if (zeta < 1).any() or (zeta != zeta.astype(np.int64)).any():
        raise ValueError("every zeta must be a positive whole number")
    widths, width = np.unique(xi, return_inverse=True)
    powers, power = np.unique(np.stack([sign, zeta], axis=1), axis=0, return_inverse=True)
    column = np.argsort(width, kind="stable")
    sign, zeta = np.ascontiguousarray(powers[:, 0]), powers[:, 1].astype(np.int64)
    return AngularSets(1 / widths**2, sign, zeta, width[column], power.ravel()[column], column)
