"""What may take part in learning and in scores: rows of a domain with their features, labels and softness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.errors import UsageError
from qsdask.learn import plastic, plastic_in_runs, usable
from qsdask.learn.own_label import Judge
from qsdask.stages.columns import columns_there, feature_rows
from qsdask.stages.predict import softness_group
from qsdask.store.reader import StoreReader
from qsdask.study.surface import margin_of, surface_distance, surface_ledgers, values_at

__all__ = [
    "LabelledRows",
    "label_values",
    "labelled_rows",
    "softness_group",
    "softness_ledgers",
    "softness_of_rows",
    "usable_softness",
]


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
        ``threshold``, ``frequency``, surface margin and ``host`` of a model; ``name`` of a label of the user's own;
        ``same_atoms``, sets of which an atom must have every column, too.
    gaps : bool
        Use also atoms that lack some of the columns, but not of those sets.

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
        others=_has_all(root, rows, same) if (same := label.get("same_atoms")) else None,
    )
    if not isinstance(step, Judge):
        return LabelledRows(value, y, mask, excluded, d2)
    without = {"label" if rule == "response" else rule: n for rule, n in excluded.items()}
    return LabelledRows(value, y, mask, without, d2, step.target(d2))


def _has_all(root: StoreReader, rows: slice, sets: Sequence[str]) -> np.ndarray:
    """Atoms that have every column of some sets."""
    columns = columns_there(root, sets) if sets else []
    return np.isfinite(feature_rows(root, rows, sets, columns)).all(axis=1)


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
    return softness_of_rows(root, root.rows(domain), group, label)


def softness_of_rows(root: StoreReader, rows: slice | np.ndarray, group: str, label: Mapping) -> np.ndarray:
    """The same of any rows, a slice or numbers; float64 array, shape (n,)."""
    near = surface_distance(root, rows) < margin_of(label)
    return np.where(near, np.nan, values_at(root[f"{group}/qs"], rows))


def softness_ledgers(path: Path, group: str, label: Mapping) -> tuple[str, ...]:
    """Ledgers of what a question about softness and response reads; ``E-MARGIN`` as of `surface_ledgers`."""
    return (group, "response/d2min", *surface_ledgers(path, margin_of(label)))
