"""What is refused before a stage starts: too little memory, too small a disk, other versions."""

from __future__ import annotations

import re
import shutil
from collections import namedtuple

import pytest

import qsdask
from qsdask.engine import preflight, versions
from qsdask.engine.cluster import connect
from qsdask.engine.cost import StagePlan
from qsdask.engine.where import Run
from qsdask.errors import ResumableError, UsageError

PLAN = StagePlan("shells", tasks=8, ghosts=1200, bytes_written=10**9, bytes_memory=4 * 10**8)


def test_a_memory_limit_below_the_budget_is_refused_with_the_number(glass, tmp_path):
    store = shutil.copytree(glass, tmp_path / "glass.zarr")
    with pytest.raises(UsageError, match="E-MEMORY") as refusal:
        qsdask.shells(store, cutoff=3.9, run=Run("local", 1, True, False, "120MB"))
    need = float(re.search(r"--memory-limit ([\d.]+)GB", refusal.value.hint)[1])
    qsdask.shells(store, cutoff=3.9, run=Run("local", 1, True, False, f"{need}GB"))


def test_a_disk_without_room_is_refused(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: usage(2e9, 1.6e9, 4 * 10**8))
    with pytest.raises(ResumableError, match=r"(?s)E-DISK-FULL.*476\.84 MiB.*381\.47 MiB"):
        preflight.check_disk(tmp_path, PLAN, share=0.5, n_file=10)
    preflight.check_disk(tmp_path, PLAN, share=0.3, n_file=10)


def test_a_disk_without_inodes_is_refused(tmp_path, monkeypatch):
    stat = namedtuple("stat", "f_files f_favail f_bavail f_frsize f_blocks f_bfree")
    monkeypatch.setattr(preflight.os, "statvfs", lambda path: stat(1000, 300, 10**9, 1, 10**9, 10**9))
    with pytest.raises(ResumableError, match=r"(?s)E-DISK-FULL.*inodes"):
        preflight.check_disk(tmp_path, PLAN, share=0.0, n_file=101)
    preflight.check_disk(tmp_path, PLAN, share=0.0, n_file=100)


def test_a_cluster_with_another_qsdask_is_refused(monkeypatch):
    with connect("threads", 1) as client:
        versions.check_versions(client)
        monkeypatch.setattr(versions, "__version__", "0.0.0")
        monkeypatch.setattr(versions, "_version", lambda: "9.9.9")
        with pytest.raises(UsageError, match=r"E-VERSIONS.*9\.9\.9"):
            versions.check_versions(client)
