"""Distance of points from a cloud of points, in units of its own spread: Mahalanobis' distance."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["cholesky_of_cloud", "pivoted_cholesky", "solved", "squared_distance"]


@kernel
def _correlation(z):
    """Mean products of the columns of `z`, rows added one after the other; only the lower triangle is filled."""
    n, width = z.shape
    product = np.zeros((width, width))
    for row in range(n):
        for i in range(width):
            x = z[row, i]
            for j in range(i + 1):
                product[i, j] += x * z[row, j]
    return product / n


@kernel
def pivoted_cholesky(product, least):
    """Columns in the order of what they add, and the Cholesky factor of their products.

    Parameters
    ----------
    product : float64 array, shape (n_column, n_column)
        Symmetric, not negative; only the lower triangle is read.
    least : float
        Columns that add no more than this are left out.

    Returns
    -------
    order : int64 array, shape (rank,)
        The columns that are kept, in the order of the factor.
    factor : float64 array, shape (rank, rank)
        Lower triangular.
    """
    width = product.shape[0]
    order = np.arange(width)
    factor = np.zeros((width, width))
    left = np.empty(width)
    for i in range(width):
        left[i] = product[i, i]
    rank = 0
    while rank < width:
        best = rank
        for i in range(rank + 1, width):
            if left[i] > left[best]:
                best = i
        if not left[best] > least:
            break
        order[rank], order[best] = order[best], order[rank]
        left[rank], left[best] = left[best], left[rank]
        for k in range(rank):
            factor[rank, k], factor[best, k] = factor[best, k], factor[rank, k]
        pivot = np.sqrt(left[rank])
        factor[rank, rank] = pivot
        for i in range(rank + 1, width):
            a, b = max(order[i], order[rank]), min(order[i], order[rank])
            value = product[a, b]
            for k in range(rank):
                value -= factor[i, k] * factor[rank, k]
            factor[i, rank] = value / pivot
            left[i] -= factor[i, rank] * factor[i, rank]
        rank += 1
    return order[:rank], factor[:rank, :rank]


def cholesky_of_cloud(z: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Cholesky factor of the covariance of centred points, without columns that follow from others.

    Parameters
    ----------
    z : float64 array, shape (n, n_column)
        Columns of mean 0 and standard deviation 1, or 0 throughout.
    least : float
        A column is left out when less than this share of its variance is not a linear function of those before it.

    Returns
    -------
    order : int64 array, shape (rank,)
        The columns that are kept, in the order of the factor.
    factor : float64 array, shape (rank, rank)
        Lower triangular; ``factor @ factor.T`` is their covariance.

    Notes
    -----
    Sums run row by row in one order, without BLAS: the same bits on every machine. Cost: n * n_column**2 / 2.
    """
    return pivoted_cholesky(_correlation(np.ascontiguousarray(z, dtype=np.float64)), least)


@kernel
def solved(order, factor, right):
    """Solution x of ``product @ x = right``, of shape (n_column,), by the factor of `pivoted_cholesky` with all columns.

    Notes
    -----
    Without BLAS: the same bits on every machine, with any number of threads.
    """
    rank = order.shape[0]
    half = np.empty(rank)
    out = np.zeros(rank)
    for i in range(rank):
        x = right[order[i]]
        for k in range(i):
            x -= factor[i, k] * half[k]
        half[i] = x / factor[i, i]
    for i in range(rank - 1, -1, -1):
        x = half[i]
        for k in range(i + 1, rank):
            x -= factor[k, i] * half[k]
        half[i] = x / factor[i, i]
        out[order[i]] = half[i]
    return out


@kernel
def squared_distance(value, order, mean, scale, factor):
    """Squared Mahalanobis distance of every row.

    Parameters
    ----------
    value : float array, shape (n, n_column)
        Points.
    order : int64 array, shape (rank,)
        Columns that count.
    mean, scale : float64 array, shape (rank,)
        Of these columns.
    factor : float64 array, shape (rank, rank)
        See `cholesky_of_cloud`.

    Returns
    -------
    float64 array, shape (n,)
        NaN where a column is NaN.

    Notes
    -----
    By forward substitution, each row alone. Cost: rank**2 / 2 a row. P. C. Mahalanobis, Proc. Natl. Inst. Sci. India 2, 49
    (1936).
    """
    n, rank = value.shape[0], order.shape[0]
    out = np.empty(n)
    solved = np.empty(rank)
    for row in range(n):
        total = 0.0
        for i in range(rank):
            x = (value[row, order[i]] - mean[i]) / scale[i]
            for k in range(i):
                x -= factor[i, k] * solved[k]
            x /= factor[i, i]
            solved[i] = x
            total += x * x
        out[row] = total
    return out
