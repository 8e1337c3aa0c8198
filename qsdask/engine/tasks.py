"""Sending tasks to the workers and following them."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, as_completed
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.scheduler import NoValidWorkerError, NoWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from qsdask.engine.capacity import threads_of
from qsdask.errors import QSDaskError, ResumableError, of_os_error

__all__ = ["cluster_errors", "progress_bar", "run_tasks", "sent_to_all", "warm_up"]

T = TypeVar("T")

#: Times that a task is tried again after an unforeseen failure, such as a file system that did not answer.
RETRIES = 2

#: Tasks per thread that wait on the cluster; enough to keep it busy, few enough to stop at once.
IN_FLIGHT = 4

#: Most tasks that are sent at a time: one by one each costs the scheduler half as much again.
BATCH = 500

#: More tasks than these are sent in batches only, when there is room for one.
MANY = 10_000

#: How often it is looked whether there are more workers. Unit: seconds.
LOOK_SECONDS = 10.0


def warm_up(client: Client, compile_kernels: Callable[[], None]) -> None:
    """Compile kernels on every worker, one worker per machine first.

    Processes that compile the same kernel at once race for its cache on disk; the first fills it, the others load it.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    compile_kernels : callable
        Runs the kernels once on a toy.
    """
    by_host: dict[str, list[str]] = {}
    for address, worker in client.scheduler_info(n_workers=-1)["workers"].items():
        by_host.setdefault(worker["host"], []).append(address)
    first = [addresses[0] for addresses in by_host.values()]
    others = [address for addresses in by_host.values() for address in addresses[1:]]
    for group in (first, others):
        if group:
            # A worker that is lost meanwhile needs no kernels.
            found = client.run(compile_kernels, workers=group, on_error="return")
            for error in found.values():
                if isinstance(error, Exception) and not isinstance(error, OSError):
                    raise error


def run_tasks(
    client: Client,
    function: Callable[..., T],
    arguments: Sequence[tuple],
    *,
    label: str,
    progress: bool = True,
    weight: Sequence[int] | None = None,
    describe: Callable[..., str] = lambda *arguments: str(arguments),
    at_once: int | None = None,
    instead: Callable[..., T] | None = None,
) -> Generator[T, None, None]:
    """Run `function` on every tuple of arguments, each on some worker, and yield results as they come.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    function : callable
        Top-level function; everything it changes is on disk, so that running it twice is harmless.
    arguments : sequence of tuple
        One task each.
    label : str
        Shown beside the progress bar and in the dashboard.
    progress : bool
        Show a progress bar on stderr.
    weight : sequence of int, optional
        Share of each task in the bar; 1 by default.
    describe : callable
        Names the task with these arguments, for the user whose task cannot be done.
    at_once : int, optional
        Most tasks that the cluster is given at a time; by default enough to keep it busy.
    instead : callable, optional
        Takes the arguments of a task that brings its workers down, and the error: what it returns is yielded as the
        result, and the others go on. Without it the error ends all.

    Yields
    ------
    object
        Results, in the order of completion.

    Raises
    ------
    ResumableError
        ``E-WORKER-LOST`` when a task loses its worker again and again; the task is named. ``E-NO-MEMORY``.
        ``E-CLUSTER-LOST`` when the scheduler goes away.
    StoreIOError
        ``E-IO`` when the file system fails again and again.
    QSDaskError
        Whatever a task raised on purpose.

    Notes
    -----
    When the caller stops, by an error or a signal, what has not started is cancelled.
    """
    share = list(weight) if weight is not None else [1] * len(arguments)
    waiting = iter(range(len(arguments)))
    running: dict[Future, int] = {}
    queue = as_completed()
    call = secrets.token_hex(8)  # keys of a call before are cancelled late, and would take tasks of the same keys along

    def top_up() -> None:
        """Give the cluster what it has room for; of very many tasks only when there is room for a batch."""
        least = min(BATCH, room.now() // 2) if len(arguments) > MANY else 1
        while (space := room.now() - len(running)) >= max(least, 1):
            indices = list(islice(waiting, min(space, BATCH)))
            if not indices:
                return
            futures = client.map(
                _given,
                [function] * len(indices),
                [arguments[index] for index in indices],
                key=[f"{label}-{call}-{index}" for index in indices],
                pure=False,
                retries=RETRIES,
            )
            running.update(zip(futures, indices, strict=True))
            queue.update(futures)

    with cluster_errors(), progress_bar(label, sum(share), show=progress) as advance:
        room = _Room(client, at_once)
        top_up()
        try:
            for future in queue:
                index = running.pop(future)
                try:
                    result = _outcome(future, label, partial(describe, *arguments[index]))
                except ResumableError as error:
                    if instead is None or not isinstance(future.exception(), KilledWorker | MemoryError):
                        raise
                    result = instead(*arguments[index], error)
                top_up()
                advance(share[index])
                yield result
        finally:
            if running:
                client.cancel(list(running), force=True)


def sent_to_all(client: Client, value: object) -> Future:
    """Send something large to all workers once, for many tasks.

    Parameters
    ----------
    client : distributed.Client
    value : object
        Anything that can be sent.

    Returns
    -------
    distributed.Future
        Stands for it in the arguments of tasks.

    Notes
    -----
    It has a key of its own. By default equal values have one, and what is forgotten of the one before takes it along.
    """
    [sent] = client.scatter([value], broadcast=True, hash=False)
    return sent


class _Room:
    """Tasks that the cluster may have at a time; it grows with workers that come later."""

    def __init__(self, client: Client, at_once: int | None) -> None:
        self._client, self._fixed = client, at_once
        self._looked, self._found = -LOOK_SECONDS, 0

    def now(self) -> int:
        if self._fixed:
            return self._fixed
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._found = IN_FLIGHT * max(threads_of(self._client), 1)
            self._looked = time.monotonic()
        return self._found


def _outcome(future: Future, label: str, describe: Callable[[], str]) -> Any:
    """Result of a task, or the refusal that says why there is none."""
    try:
        result = future.result()
    except KilledWorker:
        raise ResumableError(
            f"workers died again and again on one task: {label}: {describe()}",
            code="E-WORKER-LOST",
            why="it needs more memory than a worker may take, or something in it crashes the process; all other tasks are kept",
            hint="give the workers more memory or use a smaller --chunk, then run the same command again to resume",
        ) from None
    except (NoWorkerError, NoValidWorkerError):  # none has a restriction: both mean that there were none
        raise ResumableError(
            f"all worker processes died and did not come back: {label}: {describe()}",
            code="E-WORKER-LOST",
            why="the task brings them down, or the machine is too busy to start them again; all other tasks are kept",
            hint="run the same command again to resume",
        ) from None
    except MemoryError:
        raise ResumableError(
            f"a worker ran out of memory: {label}: {describe()}",
            code="E-NO-MEMORY",
            hint="give the workers more memory or use a smaller --chunk, then run the same command again to resume",
        ) from None
    except CommClosedError:
        raise
    except OSError as error:
        raise of_os_error(error) from None
    if isinstance(result, QSDaskError):
        raise result
    return result


@contextmanager
def cluster_errors() -> Iterator[None]:
    """A cluster that goes away ends in one message.

    Raises
    ------
    ResumableError
        ``E-CLUSTER-LOST``.
    """
    try:
        yield
    except (CommClosedError, FutureCancelledError) as error:
        raise ResumableError(
            f"the connection to the Dask scheduler was lost: {_first_line(error)}",
            code="E-CLUSTER-LOST",
            hint="start the cluster again, then run the same command again: it goes on where it was",
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _given(function: Callable, arguments: Sequence[object]) -> object:
    return _guarded(function, *arguments)


def _guarded(function: Callable, *arguments: object) -> object:
    """A refusal travels as a result: trying again would not change it. Nor would it make room on a disk."""
    try:
        return function(*arguments)
    except QSDaskError as refusal:
        return refusal
    except OSError as error:
        told = of_os_error(error)
        if told.code == "E-IO":
            raise
        return told


@contextmanager
def progress_bar(label: str, total: int, *, show: bool = True) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, when it is a terminal.

    Yields
    ------
    callable
        Takes the number of finished units.
    """
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), disable=not show or not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)
