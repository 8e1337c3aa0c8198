"""Disturb a job, resume it, compare: one function per kind of fault, each returns an `Outcome`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.chaos.job import start, write_dump
from tests.store_files import content_of

#: Runs that a disturbed job may need until it is done.
RESUMES = 4

#: What a message may take on a terminal.
LINES = 10


class Outcome(NamedTuple):
    """What became of one disturbed job.

    Attributes
    ----------
    disturbed : bool
        The fault came before the job was over.
    finished : bool
        Resumed runs brought it to its end.
    identical : bool
        Every byte of the store is that of an undisturbed job.
    told : bool
        What the disturbed run said was one message, without a traceback.
    note : str
        What went wrong, for a person.
    """

    disturbed: bool
    finished: bool
    identical: bool
    told: bool
    note: str


class Bench:
    """A folder with the dump, the undisturbed store, and how long that took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.dump = write_dump(folder / "glass.dump")
        self.local = self._undisturbed("local", "local")
        self._undisturbed("threads", "threads")
        with _cluster(folder / "cluster") as (address, _, _):
            self.apart = self._undisturbed("apart", address)
        self.expected = content_of(folder / "local.zarr")
        assert self.expected == content_of(folder / "threads.zarr")

    def _undisturbed(self, name: str, cluster: str) -> float:
        """Make a store; how many seconds that took."""
        begun = time.monotonic()
        job = start(self.dump, self.folder / f"{name}.zarr", cluster)
        said = job.communicate(timeout=300)[1]
        assert job.returncode == 0, said
        return time.monotonic() - begun

    def resumed(self, store: Path, said: str, *, disturbed: bool, status: int | None, told: bool) -> Outcome:
        """Run the job until it is done, and compare."""
        for _ in range(RESUMES):
            if status == 0:
                break
            job = start(self.dump, store, "threads")
            more = job.communicate(timeout=300)[1]
            status = job.returncode
            if status:
                said += more
        found = content_of(store) if store.is_dir() else {}
        identical = found == self.expected
        note = "" if identical and told else said[-2000:]
        if not identical:
            differing = {k for k in {*found, *self.expected} if found.get(k) != self.expected.get(k)}
            note += f"\ndiffering: {sorted(differing)[:10]}"
        shutil.rmtree(store, ignore_errors=True)
        return Outcome(disturbed, status == 0, identical, told, note)


def _readable(said: str) -> bool:
    return "Traceback" not in said and len(said.splitlines()) <= LINES


def kill(bench: Bench, target: str, seed: int) -> Outcome:
    """SIGKILL of a worker, the scheduler, a nanny or the driver at a random moment.

    The scheduler and the nannies of ``--cluster local`` live in the driver; for those two a cluster is started apart.
    """
    chance = random.Random(seed)
    store = bench.folder / f"kill-{target}-{seed}.zarr"
    if target in ("driver", "worker"):
        job = start(bench.dump, store, "local")
        victim = lambda: _victim(job, target, chance)  # noqa: E731
        disturbed, said = _strike(job, victim, chance.uniform(0.15, 0.95) * bench.local)
        return bench.resumed(store, said, disturbed=disturbed, status=job.returncode, told=_readable(said))
    with _cluster(bench.folder / f"cluster-{seed}") as (address, scheduler, nanny):
        job = start(bench.dump, store, address)
        victim = {"scheduler": lambda: scheduler.pid, "nanny": lambda: nanny.pid}[target]
        disturbed, said = _strike(job, victim, chance.uniform(0.15, 0.95) * bench.apart, wait=90)
    return bench.resumed(store, said, disturbed=disturbed, status=job.returncode, told=_readable(said))


