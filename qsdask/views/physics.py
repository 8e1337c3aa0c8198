"""What the questions about soft and hard atoms found: their pictures, their files, and rows for tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.taken import refuse_taken
from qsdask.reporting.physics import activation_sheet, contrast_sheet, packing_sheet, spectrum_sheet
from qsdask.reporting.picture import save_png
from qsdask.reporting.published import (
    CLUSTERS,
    GLASS,
    HEADS,
    Row,
    classes_told,
    cluster_rows,
    crossover_rows,
    packing_rows,
    spectrum_rows,
)
from qsdask.store.reader import StoreReader
from qsdask.study.contrast import contrast
from qsdask.study.packing import packing

__all__ = [
    "CLUSTERS",
    "GLASS",
    "HEADS",
    "Row",
    "activation_sheet",
    "classes_told",
    "cluster_rows",
    "contrast_sheet",
    "crossover_rows",
    "hard_and_soft",
    "packing_rows",
    "packing_sheet",
    "refuse_places",
    "spectrum_rows",
    "spectrum_sheet",
    "write_answer",
]


#: Centres at most from which a report tells how atoms pack: fewer pairs than all stages before it look at.
_CENTRES = 200_000


def hard_and_soft(path: Path, model: str | Path, run: Run) -> tuple[xr.Dataset | None, xr.Dataset | None]:
    """What a report tells of the hard and the soft end of an undeformed glass: packing, and contrast where there are both."""
    large = StoreReader(path)["atoms/id"].shape[0] > _CENTRES
    return (
        _where_usable(partial(packing, path, model=model, sample=_CENTRES if large else None, run=run)),
        _where_usable(partial(contrast, path, model=model, run=run)),
    )


def _where_usable(ask: Callable[[], xr.Dataset]) -> xr.Dataset | None:
    try:
        return ask()
    except BadDataError as error:
        if error.code != "E-NO-USABLE":
            raise
    return None


def refuse_places(places: tuple[str, ...], *, overwrite: bool) -> None:
    """Refuse places that an answer cannot be written to, before it is looked for.

    Raises
    ------
    UsageError
        ``E-FORMAT`` for an ending that is neither ``.png`` nor ``.zarr``.
    CannotCreateError
        ``E-EXISTS`` when a file is there; ``E-IN-STORE`` for a place inside of a store.
    """
    for place in places:
        refuse_taken(Path(place), overwrite=overwrite and Path(place).suffix.lower() == ".png")
        if Path(place).suffix.lower() not in (".png", ".zarr"):
            raise UsageError(
                f"--out {place}: an answer is written as .png, a picture, or as .zarr, a store that xarray opens",
                code="E-FORMAT",
            )


def write_answer(
    found: xr.Dataset, out: str | Path, draw: Callable[[xr.Dataset], Figure], *, overwrite: bool = False
) -> Path:
    """Write an answer as a picture or as a store.

    Parameters
    ----------
    found : Dataset
        Of a question.
    out : path
        ``.png``, or ``.zarr``.
    draw : callable
        Makes its figure.
    overwrite : bool
        Replace a picture that is there.

    Raises
    ------
    QSDaskError
        As of `refuse_places`.
    """
    refuse_places((str(out),), overwrite=overwrite)
    path = Path(out)
    if path.suffix.lower() == ".png":
        return save_png(draw(found), path, overwrite=overwrite)
    # Of strings of one width Zarr says that they may not be read tomorrow.
    words = {name: found[name].astype(object) for name in found.coords if found[name].dtype.kind == "U"}
    found.assign_coords(words).to_zarr(path, mode="w-", consolidated=False)
    return path
