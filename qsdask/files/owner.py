"""Who holds a lock: what a lock file says of its owner, and whether he is gone."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

from qsdask.errors import ResumableError

__all__ = ["is_gone", "locked", "myself", "who"]

#: Where the system does not count a process's start from its own boot: two starts that differ by less are one, for they
#: are derived from a clock that is set now and then.
SAME_START = 2.0


def is_gone(owner: dict) -> bool | None:
    """Whether a process has ended; None where that cannot be told, such as of another machine."""
    me = myself()
    if owner.get("host") != me["host"] or owner.get("space") != me["space"]:
        return None
    try:
        process = psutil.Process(int(owner["pid"]))
        # A process that nobody has taken leave of writes no more.
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        ticks = _ticks(process.pid)
        if ticks is not None and "ticks" in owner:
            return ticks != owner["ticks"]
        return abs(process.create_time() - float(owner["start"])) > SAME_START
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, KeyError, ValueError, TypeError):
        return None


def myself() -> dict:
    """Who this process is. Process numbers count within one boot and one container."""
    process = psutil.Process()
    space = []
    for link in ("/proc/self/ns/pid", "/proc/sys/kernel/random/boot_id"):
        with contextlib.suppress(OSError):
            space.append(os.readlink(link) if os.path.islink(link) else Path(link).read_text().strip())
    return {
        "host": socket.gethostname(),
        "space": " ".join(space),
        "pid": process.pid,
        "start": process.create_time(),
        "ticks": _ticks(process.pid),
        "command": " ".join(sys.argv)[:200],
    }


def _ticks(pid: int) -> int | None:
    """Start of a process counted from the boot of the system, which no setting of the clock moves; None elsewhere."""
    try:
        # The name of the program comes before, in brackets, and may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _time(start: object) -> str:
    """Time of day of a process's start, as far as the lock tells it."""
    if not isinstance(start, int | float) or not 0 <= start < 1e11:
        return "at an unknown time"
    return f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M:%S} UTC"


def locked(root: object, lock: object, owner: dict) -> ResumableError:
    """The refusal where somebody else writes: ``E-LOCKED``."""
    return ResumableError(
        f"another process writes here: {who(owner)}, started {_time(owner.get('start'))} ({owner.get('command', '?')})",
        code="E-LOCKED",
        file=root,
        why="two writers would mix their numbers",
        hint=f"wait until it has ended; if it is gone and no qsdask works anywhere on this folder, remove {lock}",
    )


def who(owner: dict) -> str:
    """Process and machine, for messages."""
    return f"process {owner.get('pid', '?')} on {owner.get('host', '?')}"
