"""The exponential function, for loops over many numbers at once; its bits are the same on every machine."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import inline

__all__ = ["exponential"]


@inline
def exponential(x):
    """exp(x) for abs(x) < 700, without branches or calls, so that loops over it are vectorised; good to 2 ulp.

    x = m ln 2 + r with abs(r) < 0.35: adding 1.5 * 2**52 rounds x / ln 2 to the whole number m and leaves it in
    the low bits, from where it goes into the exponent. ln 2 is subtracted in two parts (the first has 20 zeros at
    its end), exp(r) is its Taylor series up to r**13.
    """
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    m = shifted - 6755399441055744.0
    r = (x - m * 6.93147180369123816490e-01) - m * 1.90821492927058770002e-10
    r2 = r * r
    r4 = r2 * r2
    # In pairs of terms (Estrin): chains are a third as long as Horner's.
    low = (1 + r) + (1 / 2 + r * (1 / 6)) * r2
    middle = (1 / 24 + r * (1 / 120)) + (1 / 720 + r * (1 / 5040)) * r2
    high = (1 / 40320 + r * (1 / 362880)) + (1 / 3628800 + r * (1 / 39916800)) * r2
    highest = 1 / 479001600 + r * (1 / 6227020800)
    p = (low + middle * r4) + (high + highest * r4) * (r4 * r4)
    bits = (np.float64(shifted).view(np.int64) + np.int64(1023)) << np.int64(52)
    return p * np.int64(bits).view(np.float64)
