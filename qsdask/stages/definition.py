"""How the features of a frame were defined: what a model must find again where it is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qsdask.quantity import feature_sets
from qsdask.schema import group_at
from qsdask.settings import FeatureSettings
from qsdask.stages.features import facts_of, quantity_of
from qsdask.store import ledger
from qsdask.store.reader import Arrays, StoreReader
from qsdask.units import ANGSTROM

__all__ = ["definition", "definition_of", "joined"]


def definition_of(path: Path, sets: Sequence[str], step: int = 0) -> dict:
    """How the features of a frame were made: what a model must find again where it is applied."""
    return joined([_definition_of_one(path, one, step) for one in sets])


def joined(definitions: Sequence[dict]) -> dict:
    """One definition of several sets of one store: all that they share, and ``sets`` with the settings of each.

    Parameters
    ----------
    definitions : sequence of dict
        From `definition`; a single one is given back as it is.

    Returns
    -------
    dict
    """
    first, *others = definitions
    if not others:
        return first
    # A set that finds its neighbours itself has no shells; all others have those of the frame.
    shells: dict = next((one["shells"] for one in definitions if one["shells"]), {})
    sets = {one["features"]["set"]: one["features"] for one in sorted(definitions, key=lambda d: d["features"]["set"])}
    return {"sets": sets, **{name: part for name, part in first.items() if name != "features"}, "shells": shells}


def _definition_of_one(path: Path, feature_set: str, step: int) -> dict:
    ledger.require(path, "ingest")
    features = ledger.require(path, group_at(step, f"features/{feature_set}"))
    shells = group_at(step, "shells")
    # Some sets find their neighbours themselves.
    of_shells = ledger.require(path, shells).settings if shells in features.inputs else {}
    return definition(StoreReader(path), features.settings, of_shells)


def definition(root: Arrays, features: Mapping[str, Any], shells: Mapping[str, Any]) -> dict:
    """How features with these settings, on shells with these, are defined for the species of a store.

    Parameters
    ----------
    root : Arrays
        Store, for the radii of its species and what its composition decides.
    features, shells : mapping
        Settings as kept; of the shells none where the set finds its neighbours itself.

    Returns
    -------
    dict
    """
    return {
        "features": {**_implied(root, features["set"]), **features},
        "shells": dict(shells),
        # A model is of one unit; those of angstrom, which were the first, do not say so.
        **({} if root.length == ANGSTROM else {"length": root.length}),
        "radii": dict(zip(root.names("atoms/species_name"), root["atoms/radius"][:].tolist(), strict=True)),
    }


def _implied(root: Arrays, feature_set: str) -> Mapping[str, str]:
    """Settings that the specimen decided, because the user did not."""
    known = feature_set in feature_sets()
    return quantity_of(feature_set, FeatureSettings(), facts_of(root)).implied if known else {}
