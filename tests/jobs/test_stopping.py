"""A signal stops a job within seconds, says how to go on, and leaves no process behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_job_cleanly(tmp_path, number):
    folder = tmp_path / "a job"
    typed = ["quickstart", "--folder", str(folder), "--workers", "2"]
    job = subprocess.Popen(
        [sys.executable, "-m", "qsdask", *typed], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    begun = folder / "cu65_a.zarr" / "ledger" / "shells"
    deadline = time.monotonic() + 120
    while not begun.exists():
        assert job.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = psutil.Process(job.pid).children(recursive=True)
    job.send_signal(number)
    said = job.communicate(timeout=30)[1]
    assert job.returncode == 128 + number
    assert f"qsdask quickstart --folder '{folder}' --workers 2" in said
    assert len(said.splitlines()) <= 3
    psutil.wait_procs(workers, timeout=5)
    assert not [worker for worker in workers if worker.is_running()]
