"""A script without a main guard ends in one message, not in the tracebacks of every worker."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import qsdask
qsdask.ingest("tiny.dump", "new.zarr", species={1: "Cu", 2: "Zr"}, strain_step=0.01, chunk=24)
print("done")
"""


def test_a_script_without_a_main_guard_is_told_so(own):
    (own / "analyse.py").write_text(SCRIPT)
    job = subprocess.run([sys.executable, "analyse.py"], cwd=own, capture_output=True, text=True, timeout=120)
    assert job.returncode == 1
    # The exception of this process comes last; Dask may have something to say before, of its own.
    assert "error E-MAIN-GUARD" in "\n".join(job.stderr.splitlines()[-3:]), job.stderr
    assert 'if __name__ == "__main__":' in job.stderr
    (own / "analyse.py").write_text(SCRIPT.replace("chunk=24)", 'chunk=24, run=qsdask.Run(cluster="threads"))'))
    job = subprocess.run([sys.executable, "analyse.py"], cwd=own, capture_output=True, text=True, timeout=120)
    assert (job.returncode, job.stdout) == (0, "done\n"), job.stderr


def test_a_script_with_a_main_guard_works(own):
    guarded = SCRIPT.replace("\nqsdask", '\nif __name__ == "__main__":\n    qsdask')
    (own / "analyse.py").write_text(guarded)
    job = subprocess.run([sys.executable, "analyse.py"], cwd=own, capture_output=True, text=True, timeout=120)
    assert job.returncode == 0, job.stderr
    assert (own / "new.zarr" / "zarr.json").is_file()
