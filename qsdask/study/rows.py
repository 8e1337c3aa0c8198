"""What may take part in learning and in scores: rows of a domain with their features, labels and softness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.learn import loaded, plastic, plastic_in_runs, usable
from qsdask.learn.own_label import Judge
from qsdask.learn.shipped import folder_of
from qsdask.names import name_of_model
from qsdask.schema import group_at
from qsdask.stages.columns import feature_rows
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.surface import margin_of, surface_distance, surface_ledgers

__all__ = ["LabelledRows", "label_values", "labelled_rows", "softness_group", "softness_ledgers", "usable_softness"]


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
        D2min at the label's strain, or its mean over isoconfigurational runs, unit angstrom^2; the value of a label of the
        user's own, in its unit.
    target : float64 array, shape (n,), or None
        Learned instead of `y` where a label is learned by rank: the share of atoms that are less soft.
    """

    value: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    excluded: dict[str, int]
    d2: np.ndarray
    target: np.ndarray | None = None


def labelled_rows(
    root: StoreReader,
    domain: int,
    sets: Sequence[str],
    columns: Sequence[str],
    step: int | Judge,
    label: Mapping,
    *,
    gaps: bool = False,
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
    step : int or Judge
        Frame of the label; of a label of the user's own what it is in this glass, see `qsdask.study.own_label.label_at`.
    label : mapping
        ``threshold``, ``frequency``, surface margin and ``host`` of a model; ``name`` of a label of the user's own.
    gaps : bool
        Use also atoms that lack some of the columns.

    Returns
    -------
    LabelledRows

    Raises
    ------
    UsageError
        ``E-HOST`` when the host is not a species of the store.
    """
    rows = root.rows(domain)
    d2, y, known = label_values(root, rows, step, label)
    value = feature_rows(root, rows, sets, columns)
    margin = margin_of(label)
    names = root.names("atoms/species_name")
    host = label.get("host")
    if host is not None and host not in names:
        raise UsageError(f"host is {host!r}, the store holds {', '.join(names)}", code="E-HOST")
    mask, excluded = usable(
        value,
        known,
        surface_distance=surface_distance(root, rows),
        margin=margin,
        species=root["atoms/species"][rows],
        host=None if host is None else names.index(host),
        gaps=gaps,
    )
    if not isinstance(step, Judge):
        return LabelledRows(value, y, mask, excluded, d2)
    without = {"label" if rule == "response" else rule: n for rule, n in excluded.items()}
    return LabelledRows(value, y, mask, without, d2, step.target(d2))


def label_values(
    root: StoreReader, rows: slice, step: int | Judge, label: Mapping
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a label says of some atoms, whichever it is.

    Parameters
    ----------
    root : StoreReader
        Store.
    rows : slice
        Rows of one domain, or others.
    step, label
        As of `labelled_rows`.

    Returns
    -------
    value : float64 array, shape (n,)
        D2min of this run, its mean over all isoconfigurational runs for a label of those, or the value of a label of the
        user's own; see `qsdask.learn.own_label.softward` for which end of these is soft.
    y : bool array, shape (n,)
        Plastic, or soft.
    known : bool array, shape (n,)
        Where there is a label.
    """
    if isinstance(step, Judge):
        value = root[f"labels/{label['name']}/value"][rows]
        return value, step.soft(value), np.isfinite(value)
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
