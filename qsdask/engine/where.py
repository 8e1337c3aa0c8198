"""Where and how stages run: on which cluster, with how much memory, and whether they may replace numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from distributed import Client, worker_client

from qsdask.engine.cluster import connect

__all__ = ["Run", "run_of_task"]


@dataclass(frozen=True)
class Run:
    """Where and how a stage runs; none of it changes a number.

    Attributes
    ----------
    cluster : str or distributed.Client
        See `qsdask.engine.cluster.connect`.
    workers : int, optional
        Processes or threads of a cluster started here.
    overwrite : bool
        Compute again what is there.
    progress : bool
        Show progress bars.
    memory_limit : str, optional
        Memory of each worker process of a cluster started here, such as ``"1.5GB"``.
    """

    cluster: str | Client | _Shared = "local"
    workers: int | None = None
    overwrite: bool = False
    progress: bool = True
    memory_limit: str | None = None

    @contextmanager
    def connected(self) -> Iterator[Client]:
        """Client of the cluster; see `qsdask.engine.cluster.connect`."""
        if isinstance(self.cluster, _Shared):
            yield self.cluster.client()
            return
        with connect(self.cluster, self.workers, memory_limit=self.memory_limit, announce=self.progress) as client:
            yield client

    @contextmanager
    def shared(self) -> Iterator[Run]:
        """The same run for several stages: one cluster for all of them, started when the first has something to do.

        Yields
        ------
        Run
            The cluster is closed afterwards.
        """
        with ExitStack() as stack:
            yield replace(self, cluster=_Shared(self, stack))


@contextmanager
def run_of_task() -> Iterator[Run]:
    """Within a task that is itself a stage or a question: its tasks go to the cluster that it runs on.

    Its thread does not count as one of the worker's meanwhile, so that tasks which wait for others cannot take all of them.

    Yields
    ------
    Run
        Without bars, and with one thread for what is not a task.
    """
    with worker_client() as client:
        yield Run(cluster=client, workers=1, progress=False)


class _Shared:
    """A cluster that several stages use; nobody starts it who has nothing to do."""

    def __init__(self, run: Run, stack: ExitStack) -> None:
        self._run, self._stack = run, stack
        self._client: Client | None = None

    def client(self) -> Client:
        if self._client is None:
            self._client = self._stack.enter_context(self._run.connected())
        return self._client
