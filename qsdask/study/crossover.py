"""Where scattered rearrangements go over to shear bands along the strain of a glass: localisation and change points, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis import crossover as along_strain
from qsdask.analysis.counts import described
from qsdask.learn import bootstrap
from qsdask.space.strain import branches
from qsdask.store import ledger

__all__ = ["crossover_of"]

#: Draws of blocks, each fitted anew.
_DRAWS = 400

#: Frames of the first loading below which no break is looked for.
_FEWEST = 8

_STAGES = ("shear banding", "propagation")


def crossover_of(path: Path, strain: np.ndarray, blocks: Mapping[int, np.ndarray]) -> xr.Dataset:
    """Localisation of plasticity by strain, and the strains at which it and the softness of the newly plastic atoms change.

    Parameters
    ----------
    path : Path
        Root of the store.
    strain : float64 array, shape (n_step,)
        Of the frames.
    blocks : mapping of int to int64 array
        Sum of the results of `qsdask.analysis.crossover.by_block`.

    Returns
    -------
    xarray.Dataset
        For each of `qsdask.analysis.crossover.NAMES` its values by ``step`` and ``<name>_interval`` (95 %, by bootstrap over blocks of
        space); ``<name>_fit``, the broken line, where it was fitted. ``crossover (stage)``: strain, a fraction and without sign, at
        which shear banding, and the propagation of bands, begin; NaN where none pays. ``crossover_interval``. Breaks are looked
        for along the first loading alone.
    """
    n = len(blocks)
    key = ledger.require(path, "ingest").facts["specimen"]
    whole = {name: value[0] for name, value in along_strain.series(blocks, np.ones((1, n)), len(strain)).items()}
    times = bootstrap.redrawn(dict(enumerate(np.eye(n))), key, _DRAWS)
    drawn = along_strain.series(blocks, times, len(strain))
    found: dict[str, xr.Variable] = {}
    for name, text in along_strain.NAMES.items():
        found[name] = described(whole[name], "step", text)
        ends = bootstrap.ends(drawn[name], n)
        found[f"{name}_interval"] = described(
            ends, ("step", "end"), f"{text}: {bootstrap.LEVEL:.0%} confidence, by blocks of space"
        )
    at, interval = np.full(len(_STAGES), np.nan), np.full((len(_STAGES), 2), np.nan)
    fits = {name: np.full(len(strain), np.nan) for name in along_strain.SERIES}
    spread = np.array([drawn[name].std(axis=0, ddof=1) for name in along_strain.SERIES])
    value = np.array([whole[name] for name in along_strain.SERIES])
    known = (branches(strain) == 0) & (np.arange(len(strain)) > 0) & np.isfinite(value + spread).all(axis=0)
    known &= (spread > 0).all(axis=0)
    if known.sum() >= _FEWEST and n >= bootstrap.FEWEST:
        draws = np.array([drawn[name][:, known] for name in along_strain.SERIES])
        breaks = along_strain.breaks_of(np.abs(strain[known]), value[:, known], spread[:, known], draws)
        at[: len(breaks.at)] = breaks.at
        interval[: len(breaks.at)] = bootstrap.ends(breaks.drawn, n)
        for name, line in zip(along_strain.SERIES, breaks.fit, strict=True):
            fits[name][known] = line
    for name, line in fits.items():
        found[f"{name}_fit"] = described(line, "step", f"broken line through: {along_strain.NAMES[name]}")
    found["crossover"] = described(at, "stage", "strain without sign, a fraction, at which the stage begins")
    found["crossover_interval"] = described(
        interval, ("stage", "end"), f"{bootstrap.LEVEL:.0%} confidence of it, by blocks of space"
    )
    return xr.Dataset(found, {"stage": described(np.array(_STAGES), "stage", "stage of the deformation")})
