"""Memory that is left: of the machine, the shell, and the control group."""

from __future__ import annotations

import subprocess
import sys

import psutil

from qsdask.files import memory
from qsdask.files.memory import memory_at_hand

LIMITED = """
import resource
from qsdask.files.memory import memory_at_hand
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(memory_at_hand())
"""


def test_there_is_no_more_than_the_machine_has():
    assert 0 < memory_at_hand() < psutil.virtual_memory().total


def test_a_limit_of_the_shell_counts():
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30


def test_limits_of_control_groups_count_whichever_is_nearest(tmp_path, monkeypatch):
    (tmp_path / "job" / "step").mkdir(parents=True)
    (tmp_path / "job" / "memory.max").write_text("7000000000\n")
    (tmp_path / "job" / "step" / "memory.max").write_text("max\n")
    (tmp_path / "cgroup").write_text("0::/job/step\n")
    monkeypatch.setattr(memory, "_OWN", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_GROUPS", ((str(tmp_path), "memory.max"),))
    assert list(memory._group_limits()) == [7_000_000_000]
    (tmp_path / "cgroup").unlink()
    assert list(memory._group_limits()) == []
