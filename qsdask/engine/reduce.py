"""Questions to finished stores: a partial answer of every domain, combined as they come.

A question is three functions: ``part(root, domain, **fixed)`` on a worker, ``combine(first, second)`` here, and whatever
turns the total into an answer. Partial answers are sums, counts and the like, so that their order does not matter, and
small: no row of an atom leaves a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from qsdask.engine.tasks import run_tasks
from qsdask.engine.where import Run
from qsdask.store.identity import StoreAt
from qsdask.store.unchanged import unchanged

__all__ = ["reduced", "totals"]

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
    with unchanged(path, rests_on):
        found = totals(run, [(store, {})], part, combine, title=label, **fixed)
    return found[store.path]


def totals(
    run: Run,
    asked: Sequence[tuple[StoreAt, Mapping[str, object]]],
    part: Callable[..., T],
    combine: Callable[[T, T], T],
    /,
    *,
    title: str,
    **fixed: object,
) -> dict[str, T]:
    """Combine the partial answers of all domains of several stores, each store by itself and all at once.

    Parameters
    ----------
    run : Run
        Cluster, workers, progress.
    asked : sequence of (StoreAt, mapping)
        Stores, and the arguments of `part` that are its own.
    part, combine, **fixed
        As of `reduced`.
    title : str
        Shown beside the progress bar.

    Returns
    -------
    dict of str to whatever `part` returns
        By path of the store.
    """
    domains = [(store, domain, own) for store, own in asked for domain in range(store.reader().n_domain)]
    task = partial(_part_of_domain, part=part, fixed=fixed)
    found: dict[str, T] = {}
    with run.connected() as client:
        for path, answer in run_tasks(client, task, domains, label=title, progress=run.progress):
            found[path] = combine(found[path], answer) if path in found else answer
    return found


def _part_of_domain(
    store: StoreAt, domain: int, own: Mapping[str, object], *, part: Callable[..., T], fixed: Mapping[str, object]
) -> tuple[str, T]:
    return store.path, part(store.reader(), domain, **fixed, **own)
