"""Compiled code is kept where that is possible, and somewhere else where it is not."""

from __future__ import annotations

import subprocess
import sys

#: As on a compute node whose home and packages are read-only: every folder but a temporary one is refused.
READ_ONLY = """
import os, sys, tempfile
from numba.core import caching

def refused(locator, original=caching._CacheLocator.ensure_cache_path):
    if not locator.get_cache_path().startswith(tempfile.gettempdir() + "/qsdask-numba-"):
        raise OSError("read-only file system")
    original(locator)

caching._CacheLocator.ensure_cache_path = refused
from qsdask.kernels.affine import fill_d2min
from qsdask.kernels.jit import kernel
place = os.environ["NUMBA_CACHE_DIR"]
print(place, oct(os.stat(place).st_mode & 0o777))
from qsdask.kernels.cells import neighbour_shell
import numpy as np
print(neighbour_shell(np.eye(3), np.arange(3), 3, 2.0).count.tolist(), len(os.listdir(place)) > 0)
"""


def test_a_read_only_home_and_package_are_no_obstacle():
    job = subprocess.run([sys.executable, "-c", READ_ONLY], capture_output=True, text=True, timeout=300)
    assert job.returncode == 0, job.stderr
    place, mode, *counted = job.stdout.split(maxsplit=2)
    assert mode == "0o700"
    assert counted == ["[2, 2, 2] True\n"]
    assert job.stderr.count("kernels are compiled anew") == 1
    assert subprocess.run(["test", "-e", place]).returncode == 1


def test_the_exponential_function_is_that_of_the_system_wherever_a_vector_library_is_installed():
    """With Intel's, 2 % of the probabilities of trees differ from LightGBM's in the last bit."""
    asked = "import qsdask.kernels.jit; from numba import config as c; print(c.DISABLE_INTEL_SVML, c.USING_SVML)"
    job = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=300)
    assert job.stdout.split() == ["1", "False"], job.stderr
