"""What the questions about soft and hard atoms found: their pictures, their files, and rows for tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from qsdask.errors import UsageError
from qsdask.files.taken import refuse_taken
from qsdask.reporting.physics import contrast_sheet, packing_sheet, spectrum_sheet
from qsdask.reporting.picture import save_png
from qsdask.reporting.published import GLASS, HEADS, Row, cluster_rows, packing_rows, spectrum_rows

__all__ = [
    "GLASS",
    "HEADS",
    "Row",
    "cluster_rows",
    "contrast_sheet",
    "packing_rows",
    "packing_sheet",
    "refuse_places",
    "spectrum_rows",
    "spectrum_sheet",
    "write_answer",
]


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
        if Path(place).suffix.lower() not in (".png", ".zarr"):
            raise UsageError(
                f"--out {place}: an answer is written as .png, a picture, or as .zarr, a store that xarray opens",
                code="E-FORMAT",
            )
        refuse_taken(Path(place), overwrite=overwrite and Path(place).suffix.lower() == ".png")


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
