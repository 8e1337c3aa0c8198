"""Ridge regression from sums that are exact: products of columns that are whole numbers, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qsdask.errors import BadDataError
from qsdask.kernels.linear import CLIPPED, LARGEST
from qsdask.kernels.whitened import pivoted_cholesky, solved

__all__ = ["GRID", "PENALTY_OF_ONE", "TARGET_STEP", "Products", "coefficients", "judged", "left_out", "whole_target"]

#: Penalties that are tried, in units of the number of rows.
GRID = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.2, 2.0, 4.0)

#: Penalty where there is a single glass: blocks of it share neighbours, and judged by them penalties are too small.
PENALTY_OF_ONE = 0.4

#: Step to which targets are rounded.
TARGET_STEP = 2.0**-16

#: Largest target, in steps: products with columns, and their sums over a block, stay exact in double precision.
_LARGEST_TARGET = 2**26

#: Rows that are multiplied at once: products of 24 bits add up to less than 2^53.
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Products:
    """Sums over rows of the products of columns z and target t, all of them whole numbers; those of two chunks add up.

    Attributes
    ----------
    n : int
        Rows.
    z : int64 array, shape (n_column,)
        Sums of the columns.
    zz : int64 array, shape (n_column, n_column)
        Sums of their products.
    zt : int64 array, shape (n_column,)
        Sums of their products with the target.
    t, tt : int
        Sum of the target, and of its square; of any size.
    """

    n: int
    z: np.ndarray
    zz: np.ndarray
    zt: np.ndarray
    t: int
    tt: int

    @classmethod
    def of(cls, whole: np.ndarray, target: np.ndarray) -> Products:
        """Products of rows.

        Parameters
        ----------
        whole : float32 array, shape (n, n_column)
            From `qsdask.learn.standard.Standard.whole`, without NaN.
        target : int64 array, shape (n,)
            From `whole_target`.
        """
        width = whole.shape[1]
        z, zz, zt = (np.zeros(shape, dtype=np.int64) for shape in (width, (width, width), width))
        for start in range(0, len(whole), _BLOCK):
            part = whole[start : start + _BLOCK].astype(np.float64)
            t = target[start : start + _BLOCK].astype(np.float64)
            z += part.sum(axis=0).astype(np.int64)
            zz += (part.T @ part).astype(np.int64)
            zt += (t @ part).astype(np.int64)
        return cls(len(whole), z, zz, zt, int(target.sum()), sum(int(part @ part) for part in _few(target)))

    def __add__(self, other: Products) -> Products:
        """Of the rows of both; exact, in any order."""
        return Products(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def __sub__(self, other: Products) -> Products:
        """Of the rows that `other`, a part, does not hold; exact."""
        return Products(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))

    def centred(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Covariances of columns, of columns and target, and variance of the target, in units of standard deviations
        and of the target.
        """
        step = CLIPPED / LARGEST
        mean, t = self.z / self.n, self.t / self.n
        zz = (self.zz / self.n - mean[:, None] * mean) * step**2
        zt = (self.zt / self.n - mean * t) * (step * TARGET_STEP)
        # Whole numbers of any size: nothing cancels.
        return zz, zt, (self.tt * self.n - self.t**2) / self.n**2 * TARGET_STEP**2


def _few(target: np.ndarray) -> list[np.ndarray]:
    """Parts of a target whose squares, of 52 bits, add up to less than 2^63."""
    return [target[start : start + 1024] for start in range(0, len(target), 1024)]


def whole_target(target: np.ndarray) -> np.ndarray:
    """Targets as whole numbers of `TARGET_STEP`: int64 array, shape (n,).

    Raises
    ------
    BadDataError
        ``E-TARGET``: one is beyond 1024, or has no value.
    """
    whole = np.rint(np.asarray(target, dtype=np.float64) / TARGET_STEP)
    if not (np.abs(whole) <= _LARGEST_TARGET).all():
        raise BadDataError(
            f"targets must be numbers from -1024 to 1024, the farthest is {np.abs(target).max():g}", code="E-TARGET"
        )
    return whole.astype(np.int64)


def coefficients(products: Products, penalty: float) -> np.ndarray:
    """Ridge regression of the target on centred columns.

    Parameters
    ----------
    products : Products
        Of the rows to learn from.
    penalty : float
        In units of the number of rows; above 0.

    Returns
    -------
    float64 array, shape (n_column,)
        What one standard deviation of a column adds to the target. The same bits on every machine.

    Notes
    -----
    Minimises the sum of squared residuals plus ``penalty * n`` times the sum of squared coefficients. A. E. Hoerl, R. W.
    Kennard, Technometrics 12, 55 (1970), doi:10.1080/00401706.1970.10488634.
    """
    zz, zt, _ = products.centred()
    zz[np.diag_indices_from(zz)] += penalty
    order, factor = pivoted_cholesky(zz, 0.0)
    return solved(order, factor, zt)


def left_out(groups: Mapping[int, Products]) -> dict[int, Products]:
    """For every group the products of the rows of all others."""
    first, *others = groups.values()
    total = sum(others, start=first)
    return {name: total - one for name, one in groups.items()}


def judged(groups: Mapping[int, Products], penalties: Sequence[float]) -> dict[float, float]:
    """How well each penalty does on groups that were left out.

    Parameters
    ----------
    groups : mapping of int to Products
        At least two.
    penalties : sequence of float
        To try.

    Returns
    -------
    dict of float to float
        Correlation of score and target in a group that was left out, the mean over groups; six digits.
    """
    others = left_out(groups)
    found = {}
    for penalty in penalties:
        each = [_correlation(groups[name], coefficients(others[name], penalty)) for name in groups]
        found[penalty] = float(f"{np.mean(each):.6g}")
    return found


def _correlation(products: Products, coefficient: np.ndarray) -> float:
    zz, zt, tt = products.centred()
    square = float(np.sum(coefficient * np.sum(zz * coefficient, axis=1))) * tt
    return float(np.sum(coefficient * zt)) / square**0.5 if square > 0.0 else 0.0
