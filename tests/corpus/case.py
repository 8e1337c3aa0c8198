"""One file, or a few, that a reader gets, and what it must do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.corpus.glass import Picture

__all__ = ["ANY_LINE", "Case", "Expectation", "read", "refuse", "warn"]


#: A line is due, whichever: where a fault begins is a matter of taste.
ANY_LINE = 0


@dataclass(frozen=True)
class Expectation:
    """What is right.

    Attributes
    ----------
    verdict : str
        ``"read"``, ``"refuse"``, or ``"warn"``: read, with a recorded warning.
    codes : tuple of str
        Stable codes of qsdask of which one is due; empty for ``"read"``.
    line : int or None
        Line that the error must name; `ANY_LINE` for any; None when none is due.
    frames : tuple of Picture
        All frames that must come out; empty when refused.
    """

    verdict: str
    codes: tuple[str, ...] = ()
    line: int | None = None
    frames: tuple[Picture, ...] = ()


def read(frames) -> Expectation:
    """Read right, without a warning."""
    return Expectation("read", frames=tuple(frames))


def warn(code: str, frames, *more: str) -> Expectation:
    """Read right, with a warning or several."""
    return Expectation("warn", (code, *more), frames=tuple(frames))


def refuse(*codes: str, line: int | None = None) -> Expectation:
    """Refused with one of the codes, and the line if one is due."""
    return Expectation("refuse", codes, line)


@dataclass(frozen=True)
class Case:
    """One entry of the corpus.

    Attributes
    ----------
    name : str
        Unique; begins with the row of the catalogue.
    files : tuple of Path
    due : Expectation
    options : mapping
        Keyword arguments for qsdask: boundary, strict, ...
    policy : bool
        The file is well formed: whether to refuse it is a choice, so other readers are not judged by it.
    blind : frozenset of str
        Peers that do not look at the column at fault, and are not judged by this case.
    tolerance : float
        Largest difference of a coordinate from the truth; 0 means bitwise. Unit: angstrom.
    stored : bool
        The fault is one of the trajectory or of places, not of the text: the file is ingested and its shells
        are made. Such errors need not name the file.
    """

    name: str
    files: tuple[Path, ...]
    due: Expectation
    options: Mapping[str, object] = field(default_factory=dict)
    policy: bool = False
    blind: frozenset[str] = frozenset()
    tolerance: float = 0.0
    stored: bool = False

    @property
    def row(self) -> str:
        """Row of the catalogue, such as ``"A12"``."""
        return self.name.split("-")[0]
