"""Soft spots of a glass: how soft it is, where its soft atoms gather, whether the model knows such glasses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qsdask.analysis.clusters import largest_clusters, neighbour_pairs
from qsdask.analysis.counts import in_length
from qsdask.analysis.slab import cut_slab, join
from qsdask.engine.reading import read_box
from qsdask.learn import Model
from qsdask.learn.validity import QUANTILE, WARNED_ABOVE
from qsdask.reporting.number import PERCENT, Form
from qsdask.schema import group_at
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.stages.predict import counts_outside
from qsdask.store.reader import Arrays
from qsdask.units import ANGSTROM
from qsdask.views.columns import Column
from qsdask.views.export import write_frames

__all__ = ["share_outside", "slice_of", "soft_spots", "usual_thickness", "verdict", "write_softness"]

#: Columns of a file with softness.
COLUMNS = ("qs", "qs_std", "outside")

#: Soft atoms above which clusters are not looked for: they are found in one piece.
MOST_SOFT = 20_000_000

#: Sums are taken in whole numbers of this size: their order does not matter.
_QUANTUM = 2.0**-30


def soft_spots(root: Arrays, model: Model, name: str, step: int = 0) -> dict[str, Any]:
    """Tell of the softness of a frame.

    Parameters
    ----------
    root : Arrays
        With the softness of this frame.
    model : Model
        That gave it.
    name : str
        Name of the softness.
    step : int
        Frame.

    Returns
    -------
    dict
        ``atoms``, ``without`` (atoms that have no softness), ``mean``, ``std``, ``hard`` and ``soft`` (shares), ``trained``
        (the same of the training glasses, with how many times likelier soft atoms are to rearrange than hard ones), ``outside``
        (share of atoms unlike the training atoms; None for models that do not know), ``verdict``, and ``length``
        (unit of lengths), and ``clusters`` of soft atoms with ``size`` and ``centre``.
    """
    group = group_at(step, f"softness/{name}")
    n_atom = root["atoms/id"].shape[0]
    soft = np.zeros(n_atom, dtype=bool)
    n, total, square, n_hard = 0, 0, 0, 0
    for rows in _chunks(root):
        qs = root[f"{group}/qs"][rows]
        known = qs[np.isfinite(qs)]
        whole = np.rint(known / _QUANTUM).astype(np.int64)
        n, total = n + len(known), total + int(whole.sum())
        square += int((whole.astype(object) ** 2).sum()) if len(whole) else 0
        n_hard += int((known < HARD_BELOW).sum())
        soft[rows] = qs > SOFT_ABOVE
    mean = total * _QUANTUM / n if n else float("nan")
    spread = max(square * _QUANTUM**2 / n - mean**2, 0.0) ** 0.5 if n else float("nan")
    share = share_outside(root, group)
    return {
        "atoms": n_atom,
        "without": n_atom - n,
        "mean": mean,
        "std": spread,
        "hard": n_hard / n if n else float("nan"),
        "soft": int(soft.sum()) / n if n else float("nan"),
        "trained": dict(model.trained),
        "outside": share,
        "verdict": verdict(share),
        "length": root.length,
        **_clusters(root, soft, step),
    }


def share_outside(root: Arrays, group: str) -> float | None:
    """Share of atoms unlike the training atoms of the model; None where nobody knows."""
    beyond, known = counts_outside(root, group)
    return beyond / known if known else None


def verdict(share: float | None) -> str:
    """What to think of a glass with such a share of atoms unlike the training atoms, in words."""
    if share is None:
        return "this model does not tell how far a glass is from those that it was trained on"
    word = "valid" if share <= WARNED_ABOVE else "doubtful"
    whole = Form("g", "%", 100.0)
    return (
        f"{word}: {PERCENT(share)} of the atoms have surroundings unlike those that the model was trained on; "
        f"{whole(1.0 - QUANTILE)} is usual, and up to {whole(WARNED_ABOVE)} is taken as valid"
    )


def _clusters(root: Arrays, soft: np.ndarray, step: int) -> dict[str, Any]:
    if np.count_nonzero(soft) > MOST_SOFT:
        return {"n_cluster": None, "clusters": []}
    neighbour = root[f"{group_at(step, 'shells/voronoi')}/neighbour"]
    pairs = [neighbour_pairs(neighbour[rows], soft, rows.start) for rows in _chunks(root)]
    box = read_box(root, step)
    position = np.full((len(soft), 3), np.nan)
    for rows in _chunks(root):
        position[rows] = root["frames/position"][step, rows]
    found = largest_clusters(np.concatenate(pairs), soft, box.reduced(position), box.cell, box.origin)
    rows_of = zip(found["size"].values.tolist(), found["centre"].values.tolist(), strict=True)
    return {"n_cluster": found.attrs["n_cluster"], "clusters": [{"size": n, "centre": at} for n, at in rows_of]}


def slice_of(root: Arrays, name: str, step: int = 0, *, axis: str = "y", thickness: float | None = None) -> xr.Dataset:
    """Atoms of a slice through the middle with their softness.

    Parameters
    ----------
    root, name, step
        As of `soft_spots`.
    axis : {"x", "y", "z"}
        Normal of the slice.
    thickness : float, optional
        Unit: that of the lengths. 4 angstrom by default; in sigma as thick for these atoms, 2.5 radii of the largest.

    Returns
    -------
    xarray.Dataset
        Of `qsdask.analysis.slab.join`, without D2min.
    """
    box, radius = read_box(root, step), root["atoms/radius"][:]
    thickness = usual_thickness(root) if thickness is None else thickness
    group = group_at(step, f"softness/{name}")
    parts = []
    for rows in _chunks(root):
        qs, of = root[f"{group}/qs"][rows], radius[root["atoms/species"][rows]]
        place = (root["frames/position"][step, rows], box.cell, box.origin, box.periodic)
        parts.append(cut_slab(*place, qs, np.full_like(qs, np.nan), of, axis=axis, thickness=thickness))
    return in_length(join(parts), root.length)


def usual_thickness(root: Arrays) -> float:
    """Thickness of a slice that shows atoms once: 4 angstrom; in sigma as thick for these atoms. Unit: that of the lengths."""
    return 4.0 if root.length == ANGSTROM else 2.5 * float(root["atoms/radius"][:].max())


def write_softness(root: Arrays, name: str, out: str | Path, step: int = 0, *, overwrite: bool = False) -> Path:
    """Write a frame with its softness for other programs.

    Parameters
    ----------
    root, name, step
        As of `soft_spots`.
    out : str or Path
        File with an ending that `qsdask.formats.write.open_writer` knows.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path
        The file, with the columns ``qs``, ``qs_std`` and ``outside``.
    """
    group = group_at(step, f"softness/{name}")
    columns = {column: Column(f"{group}/{column}", ("atom",)) for column in COLUMNS}
    return write_frames(root, Path(out), {step: columns}, overwrite=overwrite)


def _chunks(root: Arrays) -> Iterator[slice]:
    return (root.rows(domain) for domain in range(root.n_domain))
