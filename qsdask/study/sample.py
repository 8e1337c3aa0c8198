"""Atoms that questions about a model are asked of: those with a softness, and of these a sample where all would be too many."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.analysis.extent import Extent, extent_of
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError
from qsdask.learn import identity_hash
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.rows import usable_softness
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["Asked", "Known", "asked_of", "extent_known", "known_rows"]


class Asked(NamedTuple):
    """What must be known to find the atoms, and their columns, on a worker.

    Attributes
    ----------
    softness, features : str
        Groups of the store.
    places : int64 array, shape (n_column,)
        Where the columns wanted are in those of the features.
    label : dict
        Of the model.
    key : str
        Key of the specimen, for hashes.
    seed : int
    """

    softness: str
    features: str
    places: np.ndarray
    label: Mapping
    key: str
    seed: int

    def rests_on(self, path: Path) -> tuple[str, ...]:
        """Ledgers of what is read."""
        return (self.softness, self.features, *surface_ledgers(path, margin_of(self.label)))


class Known(NamedTuple):
    """Rows of a domain whose softness is known and may be used.

    Attributes
    ----------
    mask : bool array, shape (n,)
        Which of all rows they are.
    qs : float64 array, shape (n_known,)
    value : float32 array, shape (n_known, n_column)
        Columns wanted.
    hash : uint64 array, shape (n_known,)
        Of their identity.
    """

    mask: np.ndarray
    qs: np.ndarray
    value: np.ndarray
    hash: np.ndarray


def asked_of(path: Path, softness: str, features: str, places: np.ndarray, seed: int) -> Asked:
    """What is asked of a store; see `Asked`."""
    label = ledger.require(path, softness).settings["label"]
    return Asked(softness, features, places, label, ledger.require(path, "ingest").facts["specimen"], seed)


def known_rows(root: StoreReader, domain: int, asked: Asked) -> Known:
    """Rows of a domain whose softness is known, away from free surfaces as in training."""
    rows = root.rows(domain)
    qs = usable_softness(root, domain, asked.softness, asked.label)
    mask = np.isfinite(qs)
    value = root[f"{asked.features}/value"][rows][:, asked.places][mask]
    hashes = identity_hash(asked.seed, "explain", 0, asked.key, root["atoms/id"][rows][mask])
    return Known(mask, qs[mask], value, hashes)


def extent_known(path: Path, asked: Asked, run: Run) -> Extent:
    """Ends of the columns of all these atoms.

    Raises
    ------
    BadDataError
        ``E-NO-USABLE`` when no atom has a softness.
    """
    found = reduced(path, asked.rests_on(path), _part, Extent.__add__, run, "extent", asked=asked)
    if not found.n:
        raise BadDataError("no atom has a softness that may be used", code="E-NO-USABLE", file=path)
    return found


def _part(root: StoreReader, domain: int, *, asked: Asked) -> Extent:
    return extent_of(known_rows(root, domain, asked).value)
