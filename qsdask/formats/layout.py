"""How a text format says a frame: its header, and how its text becomes one atom a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qsdask.formats.frame import FrameLocation
from qsdask.formats.header import DumpHeader

__all__ = ["Body", "Layout"]


class Body:
    """The atoms of one frame, as they stand in most formats: one a line, in columns parted by blanks.

    Parameters
    ----------
    place : FrameLocation
    line : int
        Line number of the first atom.
    """

    #: Whether the atoms stand one a line, in the order of the lines.
    regular = True

    def __init__(self, place: FrameLocation, line: int) -> None:
        self.place, self.line = place, line

    def rows(self, memory: np.ndarray, at: int, stop: int) -> tuple[np.ndarray, int, int]:
        """Text whose lines are atoms, made of the next whole lines of the file.

        Parameters
        ----------
        memory : uint8 array, shape (>= stop + PADDING,)
            It may be changed from ``at`` up to ``stop``.
        at, stop : int

        Returns
        -------
        memory : uint8 array
        at, stop : int
        """
        return memory, at, stop

    def line_of(self, row: int) -> int:
        """Line number of an atom, counted in the frame from 0; of one of those read last."""
        return self.line + row

    def forget(self, row: int) -> None:
        """Atoms before this one will not be asked for."""


@dataclass(frozen=True)
class Layout:
    """How a text format says a frame.

    Attributes
    ----------
    header : callable
        From the lines of a header, and the place at which it was found, to what it says; None when it is no header. Where
        the format has no timesteps it says that of the place.
    body : callable
        From a place and the line number of its first atom to a `Body`.
    """

    header: Callable[[list[bytes], FrameLocation], DumpHeader | None]
    body: Callable[[FrameLocation, int], Body] = Body
