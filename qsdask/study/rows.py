"""What may take part in learning and in scores: rows of a domain with their features, labels and softness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.learn import loaded, plastic, plastic_in_runs, usable
from qsdask.learn.shipped import folder_of
from qsdask.names import name_of_model
from qsdask.schema import group_at
from qsdask.stages.columns import columns_there, feature_rows
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.surface import margin_of, surface_distance, surface_ledgers

__all__ = ["LabelledRows", "labelled_rows", "softness_group", "softness_ledgers", "usable_softness"]


class LabelledRows(NamedTuple):
    """All rows of one domain.

    Attributes
    ----------
    value : float32 array, shape (n, n_feature)
        Features.
    y : bool array, shape (n,)
        Plastic; meaningful where `mask` holds.
    mask : bool array, shape (n,)
        Usable.
    excluded : dict of str to int
        Rows left out, by rule.
    d2 : float64 array, shape (n,)
        D2min at the label's strain, or its mean over isoconfigurational runs. Unit: angstrom^2.
    """

    value: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    excluded: dict[str, int]
    d2: np.ndarray


def labelled_rows(
    root: StoreReader, domain: int, sets: Sequence[str], columns: Sequence[str], step: int, label: Mapping
) -> LabelledRows:
    """Features, labels and usability of the rows of a domain.

    Parameters
    ----------
    root : StoreReader
        Store.
    domain : int
        Domain.
    sets : sequence of str
        Names of the feature sets.
    columns : sequence of str
        Their columns that are wanted; only these decide whether an atom has all features.
    step : int
        Frame of the label.
    label : mapping
        ``threshold``, ``frequency``, surface margin and ``host`` of a model; ``same_atoms``, sets of which an atom must have
        every column, too.

    Returns
    -------
    LabelledRows

    Raises
    ------
    UsageError
        ``E-HOST`` when the host is not a species of the store.
    """
    rows = root.rows(domain)
    d2, y, known = _labels(root, rows, step, label)
    value = feature_rows(root, rows, sets, columns)
    margin = margin_of(label)
    names = root.names("atoms/species_name")
    host = label.get("host")
    if host is not None and host not in names:
        raise UsageError(f"host is {host!r}, the store holds {', '.join(names)}", code="E-HOST")
    mask, excluded = usable(
        np.column_stack([value, *_of_others(root, rows, label.get("same_atoms", ()))]),
        known,
        surface_distance=surface_distance(root, rows),
        margin=margin,
        species=root["atoms/species"][rows],
        host=None if host is None else names.index(host),
    )
    return LabelledRows(value, y, mask, excluded, d2)


def _of_others(root: StoreReader, rows: slice, sets: Sequence[str]) -> list[np.ndarray]:
    """For each of some sets a column that is NaN where the set lacks a value, and 0 elsewhere."""
    values = (feature_rows(root, rows, [one], columns_there(root, [one])) for one in sets)
    return [np.where(np.isfinite(value).all(axis=1), 0.0, np.nan).astype(np.float32) for value in values]


def _labels(root: StoreReader, rows: slice, step: int, label: Mapping) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D2min, label, and where there is one: of this run, or of all isoconfigurational runs for a model of those."""
    if "frequency" in label:
        runs = "response/propensity"
        return root[f"{runs}/d2min_mean"][step, rows], *plastic_in_runs(
            root[f"{runs}/frequency"][step, rows], label["frequency"]
        )
    d2 = root["response/d2min/d2min"][step, rows]
    valid = root["response/d2min/valid"][step, rows]
    return d2, *plastic(np.where(valid, d2, np.nan), label["threshold"])


def usable_softness(root: StoreReader, domain: int, group: str, label: Mapping) -> np.ndarray:
    """QS of the rows of a domain, NaN where the place of the atom forbids its use.

    Parameters
    ----------
    root : StoreReader
        Store.
    domain : int
        Domain.
    group : str
        Group of the softness.
    label : mapping
        Of the model.

    Returns
    -------
    float64 array, shape (n,)
    """
    rows = root.rows(domain)
    near = surface_distance(root, rows) < margin_of(label)
    return np.where(near, np.nan, root[f"{group}/qs"][rows])


def softness_group(path: Path, model: str | Path, step: int = 0) -> str:
    """Group of a model's softness of a frame in a store, which must be complete.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING`` when this model was not applied to the store.
    BadDataError
        ``E-MODEL-CHANGED`` when another model of this name was.
    """
    name = name_of_model(model)
    group, of_frame = group_at(step, f"softness/{name}"), f" --frame {step}" * (step > 0)
    if ledger.read(path, group) is None:
        raise NoInputError(
            f"the model {name} has not been applied to this store",
            code="E-STAGE-MISSING",
            file=path,
            hint=f"qsdask predict {path} --model {model}{of_frame}",
        )
    applied = ledger.require(path, group).settings["model_digest"]
    # A name is enough to look at what was predicted; the model itself must be the one that predicted it.
    if folder_of(model).is_dir() and loaded(str(model)).digest() != applied:
        raise BadDataError(
            f"the softness in this store is that of another model named {name}",
            code="E-MODEL-CHANGED",
            file=path,
            why="the model was trained again",
            hint=f"qsdask predict {path} --model {model}{of_frame} --overwrite",
        )
    return group


def softness_ledgers(path: Path, group: str, label: Mapping) -> tuple[str, ...]:
    """Ledgers of what a question about softness and response reads; ``E-MARGIN`` as of `surface_ledgers`."""
    return (group, "response/d2min", *surface_ledgers(path, margin_of(label)))
