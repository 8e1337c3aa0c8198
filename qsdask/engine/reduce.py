"""Questions to finished stores: a partial answer of every domain, combined as they come.

A question is three functions: ``part(root, domain, **fixed)`` on a worker, ``combine(first, second)`` here, and whatever
turns the total into an answer. Partial answers are sums, counts and the like, so that their order does not matter, and
small: no row of an atom leaves a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, reduce
from pathlib import Path
from typing import TypeVar

from qsdask.engine.tasks import run_tasks
from qsdask.engine.where import Run
from qsdask.store.identity import StoreAt
from qsdask.store.unchanged import unchanged

__all__ = ["reduced"]

T = TypeVar("T")


def reduced(
    path: Path,
    rests_on: Iterable[str],
    part: Callable[..., T],
    combine: Callable[[T, T], T],
    run: Run,
    label: str,
    /,
    **fixed: object,
) -> T:
    """Combine the partial answers of all domains of a store.

    Parameters
    ----------
    path : Path
        Root of the store.
    rests_on : iterable of str
        Ledgers of the stages that are read.
    part : callable
        Top-level function ``part(root, domain, **fixed)``, called on a worker with the `StoreReader`.
    combine : callable
        Joins two partial answers; associative and commutative.
    run : Run
        Cluster, workers, progress.
    label : str
        Shown beside the progress bar.
    **fixed
        Arguments of `part` that are the same for all domains.

    Returns
    -------
    whatever `part` returns

    Raises
    ------
    ResumableError
        ``E-CHANGED-MEANWHILE`` when one of the stages was computed again in the meantime.
    """
    store = StoreAt.of(path)
    domains = [(store, domain) for domain in range(store.reader().n_domain)]
    task = partial(_part_of_domain, part=part, fixed=fixed)
    with unchanged(path, rests_on), run.connected() as client:
        return reduce(combine, run_tasks(client, task, domains, label=label, progress=run.progress))


def _part_of_domain(store: StoreAt, domain: int, *, part: Callable[..., T], fixed: dict) -> T:
    return part(store.reader(), domain, **fixed)
