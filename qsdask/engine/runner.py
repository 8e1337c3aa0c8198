"""All of a cluster in one allocation: of the tasks of an ``srun`` one schedules, one is the user's command, the others work."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask
import psutil
from distributed import Client, Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

from qsdask.engine.classes import class_of, refuse_unknown
from qsdask.engine.environment import DASK_SETTINGS, WORKER_ENVIRONMENT, as_variable
from qsdask.engine.keys import KEY_FILES, security_of, write_keys
from qsdask.engine.local import scratch
from qsdask.engine.queue import await_workers
from qsdask.errors import ResumableError, UsageError
from qsdask.files.private import private_folder
from qsdask.settings import ClusterSettings

__all__ = ["runner"]

#: Ranks that do not work.
SCHEDULER, CLIENT = 0, 1

#: The tasks of a large step need a while to start. Unit: seconds.
START_SECONDS = 600


class _EndWithClient(SchedulerPlugin):
    """The scheduler ends, and the workers with it, when the user's command is gone, however it ended."""

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Dask calls this when a client has closed or was lost."""
        scheduler.loop.add_callback(scheduler.close)


@contextmanager
def runner(settings: ClusterSettings) -> Iterator[Client]:
    """The part of this process in the cluster; only the process that is the client comes to the body of the ``with``.

    The others schedule or work until the client has ended, and end themselves with status 0.

    Yields
    ------
    distributed.Client

    Raises
    ------
    UsageError
        ``E-CLUSTER-RUNNER`` outside of ``srun`` and with less than three tasks; ``E-EXTRA``; ``E-CLUSTER-OPTIONS``.
    ResumableError
        ``E-NO-WORKERS`` when the others do not come.
    """
    rank = _rank()
    made = class_of(settings)
    refuse_unknown(settings.kind, made, settings.options, more=("interface",))
    folder = Path.cwd() / f".qsdask-{_name_of_step()}"
    with ExitStack() as stack:
        if rank != CLIENT:
            _end_when_asked()
        if rank == SCHEDULER:
            write_keys(stack.enter_context(private_folder(folder)))
        else:
            _await(folder / KEY_FILES[-1])
        place = stack.enter_context(scratch())
        stack.enter_context(
            dask.config.set(
                {
                    **DASK_SETTINGS,
                    "temporary-directory": place,
                    # All of them write to one terminal, which is the user's.
                    "distributed.nanny.pre-spawn-environ": {
                        **WORKER_ENVIRONMENT,
                        as_variable("logging.distributed"): "critical",
                    },
                    "distributed.scheduler.no-workers-timeout": START_SECONDS,
                }
            )
        )
        found = made(**_given(settings, folder))
        # It would talk to the scheduler without our key, in order to end it.
        found.scheduler_comm = None
        client = stack.enter_context(Client(found.scheduler_address, security=security_of(folder), timeout="60s"))
        await_workers(client, "the scheduler of this srun", START_SECONDS, "run the same command again")
        yield client


def _rank() -> int:
    """Number of this process among the tasks of the step."""
    try:
        rank, tasks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    except (KeyError, ValueError):
        raise UsageError(
            "kind = 'runner' is for commands that srun has started",
            code="E-CLUSTER-RUNNER",
            hint="srun -n 8 qsdask run RECIPE --cluster runner",
        ) from None
    if tasks < 3:
        raise UsageError(
            f"kind = 'runner' needs three tasks, for scheduler, command and a worker; there are {tasks}",
            code="E-CLUSTER-RUNNER",
            hint="srun -n 8 qsdask run RECIPE --cluster runner",
        )
    return rank


def _name_of_step() -> str:
    """The same in all tasks of a step, and in no other step."""
    parts = (os.environ.get(f"SLURM_{name}", "0") for name in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    return "-".join(parts)


def _end_when_asked() -> None:
    """A scheduler or worker that is asked to end has nothing to say; the class asks itself in this way when it is done."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda *_: sys.exit(0))


def _await(file: Path) -> None:
    began = time.monotonic()
    while not file.exists():
        if time.monotonic() - began > START_SECONDS:
            raise ResumableError(
                "the scheduler of this srun has left no key here",
                code="E-NO-WORKERS",
                file=file,
                hint="start it in a folder that all its machines share",
            )
        time.sleep(0.2)


def _given(settings: ClusterSettings, folder: Path) -> dict[str, Any]:
    """Options of the class: where to listen, the key of the run, one process with one task at a time per rank."""
    options = dict(settings.options)
    interface = options.pop("interface", None) or _only_loopback()
    both = {"interface": interface, "protocol": "tls://", "security": security_of(folder)}
    scheduler = {**both, "dashboard_address": "127.0.0.1:0", **options.pop("scheduler_options", {})}
    workers = {
        **both,
        "nthreads": 1,
        "memory_limit": _share_of_memory(),
        "dashboard_address": "127.0.0.1:0",
        "death_timeout": START_SECONDS,
        **options.pop("worker_options", {}),
    }
    return {
        "worker_class": "distributed.Nanny",
        "scheduler_file": str(folder / "scheduler.json"),
        **options,
        "scheduler_options": {**scheduler, "plugins": [_EndWithClient()]},
        "worker_options": workers,
    }


def _only_loopback() -> str:
    """Loopback, where one machine is all there is."""
    if int(os.environ.get("SLURM_STEP_NUM_NODES", os.environ.get("SLURM_NNODES", "1"))) > 1:
        raise UsageError(
            "options.interface says on which network scheduler and workers listen, and none is named",
            code="E-CLUSTER-OPTIONS",
            why="without it they would listen on all of them",
            hint='--cluster FILE.toml with kind = "runner" and [cluster.options] interface = "ib0"',
        )
    return "lo" if "lo" in psutil.net_if_addrs() else "lo0"


def _share_of_memory() -> int:
    """Bytes for each of the tasks on a machine, as many as there are on the fullest one."""
    counts = os.environ.get("SLURM_STEP_TASKS_PER_NODE") or os.environ.get("SLURM_TASKS_PER_NODE") or "1"
    most = max(int(part.partition("(")[0]) for part in counts.split(","))
    per_node = int(os.environ.get("SLURM_MEM_PER_NODE", 0)) << 20
    return min(per_node or psutil.virtual_memory().total, psutil.virtual_memory().total) // most
