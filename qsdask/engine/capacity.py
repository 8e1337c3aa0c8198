"""How many threads a cluster has, or will have when all its jobs have come."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from distributed import Client

__all__ = ["expect", "threads_of"]

_EXPECTED: WeakKeyDictionary[Client, int] = WeakKeyDictionary()


def expect(client: Client, threads: int) -> None:
    """So many threads come when there is work for them.

    Dask starts no worker for tasks that it was not given: a cluster that adapts must be given enough of them.
    """
    _EXPECTED[client] = threads


def threads_of(client: Client) -> int:
    """Threads that there are, or that are expected where these are more."""
    return max(sum(client.nthreads().values()), _EXPECTED.get(client, 0))
