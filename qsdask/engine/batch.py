"""Workers that are jobs of a batch system: what every site needs, set where the user has not said otherwise."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import psutil

from qsdask.engine.classes import class_of, refuse_unknown
from qsdask.engine.environment import DASK_SETTINGS, WORKER_ENVIRONMENT, as_variable
from qsdask.engine.keys import security_of
from qsdask.errors import UsageError
from qsdask.settings import ClusterSettings

__all__ = ["completed", "job_script", "keys_beside", "logs_of", "processes_of", "walltime_seconds"]

_log = logging.getLogger(__name__)

#: A worker leaves so long before its job ends, so that what it holds goes to others. Unit: seconds.
BEFORE_THE_END = 300

#: Not all at once: each by up to this share of the time above earlier or later.
STAGGER = 0.4

#: A worker that finds no scheduler gives up after so long; on a busy file system its imports alone take a while. Unit: seconds.
NO_SCHEDULER_SECONDS = 300

#: Where the output of jobs goes, below the current folder.
LOGS = "qsdask-jobs"

#: A scratch folder that is the job's own, on a disk of its machine: Dask's has one name for all users.
_SCRATCH = (
    'export DASK_TEMPORARY_DIRECTORY="$(mktemp -d "${TMPDIR:-/tmp}/qsdask-XXXXXXXX")"',
    "trap 'rm -rf \"$DASK_TEMPORARY_DIRECTORY\"' EXIT",
)

#: Stands for the random part of a name in what is only shown.
_ANY = "XXXXXXXX"


def completed(settings: ClusterSettings, made: Callable[..., Any], keys: Path, logs: Path) -> dict[str, Any]:
    """Options of a class of dask-jobqueue, with what the user and Dask's configuration leave open.

    Parameters
    ----------
    settings : ClusterSettings
        Of a batch system.
    made : callable
        Its class.
    keys : Path
        Folder with the key of the run; see `qsdask.engine.keys`.
    logs : Path
        Where the output of jobs goes.

    Returns
    -------
    dict
        One process per core; a lifetime below the walltime; TLS; the environment of workers; scratch folders of their own;
        status pages on loopback.

    Raises
    ------
    UsageError
        ``E-CLUSTER-OPTIONS`` for an option that the class does not know, a walltime that cannot be read, without cores and
        memory, and without a network interface.
    """
    refuse_unknown(settings.kind, made, settings.options)
    value = _values(settings.options, made)
    if value("cores") is None or value("memory") is None:
        raise UsageError(
            "options.cores and options.memory say what a job takes",
            code="E-CLUSTER-OPTIONS",
            hint='[cluster.options] cores = 32, memory = "120GB"',
        )
    scheduler = {"dashboard_address": "127.0.0.1:0", **(value("scheduler_options") or {})}
    workers = _worker_arguments(settings.kind, value)
    _refuse_any_interface(value("interface"), scheduler, workers)
    given = {
        "death_timeout": NO_SCHEDULER_SECONDS,
        **settings.options,
        "processes": value("processes") or int(value("cores")),
        "job_name": value("job_name") or "qsdask",
        "log_directory": str(logs),
        "scheduler_options": scheduler,
        "worker_extra_args": workers,
        "job_script_prologue": _prologue(value),
        "silence_logs": logging.CRITICAL,
    }
    given.pop("shared_temp_directory", None)  # the keys are files already
    if settings.options.get("security") is False or settings.options.get("protocol") == "tcp://":
        _log.warning("the cluster has no TLS: whoever reaches its scheduler can run code as you")
        return {**given, "security": None}
    return {**given, "protocol": "tls://", "security": security_of(keys)}


def job_script(settings: ClusterSettings) -> str:
    """Script of a job, as it would be handed to the batch system; nothing is started, and nothing stays behind.

    Raises
    ------
    UsageError
        As `completed`, and ``E-EXTRA``.
    """
    made = class_of(settings)
    refuse_unknown(settings.kind, made, settings.options)
    keys = keys_beside(settings, made, _ANY)
    with TemporaryDirectory(prefix="qsdask-") as folder:
        # The class makes the folder of its logs when it writes the script.
        given = completed(settings, made, keys, Path(f"{folder}{logs_of(settings, made)}"))
        ours = ("scheduler_options", "silence_logs")
        text: str = made.job_cls(  # type: ignore[attr-defined]
            "SCHEDULER", name="NAME", **{name: one for name, one in given.items() if name not in ours}
        ).job_script()
        return text.replace(folder, "")


def keys_beside(settings: ClusterSettings, made: Callable[..., Any], token: str) -> Path:
    """Folder for the key of a run, on a file system that all machines share: the current folder, or as the user says."""
    parent = _values(settings.options, made)("shared_temp_directory") or os.getcwd()
    return (
        _plain(Path(os.path.expandvars(str(parent))).expanduser().absolute(), "shared_temp_directory")
        / f".qsdask-{token}"
    )


def logs_of(settings: ClusterSettings, made: Callable[..., Any]) -> Path:
    """Folder for the output of jobs."""
    named = Path(os.path.expandvars(str(_values(settings.options, made)("log_directory") or LOGS)))
    return _plain(named.expanduser().absolute(), "log_directory")


def processes_of(settings: ClusterSettings) -> int:
    """Worker processes of a job."""
    value = _values(settings.options, class_of(settings))
    return int(value("processes") or value("cores") or 1)


def _plain(path: Path, option: str) -> Path:
    """Batch systems and job scripts take names without quotes."""
    if re.search(r"[^\w./+@%:,=-]", str(path)):
        raise UsageError(
            "the name of this folder has blanks or signs that a job script cannot carry",
            code="E-CLUSTER-OPTIONS",
            file=path,
            hint=f"name another one: cluster.options.{option}",
        )
    return path


def _values(options: Mapping[str, Any], made: Callable[..., Any]) -> Callable[[str], Any]:
    """Value of an option: the user's, or that of Dask's configuration, which sites prepare for their users."""
    place = options.get("config_name") or made.job_cls.config_name  # type: ignore[attr-defined]
    # There the name of a job has another key, and a default that tells nothing.
    renamed = {"job_name": "name"}

    def value(name: str) -> Any:
        if name in options:
            return options[name]
        found = dask.config.get(f"jobqueue.{place}.{renamed.get(name, name).replace('_', '-')}", None)
        return None if found == "dask-worker" else found

    return value


def _worker_arguments(kind: str, value: Callable[[str], Any]) -> list[str]:
    given = [str(word) for word in value("worker_extra_args") or []]
    more = [] if {"--dashboard-address", "--no-dashboard"} & set(given) else ["--dashboard-address", "127.0.0.1:0"]
    if value("walltime") and "--lifetime" not in given:
        total = walltime_seconds(kind, str(value("walltime")))
        early = min(BEFORE_THE_END, total / 4)
        more += ["--lifetime", f"{total - early:.0f}s", "--lifetime-stagger", f"{early * STAGGER:.0f}s"]
    return [*given, *more]


def _refuse_any_interface(interface: str | None, scheduler: Mapping[str, Any], workers: list[str]) -> None:
    """Refuse to listen on all networks of a machine, as Dask does where no interface is named."""
    named_for_scheduler = interface or scheduler.get("interface") or scheduler.get("host")
    named_for_workers = interface or {"--interface", "--host"} & set(workers)
    if named_for_scheduler and named_for_workers:
        return
    raise UsageError(
        "options.interface says on which network scheduler and workers listen, and none is named",
        code="E-CLUSTER-OPTIONS",
        why="without it they would listen on all of them",
        hint=f"the one that login and compute nodes share, often ib0 or eth0; here there are {', '.join(_interfaces())}",
    )


def _interfaces() -> list[str]:
    return [
        f"{name} ({address.address})"
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family.name == "AF_INET"
    ]


def _prologue(value: Callable[[str], Any]) -> list[str]:
    """Lines of the user, then ours; what his lines name is his."""
    given = [str(line) for line in value("job_script_prologue") or []]
    said = "\n".join(given)
    wanted = {**WORKER_ENVIRONMENT, **{as_variable(name): one for name, one in DASK_SETTINGS.items()}}
    ours = [f"export {name}={one}" for name, one in wanted.items() if not re.search(rf"\b{name}=", said)]
    return [*given, *ours, *([] if value("local_directory") else _SCRATCH)]


def walltime_seconds(kind: str, text: str) -> int:
    """Seconds that a job may run.

    Parameters
    ----------
    kind : str
        Batch system: LSF means hours and minutes by ``04:00``, SLURM minutes and seconds; by ``90`` SLURM and LSF mean
        minutes, others seconds.
    text : str
        As the batch system takes it; for SLURM with days before a hyphen, too.

    Raises
    ------
    UsageError
        ``E-CLUSTER-OPTIONS`` when it is no such time.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if not found:
        raise UsageError(
            f"options.walltime is {text!r}, expected such as '04:00:00'",
            code="E-CLUSTER-OPTIONS",
            hint="with quotes, and as the batch system takes it",
        )
    days = int(found[1] or 0)
    numbers = [int(part) for part in found.groups()[1:] if part is not None]
    if days or len(numbers) == 3 or (kind == "lsf" and len(numbers) == 2):
        units = (3600, 60, 1)
    elif len(numbers) == 2 or kind in ("slurm", "lsf"):
        units = (60, 1, 0)
    else:
        units = (1, 0, 0)
    return days * 86400 + sum(number * unit for number, unit in zip(numbers, units, strict=False))
