"""A signal stops a job within seconds, says how to go on, and leaves no process behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
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


def test_a_second_signal_ends_it_at_once_and_still_says_how_to_go_on():
    code = """
import os, signal, time, qsdask.cli
from qsdask.cli.group import cli
def stuck(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
cli.main = stuck
qsdask.cli.main(["ingest", "a b.dump", "store.zarr", "--overwrite"])
"""
    job = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=50)
    assert job.returncode == -signal.SIGINT
    assert job.stderr == "qsdask: stopped; go on from here with\n  qsdask ingest 'a b.dump' store.zarr\n"


def test_a_signal_after_the_last_words_is_no_traceback():
    code = """
import atexit, os, signal, qsdask.cli
from qsdask.cli.group import cli
cli.main = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
raise SystemExit(qsdask.cli.main(["info", "store.zarr"]))
"""
    job = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=50)
    assert job.returncode == -signal.SIGINT
    assert job.stderr == "qsdask: stopped; go on from here with\n  qsdask info store.zarr\n"