def _strike(job: subprocess.Popen, victim, after: float, wait: float = 120) -> tuple[bool, str]:
    """Kill after some seconds; whether that was before the end, and what the job said."""
    try:
        said = job.communicate(timeout=after)[1]
        return False, said
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, TypeError):
            os.kill(victim(), signal.SIGKILL)
    try:
        return True, job.communicate(timeout=wait)[1]
    except subprocess.TimeoutExpired:
        # A job that neither ends nor goes on is what a user would stop by hand.
        os.killpg(job.pid, signal.SIGKILL)
        return True, job.communicate()[1] + "\n(hung; stopped by hand)" + "\n" * LINES


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Worker processes that it has; one that has just ended is none."""
    found = []
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def _victim(job: subprocess.Popen, target: str, chance: random.Random) -> int | None:
    if target == "driver":
        return job.pid
    workers = [worker.pid for worker in workers_of(psutil.Process(job.pid))]
    return chance.choice(workers) if workers else None


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen, subprocess.Popen]]:
    """A scheduler and two nannies with a worker each, as separate processes on loopback."""
    folder.mkdir(exist_ok=True)
    file = folder / "scheduler.json"

    def started(*command: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", *command, "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )

    scheduler = started("distributed.cli.dask_scheduler", "--port", "0")
    workers = [started("distributed.cli.dask_worker", "--nthreads", "1") for _ in range(2)]
    try:
        for _ in range(300):
            if file.exists() and file.stat().st_size:
                break
            time.sleep(0.1)
        yield str(file), scheduler, workers[0]
    finally:
        for process in (*workers, scheduler):
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


#: File operations at which a process may die, and how many of them a thread makes in the job, more or less.
OPERATIONS = {"openat": 3000, "write": 200, "fsync": 80, "rename": 80, "mkdir": 80, "unlink": 8}


def crash_point(bench: Bench, operation: str, nth: int) -> Outcome:
    """SIGKILL when a thread makes its nth call of one kind of file operation (needs strace)."""
    store = bench.folder / f"crash-{operation}-{nth}.zarr"
    killed = f"inject={operation}:signal=KILL:when={nth}"
    inject = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={operation}", "-e", killed)
    job = start(bench.dump, store, "threads", inject)
    said = job.communicate(timeout=300)[1]
    return bench.resumed(store, said, disturbed=job.returncode != 0, status=job.returncode, told=_readable(said))


def full_disk(bench: Bench, limit: str) -> Outcome:
    """A file system with so much room, ``size=BYTES`` or ``nr_inodes=FILES``; then it gets more.

    Needs the right to mount a tmpfs.
    """
    mounted = Path(tempfile.mkdtemp(prefix="full-", dir=bench.folder))
    subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(mounted)], check=True)
    try:
        job = start(bench.dump, mounted / "glass.zarr", "local")
        said = job.communicate(timeout=300)[1]
        more = "remount,size=1g" if limit.startswith("size") else "remount,nr_inodes=1000000"
        subprocess.run(["mount", "-o", more, str(mounted)], check=True)
        return _refused(bench, mounted / "glass.zarr", said, job.returncode)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


#: Starts a command that may write no file longer than so many bytes.
_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


def short_files(bench: Bench, n_byte: int) -> Outcome:
    """No file may grow beyond so many bytes (``ulimit -f``); then it may."""
    store = bench.folder / f"short-{n_byte}.zarr"
    job = start(bench.dump, store, "local", (sys.executable, "-c", _LIMITED, str(n_byte)))
    said = job.communicate(timeout=300)[1]
    return _refused(bench, store, said, job.returncode)


def little_memory(bench: Bench, n_byte: int) -> Outcome:
    """Workers that may take so much memory; then they may take what they need."""
    store = bench.folder / f"memory-{n_byte}.zarr"
    job = start(bench.dump, store, "local", memory_limit=str(n_byte))
    said = job.communicate(timeout=300)[1]
    told = _readable(said) and (job.returncode == 0 or "error E-" in said)
    return bench.resumed(store, said, disturbed=job.returncode != 0, status=job.returncode, told=told)


def _refused(bench: Bench, store: Path, said: str, status: int) -> Outcome:
    """Resume what ended for lack of room, or did not; the message must say so."""
    told = _readable(said) and (status == 0 or ("E-DISK-FULL" in said and status == 75))
    return bench.resumed(store, said, disturbed=status != 0, status=status, told=told)


def may_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs."""
    trial = Path(tempfile.mkdtemp(dir=folder))
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(trial)], capture_output=True)
    if done.returncode == 0:
        subprocess.run(["umount", str(trial)], check=True)
    return done.returncode == 0
