"""Work that all workers do at once, each its part, and that fails as a whole when one of them is lost."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from distributed import Client, Future, wait
from distributed.comm import CommClosedError, get_address_host

from qsdask.engine.keys import new_keys
from qsdask.engine.tasks import cluster_errors
from qsdask.errors import QSDaskError, ResumableError

__all__ = ["Parts", "together"]

T = TypeVar("T")

#: What every process is told, from where each of them is found.
Parts = Callable[[Sequence[tuple[str, int]]], Sequence[dict[str, Any]]]

#: How often it is looked whether all workers are there still. Unit: seconds.
LOOK_SECONDS = 0.5

#: Tries of one piece of work, the first one too.
TRIES = 4


class _LostError(Exception):
    """One of the workers is gone, or what it had begun is."""


def together(
    client: Client,
    begin: Callable[..., list[tuple[str, int]]],
    follow: Callable[..., list[T]],
    stop: Callable[[str], None],
    parts: Parts,
    *,
    label: str,
    most: int,
) -> list[T]:
    """Cut a piece of work over the workers that there are, and do it at once on all of them; again when one is lost.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    begin : callable
        ``begin(token, n, host, keys)`` on a worker: starts `n` processes that listen on `host`, and tells where each is found.
    follow : callable
        ``follow(token, parts)`` on the same worker: what comes out, of each of its processes.
    stop : callable
        ``stop(token)`` on a worker: ends what is left of a try.
    parts : callable
        ``parts(addresses)``: what each process is told.
    label : str
        For messages.
    most : int
        Processes, at most.

    Returns
    -------
    list
        What came out, process by process.

    Raises
    ------
    ResumableError
        ``E-WORKER-LOST`` when workers, or their processes, are lost again and again.

    Notes
    -----
    There are at least two processes, one on each worker, on a single worker two. What a library says when another process is
    gone comes late, or never; the scheduler is asked instead. What is left of a try is killed before the next one.
    """
    told = ""
    with cluster_errors():
        for tried in range(TRIES):
            if tried:
                time.sleep(2 * tried)  # until the scheduler knows who is gone, and a new worker is there
            try:
                return _once(client, begin, follow, stop, parts, label, most)
            except _LostError as lost:
                told = str(lost)
    raise ResumableError(
        f"workers were lost again and again: {label}: {told}",
        code="E-WORKER-LOST",
        why="they need more memory than they may take, or something in them crashes; what was done before is kept",
        hint="give the workers more memory, or start more of them, then run the same command again to resume",
    )


def _once(
    client: Client, begin: Callable, follow: Callable, stop: Callable, parts: Parts, label: str, most: int
) -> list:
    workers = sorted(_living(client))[:most]
    if not workers:
        raise _LostError("there is none")
    number = 2 if len(workers) == 1 else 1
    token, keys = secrets.token_hex(8), new_keys()
    with _stopped(client, stop, token):
        calls = {worker: (begin, token, number, _host(worker), keys) for worker in workers}
        found = _followed(client, calls, label)
        addresses = [address for worker in workers for address in found[worker]]
        told = parts(addresses)
        mine = {w: list(told[number * k : number * (k + 1)]) for k, w in enumerate(workers)}
        results = _followed(client, {worker: (follow, token, mine[worker]) for worker in workers}, label)
    return [one for worker in workers for one in results[worker]]


def _living(client: Client) -> set[str]:
    """Addresses of the workers that the scheduler knows."""
    return set(client.scheduler_info(n_workers=-1)["workers"])


def _host(worker: str) -> str:
    """Address by which others reach a worker: its own network, or this machine alone."""
    return "127.0.0.1" if worker.startswith("inproc:") else get_address_host(worker)


@contextmanager
def _stopped(client: Client, stop: Callable[[str], None], token: str) -> Iterator[None]:
    """Whatever is left of a try is ended, on all workers that can be reached."""
    try:
        yield
    except BaseException:
        client.run(stop, token, workers=sorted(_living(client)), on_error="ignore")
        raise


def _followed(client: Client, calls: dict[str, tuple], label: str) -> dict[str, Any]:
    """Results of one task on each worker."""
    running: dict[str, Future] = {
        worker: client.submit(
            *call, key=f"{label}-{secrets.token_hex(8)}", workers=[worker], allow_other_workers=False, pure=False
        )
        for worker, call in calls.items()
    }
    futures = list(running.values())
    try:
        while any(not future.done() for future in futures):
            with suppress(TimeoutError):
                wait([one for one in futures if not one.done()], timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
            if any(future.status in ("error", "lost", "cancelled") for future in futures):
                break
            if gone := set(running) - _living(client):
                raise _LostError(f"the worker at {', '.join(sorted(gone))}")
        # One that failed says more than one that waits for it.
        running = dict(sorted(running.items(), key=lambda one: one[1].status != "error"))
        return {worker: _result(future) for worker, future in running.items()}
    finally:
        client.cancel([one for one in futures if not one.done()], force=True)


def _result(future: Future) -> Any:
    if future.status in ("pending", "lost", "cancelled"):
        raise _LostError("a task that did not end")
    try:
        return future.result()
    except (CommClosedError, QSDaskError):
        raise
    except Exception as error:
        raise _LostError(str(error) or type(error).__name__) from None
