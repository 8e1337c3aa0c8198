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
from qsdask.learn import Model, Standard, identity_hash
from qsdask.stages.columns import feature_rows
from qsdask.stages.explain import features_of
from qsdask.stages.predict import standard_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.rows import usable_softness
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["Asked", "Known", "asked_of", "extent_known", "known_rows"]


class Asked(NamedTuple):
    """What must be known to find the atoms, and their columns, on a worker.

    Attributes
    ----------
    softness : str
        Group of the store.
    sets, columns : tuple of str
        Feature sets of the model, and its columns.
    standard : Standard or None
        What the columns are measured by, of models that need it.
    label : dict
        Of the model.
    key : str
        Key of the specimen, for hashes.
    seed : int
    """

    softness: str
    sets: tuple[str, ...]
    columns: tuple[str, ...]
    standard: Standard | None
    label: Mapping
    key: str
    seed: int

    def rests_on(self, path: Path) -> tuple[str, ...]:
        """Ledgers of what is read."""
        return (self.softness, *(f"features/{one}" for one in self.sets), *surface_ledgers(path, margin_of(self.label)))


class Known(NamedTuple):
    """Rows of a domain whose softness is known and may be used.

    Attributes
    ----------
    mask : bool array, shape (n,)
        Which of all rows they are.
    qs : float64 array, shape (n_known,)
    value : float32 array, shape (n_known, n_column)
        Columns of the model, as they were computed; NaN where an atom lacks one.
    species : int array, shape (n_known,)
        Index into `names`.
    names : list of str
        Chemical symbols.
    hash : uint64 array, shape (n_known,)
        Of their identity.
    """

    mask: np.ndarray
    qs: np.ndarray
    value: np.ndarray
    species: np.ndarray
    names: list[str]
    hash: np.ndarray

    def sampled(self, limit: np.uint64) -> Known:
        """Those whose hash is not above a limit; see `qsdask.analysis.extent.Extent.limit`."""
        return self.only(self.hash <= limit)

    def only(self, chosen: np.ndarray) -> Known:
        """Some of them."""
        mask = self.mask.copy()
        mask[mask] = chosen
        return Known(mask, self.qs[chosen], self.value[chosen], self.species[chosen], self.names, self.hash[chosen])

    def seen(self, model: Model, standard: Standard | None, value: np.ndarray | None = None) -> np.ndarray:
        """Columns as a model looks at them: their own, or others that they are given."""
        return model.part.seen(self.value if value is None else value, self.species, self.names, standard)


def asked_of(path: Path, softness: str, found: Model, seed: int) -> Asked:
    """What is asked of a store about a model; see `Asked`."""
    features_of(path, found)
    specimen = ledger.require(path, "ingest").facts["specimen"]
    return Asked(softness, found.sets, found.columns, standard_of(path, softness), found.label, specimen, seed)


def known_rows(root: StoreReader, domain: int, asked: Asked) -> Known:
    """Rows of a domain whose softness is known, away from free surfaces as in training."""
    rows = root.rows(domain)
    qs = usable_softness(root, domain, asked.softness, asked.label)
    mask = np.isfinite(qs)
    value = feature_rows(root, rows, asked.sets, asked.columns)[mask]
    species, names = root["atoms/species"][rows][mask], root.names("atoms/species_name")
    hashes = identity_hash(asked.seed, "explain", 0, asked.key, root["atoms/id"][rows][mask])
    return Known(mask, qs[mask], value, species, names, hashes)


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
