"""Files of a comparison: the change of every atom for other programs, and a picture of all glasses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.engine.reading import read_box
from qsdask.files.taken import refuse_taken
from qsdask.formats.write import open_writer
from qsdask.reporting.comparison import comparison
from qsdask.reporting.ensemble import ensemble_rows, ensemble_sheet, has_replicas
from qsdask.reporting.picture import save_png
from qsdask.store.reader import StoreReader
from qsdask.study.change import change_of_softness
from qsdask.units import SIGMA

__all__ = ["ensemble_rows", "has_replicas", "write_change", "write_picture"]

_COLUMNS = ("qs_first", "qs_second", "delta_qs")


def write_change(
    first: str | Path, second: str | Path, out: str | Path, *, model: str | Path, overwrite: bool = False
) -> Path:
    """Write the softness of the atoms of two glasses, and its change, where they lie in the second.

    Parameters
    ----------
    first, second, model
        As of `qsdask.study.change.change_of_softness`.
    out : str or Path
        ``.zarr`` for a store that xarray opens, or an ending that `qsdask.formats.write.open_writer` knows.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path
        The file, with the columns ``qs_first``, ``qs_second`` and ``delta_qs``.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS`` when a file is there; ``E-IN-STORE`` for a place inside of a store.
    QSDaskError
        As `qsdask.study.change.change_of_softness`.
    """
    out = Path(out)
    refuse_taken(out, overwrite=overwrite)
    change = change_of_softness(first, second, model=model)
    if out.suffix == ".zarr":
        change.to_zarr(out, mode="w-", consolidated=False)
        return out
    root = StoreReader(second)
    box, ids = read_box(root, 0), change["id"].values
    with open_writer(
        out,
        natoms=len(ids),
        cell=box.cell,
        origin=box.origin,
        periodic=box.periodic,
        species=root.names("atoms/species_name"),
        columns={name: change[name].dtype for name in _COLUMNS},
        timestep=int(root["frames/timestep"][0]),
        units="lj" if root.length == SIGMA else None,
    ) as writer:
        for domain in range(root.n_domain):
            rows = root.rows(domain)
            mine = root["atoms/id"][rows]
            kept = np.isin(mine, ids)
            at = np.searchsorted(ids, mine[kept])
            writer.write(
                mine[kept],
                root["atoms/species"][rows][kept],
                root["frames/position"][0, rows][kept],
                {name: change[name].values[at] for name in _COLUMNS},
            )
    return out


def write_picture(found: xr.Dataset, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.compare` found: by condition where there are replicas, else glass by glass."""
    draw = ensemble_sheet if has_replicas(found) else comparison
    return save_png(draw(found), Path(out), overwrite=overwrite)
