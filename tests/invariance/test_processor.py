"""The processor does not change a byte: kernels compiled for any one, NumPy, BLAS and libm without what this one can do."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from tests.store_files import files_of

ROOT = Path(__file__).resolve().parents[2]

#: The GNU library has exp, log, pow, sin and the like twice, with and without fused multiply-add; the last bits differ.
OTHER_LIBM = "glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX2,-FMA,-FMA4"

CHAIN = """
import qsdask
from qsdask.engine.where import Run
from tests.small_store import SPECIES
run = Run("threads", 2, progress=False)
qsdask.ingest("tiny.dump", "tiny.zarr", species=SPECIES, strain_step=0.01, chunk=24, run=run)
for stage in (qsdask.shells, qsdask.features, qsdask.respond):
    stage("tiny.zarr", run=run)
qsdask.predict("tiny.zarr", model="tiny.qs", run=run)
"""


@pytest.fixture(scope="module")
def generic(tiny, tmp_path_factory) -> Path:
    """The small store, made where nothing is known of the processor."""
    home = tmp_path_factory.mktemp("generic")
    shutil.copy(tiny / "tiny.dump", home)
    shutil.copytree(tiny / "tiny.qs", home / "tiny.qs")
    plain = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        # What was compiled for this processor is not to be found, and the other way round.
        "NUMBA_CACHE_DIR": str(home / "cache"),
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name]),
        "OPENBLAS_CORETYPE": "Prescott",
        "GLIBC_TUNABLES": OTHER_LIBM,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", CHAIN], cwd=home, env={**os.environ, **plain}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert any((home / "cache").rglob("*.nbi"))
    return home / "tiny.zarr"


@pytest.mark.parametrize("group", ["frames", "shells", "features", "response", "softness"])
def test_every_byte_is_that_of_a_generic_processor(tiny, generic, group):
    here, there = files_of(tiny / "tiny.zarr" / group), files_of(generic / group)
    assert here
    assert [name for name in {*here, *there} if here.get(name) != there.get(name)] == []


def test_the_other_libm_is_another_one():
    """Otherwise the test above would compare a library with itself."""
    if "FMA3" not in __cpu_features__ or not __cpu_features__["FMA3"] or platform.libc_ver()[0] != "glibc":
        pytest.skip("this machine has one libm only")
    code = "import math; print([f(i / 999) for f in (math.exp, math.sin, math.atan) for i in range(1, 999)])"
    values = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, check=True).stdout
        for more in ({}, {"GLIBC_TUNABLES": OTHER_LIBM})
    ]
    assert values[0] != values[1]
