"""Question ``packing``: how hard and soft atoms pack: mass scaling, g(r), clusters, and whether these go through the glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis import packing as of_pairs
from qsdask.analysis.counts import described, in_length, quanta
from qsdask.analysis.distance import add
from qsdask.analysis.extent import hash_limit
from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import read_box, read_rows
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.kernels.pairs import class_pairs
from qsdask.learn import bootstrap
from qsdask.learn.table import identity_hash
from qsdask.schema import command_of
from qsdask.settings import ClassSettings, validated
from qsdask.stages.cutoffs import half_box_warning
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_edge, block_of, few_blocks
from qsdask.study.clusters import clusters_of
from qsdask.study.rows import softness_group, softness_of_rows
from qsdask.study.surface import known_depth, margin_of, surface_distance, surface_ledgers

__all__ = ["packing"]

#: Bins of distance; how far is looked by default, and where a first range of the dimension begins and ends, in spacings of the
#: atoms. In Cu-Zr these are 20, 3.8 and 10 angstrom: four shells of neighbours, as in the paper.
N_BIN = 200
_FAR, _NEAR, _MIDDLE = 8.0, 1.5, 4.0

#: Draws of blocks: a draw is some thousand numbers.
_DRAWS = 400


def packing(
    store: str | Path,
    *,
    model: str | Path,
    reach: float | None = None,
    ranges: Sequence[tuple[float, float]] = (),
    around: str = "own",
    with_centre: bool = False,
    sample: int | None = None,
    hard_below: float | None = None,
    soft_above: float | None = None,
    block: float | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Mass scaling M(r) ~ r^D and g(r) of hard, soft and all atoms of the undeformed glass, and clusters of the hard and the soft.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict`.
    model : str or Path
        Model folder, or its name.
    reach : float, optional
        How far from its centres atoms are counted. By default 8 spacings of the atoms, but at most half of the cell, and where
        there are free surfaces as far as distances from them are known. Unit: that of the store.
    ranges : sequence of (float, float), optional
        Of which a dimension is told; by default 1.5 to 4 spacings, and from there to the reach. Unit: that of the store.
    around : {"own", "all"}
        Which atoms M(r) counts: those of the class of the centre, or all.
    with_centre : bool
        Whether M(r) counts the centre, too.
    sample : int, optional
        Take about so many atoms as centres, by a hash of their identity; all by default.
    hard_below, soft_above : float, optional
        QS below which atoms are hard, and above which they are soft; by default those of the paper, 0.1 and 0.7.
    block : float, optional
        Edge of the blocks of space that intervals are drawn from, as of `qsdask.evaluate`.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.packing.quantities`, with an ``<name>_interval`` for each (95 %, by bootstrap over blocks), and
        `qsdask.study.clusters.clusters_of`. Lengths are in the unit of the store.

    Raises
    ------
    UsageError
        ``E-SETTING`` for a reach, range or sample that cannot be; ``E-MARGIN`` for a reach beyond which nobody knows of surfaces;
        ``E-BLOCK``.
    BadDataError
        ``E-NO-USABLE`` when no atom has a softness; ``E-COPIES`` for a reach far beyond the cell.
    QSDaskError
        When the softness is missing or incomplete.

    Notes
    -----
    Pairs are counted by domains with halos as wide as the reach: exactly, in memory that does not grow with the glass.
    """
    path, run = located(store), run or Run()
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    ledger.require(path, "shells")
    root, margin = StoreReader(path), margin_of(label)
    rests_on = (group, "shells", *surface_ledgers(path, margin))
    if around not in ("own", "all"):
        raise UsageError(f"around is 'own' or 'all', not {around!r}", code="E-SETTING")
    if sample is not None and sample < 1:
        raise UsageError(f"a sample is of one centre or more, not {sample}", code="E-SETTING")
    edge, depth = block_edge(root, block), known_depth(path, margin)
    limits = validated(ClassSettings, hard_below=hard_below, soft_above=soft_above).limits
    asked = {"group": group, "label": label}
    classed = {**asked, "limits": limits}
    with run.shared() as here:
        glass = reduced(path, rests_on, _measured, _Glass.__add__, here, "density", **classed)
        if not glass.n[:3].sum():
            raise BadDataError("no atom has a softness that may be used", code="E-NO-USABLE", file=path)
        volume = read_box(root, 0).volume if glass.whole else glass.volume / 2**30
        spacing = float(np.cbrt(volume / glass.n.sum()))
        far = _reach(path, root, reach, spacing, depth - margin)
        spans = _ranges(ranges, spacing, far)
        key = ledger.require(path, "ingest").facts["specimen"]
        limit = None if sample is None else hash_limit(root["atoms/id"].shape[0], sample)
        fixed = {**classed, "reach": far, "depth": depth, "edge": edge, "limit": limit, "key": key}
        blocks = reduced(path, rests_on, _pairs, add, here, "pairs", **fixed)
        of_clusters = clusters_of(path, rests_on, asked, limits, glass.n, key, here)
    edges = np.arange(N_BIN + 1) * (far / N_BIN)
    density = np.array([glass.n[list(kinds)].sum() for kinds in of_pairs.GROUPS.values()]) / volume
    how = {"own": around == "own", "with_centre": with_centre}
    total = np.sum(list(blocks.values()), axis=0)[None].astype(np.float64)
    found = {k: v[0] for k, v in of_pairs.quantities(total, edges, density, spans, **how).items()}
    told = of_pairs.packing(found, {k: v[0].astype(int) for k, v in of_pairs.centres_of(total).items()}, edges, spans)
    drawn = of_pairs.quantities(bootstrap.redrawn(blocks, key, _DRAWS), edges, density, spans, **how)
    told = told.assign(
        {f"{k}_interval": _interval(told[k], bootstrap.ends(v, len(blocks))) for k, v in drawn.items()}
        | {
            "density": described(density, "class", "atoms of the class per volume", "angstrom^-3"),
            "n_atom": described(
                np.array([glass.n[list(kinds)].sum() for kinds in of_pairs.GROUPS.values()]), "class", "atoms"
            ),
        }
    )
    notes = [*few_blocks(len(blocks)), *(f"{w['code']}: {w['text']}" for w in half_box_warning(root, far, "the reach"))]
    return in_length(xr.merge([told, of_clusters], combine_attrs="drop_conflicts"), root.length).assign_attrs(
        around=around,
        with_centre=int(with_centre),
        sample=0 if sample is None else sample,
        spacing=spacing,
        hard_below=limits[0],
        soft_above=limits[1],
        blocks=len(blocks),
        block_edge=edge,
        level=bootstrap.LEVEL,
        notes=notes,
        store=str(path),
        model=str(model),
    )


