"""Figures as data that a page can carry inside itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from qsdask.files.durable import write_durable
from qsdask.files.taken import refuse_taken
from qsdask.reporting.style import STYLE

__all__ = ["Picture", "encode", "save_png"]

#: A drawing whose SVG is larger than this is carried as PNG. Unit: bytes.
SVG_LIMIT = 200_000

_PNG_DPI = 170


@dataclass(frozen=True)
class Picture:
    """An encoded figure.

    Attributes
    ----------
    uri : str
        ``data:`` address that holds all of it. Used as the source of an ``img``, each SVG is a document of
        its own, so that element ids of several pictures cannot meet.
    width, height : int
        Natural size. Unit: CSS pixel.
    """

    uri: str
    width: int
    height: int


def encode(figure: Figure, name: str, *, form: str | None = None, limit: int = SVG_LIMIT) -> Picture:
    """Encode a figure, as SVG if it is small, else as PNG.

    Parameters
    ----------
    figure : Figure
        From `qsdask.reporting.figures`.
    name : str
        Seeds the ids inside the SVG: different names give different ids, the same name the same bytes.
    form : {"svg", "png"}, optional
        Force one of them.
    limit : int
        Largest SVG. Unit: bytes.

    Returns
    -------
    Picture
    """
    width, height = (round(float(inch) * 96) for inch in figure.get_size_inches())
    if form != "png":
        data = _saved(figure, "svg", {"Date": None, "Creator": None}, {"svg.hashsalt": name})
        if form == "svg" or len(data) <= limit:
            return Picture(_uri("image/svg+xml", data), width, height)
    data = _saved(figure, "png", {"Software": None}, {})
    return Picture(_uri("image/png", data), width, height)


def save_png(figure: Figure, path: Path, *, overwrite: bool = False) -> Path:
    """Write a figure to a file.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS`` when a file is there; ``E-IN-STORE`` for a place inside of a store.
    """
    refuse_taken(path, overwrite=overwrite)
    write_durable(path, _saved(figure, "png", {"Software": None}, {}))
    return path


def _saved(figure: Figure, form: str, metadata: dict, settings: dict) -> bytes:
    buffer = io.BytesIO()
    with style.context(["default", STYLE, settings]):
        # No date and no version in the file: the same picture is the same bytes.
        figure.savefig(buffer, format=form, dpi=_PNG_DPI, metadata=metadata)
    return buffer.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
