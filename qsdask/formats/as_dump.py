"""Headers of other text formats, put as that of a LAMMPS dump and read by the same rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats.header import DumpHeader, parse_header, shown

__all__ = ["DumpLines", "reals"]


class DumpLines:
    """Lines of a dump's header, each with the line of the file that says so.

    Parameters
    ----------
    path : path-like
    frame, line : int
        Position of the frame in its file, and line number of its first line.
    units : str, optional
        Unit style, where the file does not name its own; see `qsdask.units`.
    """

    def __init__(self, path: object, frame: int, line: int, units: str | None = None) -> None:
        self.path, self.frame, self.line, self.units = path, frame, line, units
        self._lines: list[bytes] = []
        self._rows: list[int] = []

    def refusal(self, message: str, code: str, row: int | None = None, **more) -> BadDataError:
        """An error in this header; ``row`` counts its lines from 0."""
        line = None if row is None else self.line + row
        return BadDataError(message, code=code, file=self.path, frame=self.frame, line=line, **more)

    def item(self, row: int, title: bytes, *values: tuple[int, bytes]) -> None:
        """Add an item: where it is said, its name and what follows it, and its values with theirs."""
        for at, text in ((row, b"ITEM: " + title), *values):
            self._lines.append(text + b"\n")
            self._rows.append(at)

    def box(self, row: int, cell: np.ndarray, origin: np.ndarray, sides: Sequence[str]) -> None:
        """Add a box: rows of ``cell`` are lattice vectors; the decimals give the same doubles again."""
        vectors = [
            " ".join(map(repr, (*vector, low))) for vector, low in zip(cell.tolist(), origin.tolist(), strict=True)
        ]
        title = f"BOX BOUNDS abc origin {' '.join(sides)}"
        self.item(row, title.encode(), *((row, text.encode()) for text in vectors))

    def read(self, boundary: tuple[str, str, str] | None) -> DumpHeader:
        """What all of it says.

        Raises
        ------
        BadDataError
            As `qsdask.formats.header.parse_header`, with the line of the file.
        """
        try:
            return parse_header(
                self._lines, path=self.path, frame=self.frame, line=0, boundary=boundary, units=self.units
            )
        except QSDaskError as error:
            error.line = None if error.line is None else self.line + self._rows[min(error.line, len(self._rows) - 1)]
            raise


def reals(told: DumpLines, text: bytes, n: int, row: int, code: str = "E-HEADER") -> list[float]:
    """So many finite numbers of a line, or its refusal."""
    words = text.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != n or b"_" in text or not np.isfinite(values).all():
        raise told.refusal(f"expected {n} finite number{'s' * (n > 1)}, found {shown(text)}", code, row)
    return values
