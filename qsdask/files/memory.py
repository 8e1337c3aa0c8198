"""Memory that this process may still take: of the machine, and of the job or the shell that it runs in."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

__all__ = ["memory_at_hand"]

#: Which control groups this process is in.
_OWN = Path("/proc/self/cgroup")

#: Where control groups of version 2 and 1 tell their limits.
_GROUPS = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))


def memory_at_hand() -> int:
    """Bytes that the machine has free, or fewer where a limit of the shell or of the batch job is nearer."""
    used = psutil.Process().memory_info()
    room = [psutil.virtual_memory().available, *(limit - used.rss for limit in _group_limits())]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        room.append(soft - used.vms)
    return max(min(room), 0)


def _group_limits() -> Iterator[int]:
    """Limits of the control groups that this process is in, and of those above them."""
    try:
        own = {line.split(":", 2)[2] for line in _OWN.read_text().splitlines()}
    except OSError:  # no Linux
        return
    for root, name in _GROUPS:
        for group in own:
            for folder in (Path(root + group), *Path(root + group).parents):
                try:
                    text = (folder / name).read_text().strip()
                except OSError:
                    continue
                if text.isdigit():
                    yield int(text)
