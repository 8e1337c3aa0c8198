"""Clusters that are started elsewhere for a run: as jobs of a batch system, by a service, or by any class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import dask
from distributed import Client

from qsdask.engine.batch import completed, keys_beside, logs_of
from qsdask.engine.capacity import expect
from qsdask.engine.classes import class_of, refuse_unknown
from qsdask.engine.environment import DASK_SETTINGS, WORKER_ENVIRONMENT
from qsdask.engine.keys import write_keys
from qsdask.engine.local import scratch
from qsdask.engine.queue import Queue, await_workers, losses_told, telling
from qsdask.errors import NoInputError, QSDaskError, UsageError
from qsdask.files.private import private_folder
from qsdask.settings import ClusterSettings

__all__ = ["batch", "service"]

#: Time in a queue that is nothing unusual. Unit: minutes.
QUEUE_MINUTES = 1440.0

#: Time that a service may take to start a machine. Unit: minutes.
SERVICE_MINUTES = 30.0

#: How a cluster that adapts follows the work: looks every 5 s, wants more workers where there is work for a second, and
#: gives none back that was idle for less than five minutes, which the next stage would have to queue for.
_ADAPTING = {"interval": "5s", "target_duration": "1s", "wait_count": 60}

#: Options by which a service sets the environment of workers.
_ENVIRONMENT = {"kubernetes": "env", "coiled": "environ"}


@contextmanager
def batch(settings: ClusterSettings) -> Iterator[Client]:
    """Jobs of a batch system, cancelled afterwards.

    Yields
    ------
    distributed.Client
        When the first worker is there.

    Raises
    ------
    UsageError
        ``E-EXTRA``, ``E-CLUSTER-OPTIONS``; ``E-CLUSTER-START`` when the class refuses them.
    ResumableError
        ``E-JOB-REFUSED`` when the batch system takes no job; ``E-NO-WORKERS``, ``E-JOB-ENDED`` when no worker comes.
    """
    made = class_of(settings)
    refuse_unknown(settings.kind, made, settings.options)
    seconds = 60 * (settings.wait_minutes or QUEUE_MINUTES)
    logs, most = logs_of(settings, made), settings.workers or 1
    with ExitStack() as stack:
        keys = stack.enter_context(private_folder(keys_beside(settings, made, os.urandom(4).hex())))
        write_keys(keys)
        _configure(stack, seconds)
        given = completed(settings, made, keys, logs)
        with _starting(settings):
            cluster = made(**given, job_cls=telling(made.job_cls))  # type: ignore[attr-defined]
        stack.callback(_close, cluster)
        with _starting(settings):
            cluster.scale(jobs=1 if settings.adapts else most)
            cluster.__enter__()  # which waits for the batch system to take them
        queue = Queue(settings.kind, cluster, logs)
        queue.refuse_refused()
        if settings.adapts:
            cluster.adapt(minimum_jobs=1, maximum_jobs=most, **_ADAPTING)
        client = stack.enter_context(Client(cluster))
        expect(client, most * given["processes"])
        await_workers(
            client, f"the cluster of {settings.kind} jobs", seconds, "run the same command again later", queue=queue
        )
        stack.enter_context(losses_told(lambda: len(cluster.scheduler.workers), queue))
        yield client


@contextmanager
def service(settings: ClusterSettings) -> Iterator[Client]:
    """A cluster of a service, or of a class that the user names, closed afterwards.

    Yields
    ------
    distributed.Client
        When the first worker is there.

    Raises
    ------
    UsageError
        ``E-EXTRA``, ``E-CLUSTER-CLASS``, ``E-CLUSTER-OPTIONS``; ``E-CLUSTER-START`` when the class refuses them.
    NoInputError
        ``E-CLUSTER-CONNECT`` when the service does not answer.
    ResumableError
        ``E-NO-WORKERS`` when no worker comes.
    """
    made = class_of(settings)
    refuse_unknown(settings.kind, made, settings.options)
    seconds = 60 * (settings.wait_minutes or SERVICE_MINUTES)
    with ExitStack() as stack:
        _configure(stack, seconds)
        with _starting(settings):
            cluster = made(**_with_environment(settings.kind, settings.options))
        stack.callback(_close, cluster)
        client = stack.enter_context(cluster.get_client())
        if settings.adapts:
            cluster.adapt(minimum=1, maximum=settings.workers or 1)
        elif settings.workers or settings.kind != "python":
            cluster.scale(settings.workers or 1)
        if settings.workers:
            expect(client, settings.workers)
        await_workers(client, f"the cluster (kind = '{settings.kind}')", seconds, "run the same command again later")
        yield client


def _configure(stack: ExitStack, no_workers_seconds: float) -> None:
    """Dask's settings for scheduler and workers that this process starts, as long as the cluster is there."""
    settings: dict[str, Any] = {
        **DASK_SETTINGS,
        "temporary-directory": stack.enter_context(scratch()),
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
        # Workers that are gone may be waiting in the queue again.
        "distributed.scheduler.no-workers-timeout": no_workers_seconds,
    }
    stack.enter_context(dask.config.set(settings))


def _with_environment(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    name = _ENVIRONMENT.get(kind)
    if name is None or not isinstance(options.get(name, {}), dict):
        return dict(options)
    wanted = {key: str(value) for key, value in WORKER_ENVIRONMENT.items()}
    return {**options, name: {**wanted, **options.get(name, {})}}


def _close(cluster: Any) -> None:
    # What is gone already, or does not answer any more, cannot be closed; its jobs end by themselves.
    with suppress(OSError, RuntimeError, TimeoutError):
        cluster.close()
    # dask-gateway closes its connection once more when it is forgotten, and prints a traceback because it is closed.
    if gateway := getattr(cluster, "gateway", None):
        vars(gateway).pop("_loop_runner", None)


@contextmanager
def _starting(settings: ClusterSettings) -> Iterator[None]:
    """What a class says that does not start becomes one message."""
    try:
        yield
    except QSDaskError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"kind = '{settings.kind}': {error}", code="E-CLUSTER-START", hint="mend [cluster.options]"
        ) from None
    except RuntimeError as error:
        raise UsageError(f"kind = '{settings.kind}': {_with_cause(error)}", code="E-CLUSTER-START") from None
    except (OSError, TimeoutError) as error:
        raise NoInputError(f"kind = '{settings.kind}' does not answer: {error}", code="E-CLUSTER-CONNECT") from None


def _with_cause(error: BaseException) -> str:
    """What an error says, and what the first of those says that it was raised from."""
    first = error
    while first.__cause__ is not None:
        first = first.__cause__
    return str(error) if first is error else f"{error} {type(first).__name__}: {first}"