class _Glass(NamedTuple):
    """Atoms away from surfaces by their class, their volume in whole quanta, and whether there are surfaces nowhere."""

    n: np.ndarray
    volume: int
    whole: bool

    def __add__(self, other: _Glass) -> _Glass:  # type: ignore[override]  # counts add up, tuples would join
        return _Glass(self.n + other.n, self.volume + other.volume, self.whole and other.whole)


def _measured(root: StoreReader, domain: int, *, group: str, label: Mapping, limits: tuple[float, float]) -> _Glass:
    rows = root.rows(domain)
    away = surface_distance(root, rows)
    inside = ~(away < margin_of(label))
    kind = of_pairs.kinds_of(softness_of_rows(root, rows, group, label)[inside], *limits)
    volume = quanta(root["shells/voronoi/cell_volume"][rows][inside]).sum()
    return _Glass(np.bincount(kind, minlength=4), int(volume), bool(np.isinf(away).all()))


def _reach(path: Path, root: StoreReader, asked: float | None, spacing: float, known: float) -> float:
    """How far atoms are counted; see `packing`."""
    box = read_box(root, 0)
    half = 0.5 * float(np.min(box.height, where=np.asarray(box.periodic, dtype=bool), initial=np.inf))
    far = min(_FAR * spacing, half, known) if asked is None else float(asked)
    if not (np.isfinite(far) and far > 0):
        raise UsageError(f"the reach must be a positive number of {root.length}, got {far!r}", code="E-SETTING")
    if far > known:
        raise UsageError(
            f"atoms were to be counted up to {far:g} {root.length}, and free surfaces are known of up to {known:g} from where "
            "softness is used",
            code="E-MARGIN",
            file=path,
            hint=f"{command_of(path, 'surface')} --reach {far + 10.0:g} --overwrite",
        )
    return far


def _ranges(asked: Sequence[tuple[float, float]], spacing: float, far: float) -> list[tuple[float, float]]:
    """Ranges of which a dimension is told; see `packing`."""
    for low, high in asked:
        if not far / N_BIN < low < high <= far * (1.0 + 1e-12):
            raise UsageError(
                f"a range must lie between {far / N_BIN:.3g} and the reach, {far:.3g}, and not be empty; got {low:g} to {high:g}",
                code="E-SETTING",
                hint="--range 4 10 --range 10 20",
            )
    near, middle = _NEAR * spacing, _MIDDLE * spacing
    usual = [(near, middle), (middle, far)] if far > 1.2 * middle else [(min(near, far / 2.0), far)]
    return [(float(low), float(high)) for low, high in asked] or usual


def _pairs(
    root: StoreReader,
    domain: int,
    *,
    group: str,
    label: Mapping,
    limits: tuple[float, float],
    reach: float,
    depth: float,
    edge: float,
    limit: np.uint64 | None,
    key: str,
) -> dict[int, np.ndarray]:
    """Pairs of one domain by block of their centre."""
    around = halo_block(root, domain, reach)
    owned = around.row[: around.n_owned]
    rows, margin = root.rows(domain), margin_of(label)
    away = np.minimum(surface_distance(root, owned), depth) - margin
    chosen = away >= 0.0
    if limit is not None:
        chosen &= identity_hash(0, "packing", 0, key, read_rows(root["atoms/id"], owned)) <= limit
    centre = np.flatnonzero(chosen)
    block = block_of(root, rows, edge)[owned - rows.start][centre]
    different, number = np.unique(block, return_inverse=True)
    kind = of_pairs.kinds_of(softness_of_rows(root, around.row, group, label), *limits)
    counts = class_pairs(around.position, kind, 4, centre, number, len(different), away[centre], reach / N_BIN, N_BIN)
    return dict(zip(different.tolist(), of_pairs.flat(*counts), strict=True))


def _interval(value: xr.DataArray, ends: np.ndarray) -> xr.Variable:
    text = f"{value.attrs['long_name']}: {bootstrap.LEVEL:.0%} confidence, by blocks of space"
    return described(ends, (*value.dims, "end"), text, value.attrs["units"])
