"""Where and how stages run: on which cluster, with how much memory, and whether they may replace numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from distributed import Client, worker_client

from qsdask.engine.batch import processes_of
from qsdask.engine.capacity import threads_of
from qsdask.engine.cluster import connect
from qsdask.engine.local import cores
from qsdask.engine.named import cluster_of
from qsdask.settings import ClusterSettings
from qsdask.settings.cluster import BATCH, OWN, STANDING

__all__ = ["Run", "run_of_task"]


@dataclass(frozen=True)
class Run:
    """Where and how a stage runs; none of it changes a number.

    Attributes
    ----------
    cluster : str, Path, ClusterSettings or distributed.Client, optional
        See `qsdask.engine.cluster.connect`. Left out: as the recipe says, else ``"local"``.
    workers : int, optional
        Processes, threads or jobs of a cluster started for this run.
    overwrite : bool
        Compute again what is there.
    progress : bool
        Show progress bars.
    memory_limit : str, optional
        Memory of each worker process of a cluster started here, such as ``"1.5GB"``.
    """

    cluster: str | Path | ClusterSettings | Client | _Shared | None = None
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

    def otherwise(self, *tables: ClusterSettings | None) -> Run:
        """The same run, on the first cluster of some tables that says anything, unless the run names one itself."""
        said = [table for table in tables if table is not None and table.model_fields_set]
        return self if self.cluster is not None or not said else replace(self, cluster=said[0])

    def threads(self) -> int:
        """Threads that there will be; nothing is started, but a scheduler that stands is asked."""
        if isinstance(self.cluster, Client | _Shared):
            with self.connected() as client:
                return threads_of(client)
        settings = cluster_of(self.cluster, self.workers, self.memory_limit)
        if settings.kind in STANDING:
            with self.connected() as client:
                return threads_of(client)
        if settings.kind in OWN:
            return settings.workers or cores()
        return (settings.workers or 1) * (processes_of(settings) if settings.kind in BATCH else 1)

    def spreads(self) -> bool:
        """Whether tasks leave this process for more than one other, or for another machine; the cluster is started to tell."""
        with self.connected() as client:
            place = client.scheduler.address if client.scheduler else ""
            if place.startswith("inproc:"):
                return False
            return threads_of(client) > 1 or "://127.0.0.1:" not in place

    @contextmanager
    def shared(self) -> Iterator[Run]:
        """The same run for several stages: one cluster for all of them, started when the first has something to do.

        Yields
        ------
        Run
            The cluster is closed afterwards.
        """
        with ExitStack() as stack:
            shared = _Shared(self, stack)
            if self.begins_at_once():
                shared.client()
            yield replace(self, cluster=shared)

    def begins_at_once(self) -> bool:
        """Whether the cluster is begun before anything else: all tasks of an ``srun`` are in this place, and only one goes on."""
        return not isinstance(self.cluster, Client | _Shared) and cluster_of(self.cluster).kind == "runner"


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
