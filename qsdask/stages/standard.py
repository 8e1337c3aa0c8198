"""What the columns of a frame are measured by, out of core: sums and counts of every domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from qsdask.engine.reduce import totals
from qsdask.engine.where import Run
from qsdask.learn.standard import Census, Moments, Standard, high_words, low_words, medians, words_of_medians
from qsdask.schema import group_at
from qsdask.stages.columns import feature_rows
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import Arrays, StoreReader

__all__ = ["frame_of_standard", "standard_in_memory", "standards"]

T = TypeVar("T")


def frame_of_standard(root: StoreReader, sets: Sequence[str], frame: int) -> int:
    """Frame whose columns those of a frame are measured by: the undeformed one, where it has the features; else itself.

    Measured by itself every frame would be as soft as any other. Measured by the undeformed one, a glass that softens as
    it is strained is seen to do so.
    """
    records = [ledger.read(root.path, group_at(0, f"features/{one}")) for one in sets]
    return 0 if all(record is not None and record.complete for record in records) else frame


def standards(
    run: Run, stores: Sequence[StoreAt], sets: Sequence[str], columns: Sequence[str], frame: int
) -> dict[str, Standard]:
    """What the columns of a frame of each store are measured by.

    Parameters
    ----------
    run : Run
        Cluster, workers, progress.
    stores : sequence of StoreAt
        With these features.
    sets, columns : sequence of str
        Feature sets, and their columns that are wanted.
    frame : int
        Frame.

    Returns
    -------
    dict of str to Standard
        By path; the same for any number of domains and workers. Features are read once, and twice more where some atoms
        lack some columns.
    """

    def every(asked: list, part: Callable[..., T], combine: Callable[[T, T], T]) -> dict[str, T]:
        fixed = {"sets": tuple(sets), "columns": tuple(columns), "frame": frame}
        return totals(run, asked, part, combine, title="statistics", **fixed)

    sums = every([(store, {}) for store in stores], _moments_of_domain, Moments.__add__)
    gaps = {path: total.gaps() for path, total in sums.items()}
    torn = [store for store in stores if gaps[store.path].any()]
    upper = every([(s, {"gaps": gaps[s.path]}) for s in torn], _high_words_of_domain, Census.__add__)
    words = {path: words_of_medians(found, gaps[path]) for path, found in upper.items()}
    own = [(s, {"gaps": gaps[s.path], "words": words[s.path]}) for s in torn]
    lower = every(own, _low_words_of_domain, Census.__add__)
    middle = {path: medians(found, gaps[path], words[path]) for path, found in lower.items()}
    return {
        s.path: sums[s.path].standard(s.reader().names("atoms/species_name"), middle.get(s.path, {})) for s in stores
    }


def standard_in_memory(value: np.ndarray, species: np.ndarray, names: Sequence[str]) -> Standard:
    """What columns of all atoms of a glass are measured by; the same as of a store.

    Parameters
    ----------
    value : float32 array, shape (n, n_column)
        Columns.
    species : int array, shape (n,)
        Index into `names`.
    names : sequence of str
        Chemical symbols.
    """
    sums = Moments.of(value, species, len(names))
    gaps = sums.gaps()
    words = words_of_medians(high_words(value, species, gaps), gaps)
    return sums.standard(names, medians(low_words(value, species, gaps, words), gaps, words))


def _rows(
    root: Arrays, domain: int, sets: Sequence[str], columns: Sequence[str], frame: int
) -> tuple[np.ndarray, np.ndarray]:
    rows = root.rows(domain)
    return feature_rows(root, rows, sets, columns, frame), root["atoms/species"][rows]


def _moments_of_domain(root: StoreReader, domain: int, **fixed) -> Moments:
    return Moments.of(*_rows(root, domain, **fixed), len(root.names("atoms/species_name")))


def _high_words_of_domain(root: StoreReader, domain: int, *, gaps: np.ndarray, **fixed) -> Census:
    return high_words(*_rows(root, domain, **fixed), gaps)


def _low_words_of_domain(root: StoreReader, domain: int, *, gaps: np.ndarray, words: dict, **fixed) -> Census:
    return low_words(*_rows(root, domain, **fixed), gaps, words)
