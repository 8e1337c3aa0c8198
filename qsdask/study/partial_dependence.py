"""Question ``partial_dependence``: how the softness of a glass depends on one or two columns (Fig. 5b of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis import dependence
from qsdask.analysis.extent import Extent
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.learn import loaded, quench_in_softness
from qsdask.learn.shipped import folder_of
from qsdask.settings import ExplainSettings, validated
from qsdask.stages.columns import meaning_of
from qsdask.stages.predict import softness_group
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.sample import Asked, asked_of, extent_known, known_rows

__all__ = ["partial_dependence"]

_INDEX = "features/voronoi_index"


def partial_dependence(
    store: str | Path, *, model: str | Path, columns: str | Sequence[str], run: Run | None = None, **settings: object
) -> xr.Dataset:
    """Mean softness of the atoms of a glass when one or two of their columns are set to given values.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict` with this model. With the feature set ``voronoi_index`` in it, motifs are
        told, too.
    model : str or Path
        Model folder.
    columns : str or sequence of str
        One or two columns of the model, in any case.
    run : Run, optional
        Cluster, workers, progress.
    **settings
        Of `qsdask.settings.ExplainSettings`: ``sample``, ``grid``, ``seed``.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.dependence.finalise`; ``attrs["notes"]`` says what is missing.

    Raises
    ------
    UsageError
        ``E-COLUMN`` for columns that the model does not have, with those most alike, and for those that are the same in all
        atoms.
    QSDaskError
        When the softness is missing or incomplete; the message has the command.

    Notes
    -----
    By brute force: each atom of the sample is given every value of the grid, its other columns stay. Columns that go together in
    glasses are thereby torn apart; where there are no atoms (``count``), the model was never told what is true. Values are
    those of the columns as they were computed. A linear model compares them with means and standard deviations of the species
    in the whole glass: these stay as they are. Atoms that lack a column get its values as all others, but are not counted.

    References
    ----------
    J. H. Friedman, Ann. Stat. 29, 1189 (2001), doi:10.1214/aos/1013203451.
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    path, run = located(store), run or Run()
    chosen, found = validated(ExplainSettings, **settings), loaded(str(model))
    places = _places(found.columns, [columns] if isinstance(columns, str) else columns)
    names = [found.columns[k] for k in places]
    softness = softness_group(path, model)
    asked = asked_of(path, softness, found, chosen.seed)
    indexed = (record := ledger.read(path, _INDEX)) is not None and record.complete
    rests_on = (*asked.rests_on(path), *[_INDEX] * indexed)
    with run.shared() as here:
        whole = extent_known(path, asked, here)
        extent, limit = Extent(whole.n, whole.low[places], whole.high[places]), whole.limit(chosen.sample)
        fixed = {"asked": asked, "limit": limit, "places": places}
        value = reduced(path, rests_on, _values, _joined, here, "sample", **fixed)
        if not len(value):
            told = f"of {whole.n} atoms none fell into a sample of about {chosen.sample}"
            raise UsageError(told, code="E-SETTING", hint="give a larger --sample")
        grids = [dependence.grid_of(column, chosen.grid) for column in value.T]
        _refuse_constant(names, grids)
        job = _Job(asked, limit, places, grids, extent, str(folder_of(model).resolve()), found.digest(), indexed)
        total = reduced(path, rests_on, _part, dependence.Sums.__add__, here, "dependence", job=job)
    meaning = meaning_of(StoreReader(path), found.sets)
    notes = [] if indexed else [f"motifs are shown after: qsdask features {path} --set voronoi_index"]
    if found.part.standardises:
        notes.append("the model compares values with those of their species in the glass, which stay as they are")
    return dependence.finalise(total, names, grids, extent).assign_attrs(
        store=str(path), model=str(model), notes=notes, meanings=[meaning[name] for name in names]
    )


def _places(known: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Places of columns among those of the model."""
    folded = {name.casefold(): place for place, name in enumerate(known)}
    names = [name.strip().casefold() for name in wanted]
    if not 0 < len(set(names)) == len(names) < 3:
        raise UsageError("partial dependence is that of one column, or of two different ones", code="E-COLUMN")
    for name in names:
        if name not in folded:
            near = get_close_matches(name, folded, n=3, cutoff=0.4)
            raise UsageError(
                f"the model has no column {name!r}",
                code="E-COLUMN",
                why=f"these are like it: {', '.join(near)}" if near else None,
                hint="'qsdask export STORE --list' prints the columns of the store, those of the model among them",
            )
    return [folded[name] for name in names]


def _refuse_constant(columns: Sequence[str], grids: Sequence[np.ndarray]) -> None:
    """Refuse to follow a column that does not change."""
    for name, grid in zip(columns, grids, strict=True):
        if len(grid) < 2:
            told = f"is {grid[0]:g} in all atoms" if len(grid) else "has a value in no atom"
            raise UsageError(f"{name} {told} of the sample", code="E-COLUMN", hint="choose another column")


class _Job(NamedTuple):
    """What a worker must know; see `partial_dependence`."""

    asked: Asked
    limit: np.uint64
    places: list[int]
    grids: list[np.ndarray]
    extent: Extent
    model: str
    digest: str
    indexed: bool


def _values(root: StoreReader, domain: int, *, asked: Asked, limit: np.uint64, places: list[int]) -> np.ndarray:
    return known_rows(root, domain, asked).sampled(limit).value[:, places]


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([one, other])


def _part(root: StoreReader, domain: int, *, job: _Job) -> dependence.Sums:
    known, model = known_rows(root, domain, job.asked), loaded(job.model, job.digest)
    taken, looked_at = known.sampled(job.limit), known.value[:, job.places]

    def softness(value: np.ndarray) -> np.ndarray:
        return quench_in_softness(model, taken.seen(model, job.asked.standard, value))[0]

    qs = dependence.partial(softness, taken.value, job.places, dependence.points_of(job.grids))
    motif = {}
    if job.indexed:
        index = root[f"{_INDEX}/value"][root.rows(domain)][known.mask, :5]
        motif = dependence.motifs(index, known.qs, looked_at, job.extent)
    return dependence.Sums(len(taken.qs), qs, dependence.counted(looked_at, job.grids), motif)
