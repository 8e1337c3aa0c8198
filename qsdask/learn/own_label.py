"""Labels of the user's own: which atoms are the soft ones by a property that was found by other means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from qsdask.learn.counted import Counted, Levels, key_of

__all__ = ["Judge", "is_own", "needs_all", "own_label", "rule_fault", "softward", "told_label", "told_rule"]

#: Rules, and whether large values are the soft ones. ``above`` and ``below`` a value; the ``top`` and ``bottom`` share of the
#: usable atoms of a glass; by rank.
_SOFT_IS_HIGH = {"above": True, "below": False, "top": True, "bottom": False, "rank_high": True, "rank_low": False}


def own_label(name: str, unit: str, rule: str, at: float | None) -> dict[str, Any]:
    """What a model keeps of such a label."""
    return {"name": name, "unit": unit, "rule": rule, **({} if at is None else {"at": float(at)})}


def is_own(label: Mapping[str, Any]) -> bool:
    """Whether the label of a model is the user's own, and not made of a response."""
    return "rule" in label


def softward(label: Mapping[str, Any]) -> int:
    """1 where large values are the soft ones, -1 where small ones are."""
    return 1 if _SOFT_IS_HIGH[label["rule"]] else -1


def needs_all(label: Mapping[str, Any]) -> bool:
    """Whether the values of all usable atoms of a glass decide which of them are soft."""
    return label["rule"] not in ("above", "below")


def told_rule(label: Mapping[str, Any]) -> str:
    """Which atoms are soft, in words."""
    name, rule = label["name"], label["rule"]
    if rule.startswith("rank"):
        return f"rank of {name} in each glass, {rule.removeprefix('rank_')} values soft"
    if rule in ("top", "bottom"):
        return f"{'largest' if rule == 'top' else 'smallest'} {100 * label['at']:g} % of {name} in each glass"
    unit = "" if label["unit"] == "1" else f" {label['unit']}"
    return f"{name} {'>' if rule == 'above' else '<'} {label['at']:g}{unit}"


def told_label(label: Mapping[str, Any]) -> dict[str, str]:
    """Such a label as scores and pages name it."""
    return {"label": label["name"], "unit": label["unit"], "rule": told_rule(label)}


def rule_fault(label: Mapping[str, Any]) -> str | None:
    """What is wrong with such a label in the record of a model; None if nothing is."""
    if label["rule"] not in _SOFT_IS_HIGH:
        return f"its label has the rule {label['rule']!r}"
    if not all(isinstance(label.get(name), str) for name in ("name", "unit")):
        return "its label has no name or no unit"
    if label["rule"].startswith("rank") != (type(label.get("at")) not in (int, float)):
        return "its label has no number"
    return None


class Judge(NamedTuple):
    """A label as it is for the atoms of one glass.

    Attributes
    ----------
    rule : str
    at : float or None
        Value or share of the rule.
    cut : int or None
        Key of the last value that is soft by a share; see `qsdask.learn.counted`.
    levels : Levels or None
        Ranks of the values, for rules by rank and where ranks are learned.
    """

    rule: str
    at: float | None = None
    cut: int | None = None
    levels: Levels | None = None

    @classmethod
    def of(cls, label: Mapping[str, Any], counted: Counted | None = None, *, ranked: bool = False) -> Judge:
        """Of the label of a model, and the values of the usable atoms of a glass where they decide, or ranks are learned.

        Without them, or where there are none, no atom is soft by a share or a rank.
        """
        rule, at = label["rule"], label.get("at")
        if counted is None or not counted.n:
            return cls(rule, at)
        cut = {"top": counted.first_of_top, "bottom": counted.last_of_bottom}.get(rule)
        levels = counted.levels() if ranked or rule.startswith("rank") else None
        return cls(rule, at, None if cut is None else cut(float(label["at"])), levels)

    def soft(self, value: np.ndarray) -> np.ndarray:
        """Which atoms are soft: bool array, shape (n,), False without a value. By rank, the softer half."""
        known = np.isfinite(value)
        filled = np.where(known, value, 0.0)
        if self.rule in ("above", "below"):
            found = filled > self.at if self.rule == "above" else filled < self.at
        elif self.cut is not None:
            found = key_of(filled) >= self.cut if self.rule == "top" else key_of(filled) <= self.cut
        elif self.levels is not None:
            found = self._softer(filled) > 0.5
        else:
            found = np.zeros(len(filled), dtype=bool)
        return known & found

    def target(self, value: np.ndarray) -> np.ndarray | None:
        """Where there are ranks the share of atoms that are less soft, float64, shape (n,), NaN without a value; else None."""
        if self.levels is None:
            return None
        known = np.isfinite(value)
        return np.where(known, self._softer(np.where(known, value, 0.0)), np.nan)

    def _softer(self, value: np.ndarray) -> np.ndarray:
        assert self.levels is not None
        share = self.levels.share_below(value)
        return share if _SOFT_IS_HIGH[self.rule] else 1.0 - share
