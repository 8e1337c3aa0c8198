"""Waiting for workers, said aloud: those of a scheduler that stands, and jobs in the queue of a batch system."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, Status

from qsdask.errors import ResumableError

__all__ = ["Queue", "await_workers", "losses_told", "telling"]

_log = logging.getLogger(__name__)

#: How often it is looked whether workers have come, and how the jobs stand. Unit: seconds.
LOOK_SECONDS = 15

#: Said again after so long, although nothing has changed. Unit: seconds.
AGAIN_SECONDS = 600.0

#: Prints state and reason of jobs; only where it is known how to ask.
_ASKED = {"slurm": ("squeue", "--noheader", "--format=%i %T %r", "--jobs")}


def telling(job: Any) -> Any:
    """A class of jobs of dask-jobqueue that keep what the batch system said when it refused them.

    Dask asks for jobs in its event loop, where nobody would hear that they were refused.
    """

    class Telling(job):
        refusal = ""

        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                self.refusal = _refusal(error)
                self.status = Status.failed

    return Telling


def _refusal(error: Exception) -> str:
    """What a command printed on standard error, out of the message of dask-jobqueue, or any other message."""
    if isinstance(error, FileNotFoundError):
        return f"there is no command {error.filename} on this machine"
    text = str(error)
    return " ".join((text.partition("stderr:")[2] or text).split()) or text.partition("\n")[0]


class Queue:
    """Jobs that a cluster has in a batch system.

    Parameters
    ----------
    kind : str
        The batch system.
    cluster : dask_jobqueue.core.JobQueueCluster
        The cluster; its jobs are of `telling`.
    logs : Path
        Folder with the output of its jobs.
    """

    def __init__(self, kind: str, cluster: Any, logs: Path) -> None:
        self._kind, self._cluster, self._logs = kind, cluster, logs
        self._gone: set[str] = set()

    def told(self) -> str:
        """Jobs, and how they stand."""
        ids = self._ids()
        known = dict(line.removesuffix(" None").partition(" ")[::2] for line in self._lines(ids) or [])
        return ", ".join(f"job {one} {known[one]}" if one in known else f"job {one}" for one in ids) or "no job yet"

    def refuse_refused(self) -> None:
        """End where the batch system has taken no job.

        Raises
        ------
        ResumableError
            ``E-JOB-REFUSED`` with what it says.
        """
        jobs = list(self._cluster.workers.values())
        refused = [job.refusal for job in jobs if job.refusal]
        if refused and len(refused) == len(jobs):
            raise ResumableError(
                f"the batch system takes no job: {refused[0]}",
                code="E-JOB-REFUSED",
                hint="'qsdask cluster FILE --dry-run' prints the script of a job",
            )

    def forget_lost(self) -> None:
        """Give up jobs that were refused, or have left the queue before a worker came: one that adapts asks for others.

        Dask does not look into the queue, and would wait for them for ever.
        """
        jobs = dict(self._cluster.workers)
        workers = [str(worker.name) for worker in list(self._cluster.scheduler.workers.values())]
        silent = {
            name: str(job.job_id)
            for name, job in jobs.items()
            if job.job_id and not any(one == str(job.name) or one.startswith(f"{job.name}-") for one in workers)
        }
        lines = self._lines(sorted(silent.values()))
        queued = set(silent.values()) if lines is None else {line.split()[0] for line in lines}
        gone = {name for name, one in silent.items() if one not in queued}
        # Twice, for a worker may be about to come.
        lost = {name for name, job in jobs.items() if job.refusal} | (gone & self._gone)
        self._gone = gone
        for name in lost:
            said = jobs[name].refusal or f"job {silent[name]} ended before a worker came from it, or after it left"
            _log.warning("%s", said)
        if lost:
            self._cluster.loop.add_callback(self._cluster.scale_down, list(lost))

    def refuse_gone(self) -> None:
        """End where all jobs have left the queue and no worker has come from them.

        Raises
        ------
        ResumableError
            ``E-JOB-ENDED`` with the folder of their output.
        """
        ids = self._ids()
        if ids and self._lines(ids) == []:
            raise ResumableError(
                f"job {', '.join(ids)} ended before a worker came from it",
                code="E-JOB-ENDED",
                file=self._logs,
                why="its output in this folder says more: modules that are missing, an address that it cannot reach",
                hint="'qsdask cluster FILE --dry-run' prints the script of a job",
            )

    def _ids(self) -> list[str]:
        return sorted({str(job.job_id) for job in list(self._cluster.workers.values()) if job.job_id})

    def _lines(self, ids: list[str]) -> list[str] | None:
        """A line for each job in the queue; None where that is not known."""
        if not ids or self._kind not in _ASKED:
            return None
        try:
            done = subprocess.run([*_ASKED[self._kind], ",".join(ids)], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode and "nvalid job id" not in done.stderr:
            return None
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        return [line for line in lines if not line.split()[1].startswith(("COMPLET", "FAIL", "CANCEL", "TIMEOUT"))]


def await_workers(client: Client, who: str, seconds: float, hint: str, *, queue: Queue | None = None) -> None:
    """Wait for the first worker, and say so: batch systems start them when there is room.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    who : str
        Its name, such as ``"the scheduler at tcp://..."``.
    seconds : float
        How long.
    hint : str
        What the user may do when none comes.
    queue : Queue, optional
        Jobs that are waited for.

    Raises
    ------
    ResumableError
        ``E-NO-WORKERS`` when none comes; ``E-JOB-ENDED`` when none can come any more.
    """
    if client.scheduler_info(n_workers=1)["workers"]:
        return
    _log.warning("%s has no workers yet; waiting up to %g s for one", who, seconds)
    began, said, spoke = time.monotonic(), "", 0.0
    while True:
        left = began + seconds - time.monotonic()
        if queue is not None:
            told = queue.told()
            if told != said or time.monotonic() - spoke > AGAIN_SECONDS:
                _log.warning("waiting for the queue: %s", told)
                said, spoke = told, time.monotonic()
        try:
            client.wait_for_workers(1, timeout=max(0.0, min(LOOK_SECONDS, left)))
            return
        except TimeoutError:
            if queue is not None:
                queue.refuse_refused()
                queue.refuse_gone()
        if left <= LOOK_SECONDS:
            raise ResumableError(
                f"no worker has come to {who} in {seconds:g} s", code="E-NO-WORKERS", hint=hint
            ) from None


@contextmanager
def losses_told(workers: Callable[[], int], queue: Queue) -> Iterator[None]:
    """Within the ``with``, say when all workers are gone and others are waited for, and when some are there again.

    Parameters
    ----------
    workers : callable
        How many there are now.
    queue : Queue
        Jobs that are waited for.
    """
    over = threading.Event()

    def watch() -> None:
        missing = 0
        while not over.wait(LOOK_SECONDS):
            found = workers()
            queue.forget_lost()
            # Once may be between one job and the next.
            if not found and (missing := missing + 1) == 2:
                _log.warning("all workers are gone; waiting for the queue: %s", queue.told())
            elif found:
                if missing >= 2:
                    _log.warning("going on with %d worker processes", found)
                missing = 0

    watcher = threading.Thread(target=watch, name="qsdask-queue", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(timeout=LOOK_SECONDS)
