"""Work on several files at once: what waits for a disk, or for a network, does not wait for the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

__all__ = ["each"]

#: Files that a process works on at once.
AT_ONCE = 4

T = TypeVar("T")


def each(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Work on all items, several at once; the first error is raised when all that was begun has ended.

    Parameters
    ----------
    work : callable
        Takes an item. It must not call this function in turn: its threads would wait for one another.
    items : sequence
        What is worked on.
    """
    if len(items) < 2:
        _in_turn(work, items)
        return
    # Of very many files several in turn: handing one over costs as much as reading a small one.
    stride = -(-len(items) // (AT_ONCE * 16))
    begun = [
        _pool(os.getpid()).submit(_in_turn, work, items[first : first + stride])
        for first in range(0, len(items), stride)
    ]
    wait(begun)
    for one in begun:
        one.result()


def _in_turn(work: Callable[[T], None], items: Sequence[T]) -> None:
    for item in items:
        work(item)


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process: those of the one that it was forked from are not there."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="qsdask-files")
