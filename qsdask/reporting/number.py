"""How numbers are written where people read them: one form for each kind of quantity, in tables, tiles, captions and pictures.

Digits are grouped by narrow spaces, and units follow after a space; neither breaks at the end of a line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["COUNT", "PERCENT", "PERCENT_FINE", "RATIO", "SCORE", "SHORT", "UNKNOWN", "Form", "told", "with_error"]

#: Between thousands, and between a number and its unit.
THIN, SPACE = "\u202f", "\u00a0"

#: What stands for a number that nobody knows.
UNKNOWN = "–"


class Form(NamedTuple):
    """How a quantity is written.

    Attributes
    ----------
    spec : str
        Format of the number, such as ``".3f"``.
    unit : str
        Written behind it; empty without one.
    times : float
        What the number is multiplied by, such as 100 for a percentage.
    """

    spec: str
    unit: str = ""
    times: float = 1.0

    def __call__(self, value: object) -> str:
        """One number, a dash where it is not known."""
        return self._with_unit(self._bare(value)) if _is_known(value) else UNKNOWN

    def between(self, ends: Sequence[object] | np.ndarray | None) -> str:
        """Both ends of an interval, the unit once; empty where one of them is not known."""
        if ends is None or len(ends) != 2 or not all(_is_known(end) for end in ends):
            return ""
        return self._with_unit(f"{self._bare(ends[0])} to {self._bare(ends[1])}")

    def within(self, value: object, ends: Sequence[object] | np.ndarray | None) -> str:
        """A number with its interval in brackets."""
        interval = self.between(ends)
        return self(value) + (f" ({interval})" if interval else "")

    def spread(self, value: object, deviation: object) -> str:
        """A number with its deviation or error, where that is known."""
        if not (_is_known(value) and _is_known(deviation)):
            return self(value)
        return self._with_unit(f"{self._bare(value)} ± {self._bare(deviation)}")

    def with_unit(self, unit: str) -> Form:
        """The same form with a unit."""
        return self._replace(unit=unit)

    def _bare(self, value: object) -> str:
        return f"{float(value) * self.times:{self.spec}}".replace(",", THIN)  # type: ignore[arg-type]  # known, so a number

    def _with_unit(self, text: str) -> str:
        return text + (SPACE + self.unit if self.unit else "")


#: Scores and moments of QS; quotients; whole numbers; other values.
SCORE, RATIO, COUNT, SHORT = Form(".3f"), Form(".2f"), Form(",.0f"), Form(".3g")

#: Shares of atoms, and those of few.
PERCENT, PERCENT_FINE = Form(".1f", "%", 100.0), Form(".2f", "%", 100.0)


def told(value: object) -> str:
    """Any value in words: numbers with four digits and grouped thousands, unknown ones as a dash, members one by one."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and abs(value) >= 1e4):
        return f"{int(value):,d}".replace(",", THIN)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{told(k)}: {told(v)}" for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        members = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return ", ".join(told(v) for v in members)
    return str(value)


def with_error(value: Mapping[str, float]) -> str:
    """A mean with its standard error, such as ``7.123 ± 0.014``; two digits of the error decide about both.

    Parameters
    ----------
    value : mapping
        ``mean`` and ``error``; without the latter (NaN) the mean has four digits, without both there is a dash.

    Returns
    -------
    str
    """
    mean, error = value["mean"], value["error"]
    if math.isnan(mean):
        return UNKNOWN
    if math.isnan(error):
        return f"{mean:.4g}"
    if error == 0:
        return f"{mean:.4g} ± 0"
    places = max(0, 1 - math.floor(math.log10(error)))
    return Form(f".{places}f").spread(mean, error)


def _is_known(value: object) -> bool:
    return value is not None and math.isfinite(float(value))  # type: ignore[arg-type]  # numbers and NumPy's
