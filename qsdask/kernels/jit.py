"""The one place where Numba options are set.

Kernels are serial and release the GIL: Dask is the parallelism. ``parallel=True`` under Dask's threads can
abort the process. Compiled code is kept on disk, so that a second process starts at once; Numba keeps that of different
processors apart. ``fastmath`` stays off, and so does Intel's vector library where there is one: results may not depend on
how the compiler reorders a sum, nor on whose exponential function a machine has.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile

os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")  # Numba asks for it once, when it is loaded

import numba
from numba import njit

__all__ = ["inline", "kernel"]

_log = logging.getLogger(__name__)


def _probe() -> None:
    """Compiled by nobody."""


def _find_cache() -> None:
    """Make a folder for compiled code where Numba finds none: package and home are read-only on many compute nodes."""
    try:
        njit(cache=True)(_probe)
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix="qsdask-numba-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        # For this process, and for the worker processes started from here. Numba makes the names of its settings as it
        # is loaded; its types do not know them.
        numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]
        os.environ["NUMBA_CACHE_DIR"] = folder
        _log.warning(
            "neither the package's folder nor the home can be written: kernels are compiled anew, into %s; "
            "NUMBA_CACHE_DIR names a folder that stays",
            folder,
        )


_find_cache()

kernel = njit(nogil=True, cache=True, error_model="numpy")
inline = njit(nogil=True, cache=True, error_model="numpy", inline="always")
