"""Atoms to learn from: how many each store has, what leaves others out, and which glass it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.engine.reduce import totals
from qsdask.engine.where import Run
from qsdask.errors import BadDataError
from qsdask.files.location import located
from qsdask.learn import Specimen, Table, concatenate, definition_digest, identity_hash
from qsdask.learn.own_label import Judge
from qsdask.learn.validity import share_sampled
from qsdask.learn.working import Working
from qsdask.settings import TrainSettings
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.study.columns import columns_of
from qsdask.study.rows import LabelledRows

__all__ = ["Counted", "Lesson", "counted", "joined_samples", "refuse_unusable", "sample_of", "specimens_of", "table_of"]


class Lesson(NamedTuple):
    """What is learned from, and how.

    Attributes
    ----------
    stores : tuple of StoreAt
        Stores.
    steps : dict of str to int or Judge
        Where the label is in each, by path; see `qsdask.study.own_label.label_at`.
    chosen : TrainSettings
        How it is learned.
    definition, label : dict
        Of the model.
    run : Run
        Cluster, workers, progress.
    rests_on : dict of str to str
        Digests and runs of the stages that are read.
    working : Working, optional
        Where what is done is kept meanwhile. Without it nothing is, and fold models are learned in this process.
    """

    stores: tuple[StoreAt, ...]
    steps: dict[str, int | Judge]
    chosen: TrainSettings
    definition: dict
    label: dict
    run: Run
    rests_on: dict[str, str]
    working: Working | None = None


class Counted(NamedTuple):
    """Rows of a domain, or of a store, counted.

    Attributes
    ----------
    n_usable, n_plastic : int
        Usable atoms, and plastic ones among them.
    excluded : dict of str to int
        Atoms left out, by rule.
    known : int64 array, shape (n_column,)
        Atoms that have each column.
    d2_quantiles : tuple of float64 arrays, shape (21,)
        Quantiles of D2min of the usable atoms of each domain. Unit: angstrom^2.
    """

    n_usable: int
    n_plastic: int
    excluded: dict[str, int]
    known: np.ndarray
    d2_quantiles: tuple[np.ndarray, ...]

    def __add__(self, other: Counted) -> Counted:  # type: ignore[override]  # counts add up, tuples would join
        return Counted(
            self.n_usable + other.n_usable,
            self.n_plastic + other.n_plastic,
            {rule: n + other.excluded[rule] for rule, n in self.excluded.items()},
            self.known + other.known,
            (*self.d2_quantiles, *other.d2_quantiles),
        )


def counted(lesson: Lesson, rows: Callable[..., LabelledRows]) -> dict[str, Counted]:
    """Rows of every store counted, by path; ``rows(root, domain, step)`` gives those that a learner can use."""
    return totals(
        lesson.run,
        [(store, {"step": lesson.steps[store.path]}) for store in lesson.stores],
        _count,
        Counted.__add__,
        title="label",
        rows=rows,
    )


def _count(root: StoreReader, domain: int, *, step: int | Judge, rows: Callable[..., LabelledRows]) -> Counted:
    found = rows(root, domain, step)
    d2 = found.d2[found.mask]
    return Counted(
        int(found.mask.sum()),
        int(found.y[found.mask].sum()),
        found.excluded,
        np.isfinite(found.value).sum(axis=0),
        (np.quantile(d2, np.linspace(0, 1, 21)),) if len(d2) else (),
    )


def refuse_unusable(path: Path, counted: Counted, chosen: TrainSettings) -> None:
    """Refuse a store without an atom to learn from, and tell what left them all out.

    Raises
    ------
    BadDataError
        ``E-NO-USABLE``.
    """
    if counted.n_usable:
        return
    columns = columns_of(StoreReader(path), chosen)
    void = [name for name, n in zip(columns, counted.known, strict=True) if n == 0]
    of_columns = f"; {', '.join(void[:3])}{', ...' * (len(void) > 3)}: no value in any atom" if void else ""
    raise BadDataError(
        "no atom of this store can be learned from",
        code="E-NO-USABLE",
        file=path,
        why=f"left out by {', '.join(f'{rule}: {n}' for rule, n in Counter(counted.excluded).most_common() if n)}{of_columns}",
        hint=f"--columns short_range or other sets than {chosen.set}"
        if void
        else "a smaller --surface-margin, another --strain, or another --host",
    )


def specimens_of(counted: Mapping[str, Counted]) -> dict[str, Specimen]:
    """Glasses of the stores, by path, with their counts.

    Those of the same ids and species have one key, by which atoms are drawn; their fingerprints tell them apart.
    """
    specimens = {path: _specimen(path, one) for path, one in counted.items()}
    keys = Counter(specimen.key for specimen in specimens.values())
    return {
        path: replace(specimen, key=f"{specimen.key}:{definition_digest({'distances': specimen.fingerprint})[:16]}")
        if keys[specimen.key] > 1
        else specimen
        for path, specimen in specimens.items()
    }


def _specimen(path: str, counted: Counted) -> Specimen:
    source, root = ledger.require(located(path), "ingest"), StoreReader(path)
    return Specimen(
        key=source.facts["specimen"],
        name=source.settings["name"],
        n_atoms=root["atoms/id"].shape[0],
        n_usable=counted.n_usable,
        n_plastic=counted.n_plastic,
        fingerprint=tuple(source.facts["fingerprint"]),
        species=tuple(root.names("atoms/species_name")),
    )


def sample_of(
    root: StoreReader,
    domain: int,
    found: LabelledRows,
    columns: tuple[str, ...],
    me: Specimen,
    specimens: Collection[Specimen],
    seed: int,
) -> dict[str, Table]:
    """Atoms of a domain by which a model is told what its training atoms look like, by species; chosen by a hash.

    Parameters
    ----------
    root, domain, found
        Rows of a domain; those with all columns count.
    columns : tuple of str
        Columns of `found`.
    me, specimens : Specimen, collection of Specimen
        Glass of the store, and all of them.
    seed : int
        Of the hash.
    """
    rows = root.rows(domain)
    ids, species = root["atoms/id"][rows], root["atoms/species"][rows]
    share = share_sampled(sum(s.n_usable for s in specimens))
    chosen = found.mask & np.isfinite(found.value).all(axis=1)
    chosen &= identity_hash(seed, "cloud", 0, me.key, ids).astype(np.float64) < share * 2.0**64
    of_species = {name: chosen & (species == k) for k, name in enumerate(root.names("atoms/species_name"))}
    return {name: table_of(found, ids, columns, me, keep) for name, keep in of_species.items()}


def table_of(
    found: LabelledRows,
    ids: np.ndarray,
    columns: tuple[str, ...],
    me: Specimen,
    keep: np.ndarray,
    block: np.ndarray | None = None,
) -> Table:
    """Some rows of a domain, with the ids of all and the blocks of those kept, as a table."""
    first = np.zeros(int(keep.sum()), dtype=np.int64)
    target = None if found.target is None else found.target[keep]
    return Table((me,), first, ids[keep], found.value[keep], found.y[keep], columns, block, target)


def joined_samples(parts: Iterable[Mapping[str, Table]]) -> dict[str, np.ndarray]:
    """Columns of the atoms of `sample_of` of all domains, by species, in an order that is not that of the domains."""
    tables: dict[str, list[Table]] = defaultdict(list)
    for part in parts:
        for name, table in part.items():
            tables[name].append(table)
    return {name: concatenate(found).X for name, found in tables.items()}
