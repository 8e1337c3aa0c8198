"""The one place where Numba options are set.

Kernels are serial and release the GIL: Dask is the parallelism. ``parallel=True`` under Dask's threads can
abort the process. Compiled code is kept on disk, so that a second process starts at once. ``fastmath`` stays
off: results may not depend on how the compiler reorders a sum.
"""

from __future__ import annotations

from numba import njit

__all__ = ["inline", "kernel"]

kernel = njit(nogil=True, cache=True, error_model="numpy")
inline = njit(nogil=True, cache=True, error_model="numpy", inline="always")
