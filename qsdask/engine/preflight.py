"""What is checked before the first task is sent: memory of the workers, room on the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dask.utils import format_bytes
from distributed import Client

from qsdask.engine.cost import BASE_BYTES, StagePlan
from qsdask.errors import ResumableError, UsageError
from qsdask.files.location import in_bucket

__all__ = ["check_disk", "check_memory"]

#: Files beside the chunks: metadata, coordinates, the ledger's own.
FEW_FILES = 200


def check_memory(client: Client, plan: StagePlan) -> None:
    """Refuse workers whose memory limit is below what a task needs.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    plan : StagePlan
        Cost of the stage.

    Raises
    ------
    UsageError
        ``E-MEMORY`` with the number needed.
    """
    for worker in client.scheduler_info(n_workers=-1)["workers"].values():
        # Threads of one process hold a task each, and share the rest.
        need = BASE_BYTES + worker["nthreads"] * (plan.bytes_memory - BASE_BYTES)
        if 0 < worker["memory_limit"] < need:
            raise UsageError(
                f"{plan.stage} needs {format_bytes(int(need))} of memory per worker, "
                f"the limit is {format_bytes(worker['memory_limit'])}",
                code="E-MEMORY",
                why=plan.note or f"one task holds a domain and its halo of about {plan.ghosts} atoms",
                hint=f"--memory-limit {need / 1e9 + 0.05:.1f}GB with fewer --workers, "
                "or ingest again with a smaller --chunk",
            )


def check_disk(path: Path, plan: StagePlan, share: float, n_file: int) -> None:
    """Refuse to start where the disk has no room for the rest of the stage.

    Parameters
    ----------
    path : Path
        Store, or the place where it will be.
    plan : StagePlan
        Cost of the stage.
    share : float
        Part of its tasks that is still to be done.
    n_file : int
        Most files that these tasks write.

    Raises
    ------
    ResumableError
        ``E-DISK-FULL``: path, need, free.
    """
    if in_bucket(path) is not None:
        return  # its room is a matter of money
    need = share * plan.bytes_written + plan.bytes_scratch
    free = shutil.disk_usage(path).free
    if free < need:
        raise ResumableError(
            f"{plan.stage} needs about {format_bytes(int(need))} on disk, {format_bytes(free)} are free",
            code="E-DISK-FULL",
            file=path,
            hint="make room, then run the same command again",
        )
    inodes = os.statvfs(path)
    # Some file systems make inodes as they go and tell of none.
    if inodes.f_files and inodes.f_favail < n_file + FEW_FILES:
        raise ResumableError(
            f"{plan.stage} needs about {n_file + FEW_FILES} files, {inodes.f_favail} inodes are free",
            code="E-DISK-FULL",
            file=path,
            hint="remove files, or ingest again with a larger --chunk",
        )
