"""How the features of a frame were defined: what a model must find again where it is applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qsdask.quantity import feature_sets
from qsdask.schema import group_at
from qsdask.settings import FeatureSettings
from qsdask.stages.features import facts_of, quantity_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.units import ANGSTROM

__all__ = ["definition_of"]


def definition_of(path: Path, feature_set: str, step: int = 0) -> dict:
    """How the features of a frame were made: what a model must find again where it is applied."""
    ledger.require(path, "ingest")
    root = StoreReader(path)
    features = ledger.require(path, group_at(step, f"features/{feature_set}"))
    shells = group_at(step, "shells")
    return {
        "features": {**_implied(root, feature_set), **features.settings},
        # Some sets find their neighbours themselves.
        "shells": ledger.require(path, shells).settings if shells in features.inputs else {},
        # A model is of one unit; those of angstrom, which were the first, do not say so.
        **({} if root.length == ANGSTROM else {"length": root.length}),
        "radii": dict(zip(root.names("atoms/species_name"), root["atoms/radius"][:].tolist(), strict=True)),
    }


def _implied(root: StoreReader, feature_set: str) -> Mapping[str, str]:
    """Settings that the specimen decided, because the user did not."""
    known = feature_set in feature_sets()
    return quantity_of(feature_set, FeatureSettings(), facts_of(root)).implied if known else {}
