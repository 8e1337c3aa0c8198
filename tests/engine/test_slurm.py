"""On a real SLURM, of this machine alone: ``python -m pytest -m cluster tests/engine/test_slurm.py``."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import qsdask
from qsdask.engine.where import Run
from tests.chaos.job import write_dump
from tests.engine.slurm_host import Host, needs_slurm, slurm_host
from tests.store_files import content_of, files_of

pytestmark = needs_slurm()

TABLE = """
[cluster]
kind = "slurm"
workers = 2
[cluster.options]
cores = 1
memory = "1500MB"
walltime = "00:30:00"
interface = "lo"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    pytest.importorskip("dask_jobqueue", reason="needs the extra hpc: pip install 'qsdask[hpc]'")
    with slurm_host(tmp_path_factory.mktemp("slurm")) as found:
        yield found


def start(host: Host, folder: Path, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
    """A command of qsdask in this folder."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "qsdask", *words],
        cwd=folder,
        env={**host.environment, "PYTHONPATH": str(Path(qsdask.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def listening(host: Host) -> set[tuple[bool, str]]:
    """Addresses on which this SLURM, its jobs and commands that use it listen, as ``ss -ltn`` shows them; whether a job does."""
    # SLURM's own parent of a job is a child of nobody: the environment tells what belongs together.
    conf = host.environment["SLURM_CONF"]
    found = {one.pid: one.info["environ"] or {} for one in psutil.process_iter(["environ"])}
    ours = {pid: "SLURM_JOB_ID" in environ for pid, environ in found.items() if environ.get("SLURM_CONF") == conf}
    lines = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    shown = [(int(pid), line.split()[3]) for line in lines for pid in re.findall(r"pid=(\d+)", line)]
    return {(ours[pid], place.rpartition(":")[0].strip("[]")) for pid, place in shown if pid in ours}


def test_quickstart_on_slurm_with_a_job_cancelled_gives_the_same_bytes(host, tmp_path, few):
    (tmp_path / "hpc.toml").write_text(TABLE)
    job = start(host, tmp_path, "quickstart", "--folder", "there", "--cluster", "hpc.toml", "--quiet")
    cancelled, seen, begun = "", set(), tmp_path / "there" / "cu65_a.zarr" / "ledger" / "shells"
    while job.poll() is None:
        seen |= listening(host)
        if not cancelled and begun.exists() and (running := host.running()):
            cancelled = running[0]
            host.ask("scancel", cancelled)
        time.sleep(0.3)
    said = job.communicate()[1]
    assert job.returncode == 0, said
    assert cancelled
    assert "waiting for the queue: job" in said
    assert {of_job for of_job, _ in seen} == {True, False}, "sockets of workers and of scheduler"
    assert all(ipaddress.ip_address(address).is_loopback for _, address in seen), seen
    time.sleep(2)
    assert host.ended()[cancelled] == "CANCELLED"
    assert max(map(int, host.ended())) > int(cancelled), "no other job took its place"
    qsdask.quickstart(tmp_path / "here", run=few)
    for name in ("cu65_a.zarr", "cu65_b.zarr"):
        assert content_of(tmp_path / "there" / name) == content_of(tmp_path / "here" / name)
    assert files_of(tmp_path / "there" / "cu65.qs") == files_of(tmp_path / "here" / "cu65.qs")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["here", "hpc.toml", "qsdask-jobs", "there"], "the key of the run must not stay"


def test_all_of_a_cluster_in_one_srun(host, tmp_path, few):
    write_dump(tmp_path / "glass.dump")
    ingest = ["ingest", "glass.dump", "there.zarr", "--species", "1=Cu,2=Zr", "--chunk", "256", "--quiet"]
    before = ("srun", "--overcommit", "--ntasks=4", "--mem=6000")
    for words in (ingest, ["shells", "there.zarr", "--quiet"]):
        job = start(host, tmp_path, *words, "--cluster", "runner", before=before)
        out, said = job.communicate(timeout=500)
        assert job.returncode == 0, said
        assert out.count("done. Next") == 1
        assert "distributed" not in said
    qsdask.ingest(
        tmp_path / "glass.dump", tmp_path / "here.zarr", species={1: "Cu", 2: "Zr"}, name="there", chunk=256, run=few
    )
    qsdask.shells(tmp_path / "here.zarr", run=few)
    assert content_of(tmp_path / "there.zarr") == content_of(tmp_path / "here.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["glass.dump", "here.zarr", "there.zarr"]


def test_the_command_of_an_srun_is_told_what_is_wrong_once(host, tmp_path):
    job = start(host, tmp_path, "shells", "none.zarr", "--cluster", "runner", before=("srun", "--overcommit", "-n3"))
    said = job.communicate(timeout=300)[1]
    assert said.count("error E-NO-STORE") == 1, said
    assert job.returncode == 66


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ('queue = "nonsense"', "E-JOB-REFUSED", "partition"),
        ('job_script_prologue = ["exit 1"]', "E-JOB-ENDED", "qsdask-jobs"),
    ],
)
def test_jobs_that_do_not_start_end_in_one_message(host, tmp_path, line, code, words):
    (tmp_path / "hpc.toml").write_text(f"{TABLE}{line}\n")
    job = start(host, tmp_path, "cluster", "hpc.toml")
    said = job.communicate(timeout=300)[1]
    assert job.returncode == 75, said
    assert code in said
    assert words in said
    assert "Traceback" not in said


def test_a_cluster_is_tried_and_shown(host, tmp_path):
    (tmp_path / "hpc.toml").write_text(TABLE)
    out, said = start(host, tmp_path, "cluster", "hpc.toml", "--workers", "1").communicate(timeout=300)
    assert "slurm: scheduler tls://127.0.0.1:" in out, said
    assert "1.5 GB" in out
    assert host.running() == []


@pytest.fixture
def here(host, tmp_path, monkeypatch):
    """This process in the folder of the test, as a user of the SLURM."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_CONF", host.environment["SLURM_CONF"])
    monkeypatch.setenv("PYTHONPATH", str(Path(qsdask.__file__).parents[1]))
    return tmp_path


def test_python_names_a_run_on_slurm_too(here):
    (here / "hpc.toml").write_text(TABLE.replace("workers = 2", "workers = 2\nadapt = false"))
    run = Run("hpc.toml", progress=False)
    assert run.threads() == 2
    with run.connected() as client:
        client.wait_for_workers(2, timeout=200)
        assert client.submit(sum, [1, 2]).result() == 3
        assert client.scheduler.address.startswith("tls://127.0.0.1")


def test_a_job_that_ends_before_its_worker_comes_is_replaced(host, here, caplog):
    (here / "hpc.toml").write_text(TABLE)
    with Run("hpc.toml", progress=False).connected() as client:
        known = set(host.running())
        work = client.map(time.sleep, [1.5] * 200, pure=False)
        lost = next_job(host, known)
        host.ask("scancel", lost)
        assert int(next_job(host, known | {lost})) > int(lost)
        client.wait_for_workers(2, timeout=100)
        client.cancel(work)
    assert caplog.text.count(f"job {lost} ended before a worker came from it") == 1


def next_job(host: Host, known: set[str]) -> str:
    """Number of a job that runs and was not known."""
    deadline = time.monotonic() + 120
    while not (found := set(host.running()) - known):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found.pop()
