"""What the page asks of the stores, and what it gets: each question is a function of its words."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from matplotlib import colormaps

from qsdask.errors import UsageError
from qsdask.explorer.cache import Cache
from qsdask.explorer.counting import MARKS, Counted
from qsdask.explorer.glass import CHANGE, Glass
from qsdask.explorer.packed import json_of, packed
from qsdask.explorer.selection import python_line, write_selection
from qsdask.explorer.slices import KINDS, Cut, atoms_above, slice_atoms, smooth_d2
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.space.strain import branch_name, branches
from qsdask.units import symbol
from qsdask.views.soft_spots import usual_thickness

__all__ = ["Answers"]

#: Colour maps that the colour-blind tell apart, and the one around zero.
_MAPS = ("viridis", "cividis", "RdBu_r")

#: Contours of D2min, in units of the threshold of plasticity: 2 and 5 angstrom^2 where that is 5.
_LEVELS = (0.4, 1.0)


class Answers:
    """Answers about some glasses.

    Parameters
    ----------
    stores : sequence of str or Path
        Specimens' stores.
    model : str or Path, optional
        Model folder, or its name; needed only where a store has the softness of several.

    Raises
    ------
    QSDaskError
        As of `qsdask.explorer.glass.Glass`.
    """

    def __init__(self, stores: Sequence[str | Path], model: str | Path | None = None) -> None:
        cache = Cache()
        self.glasses = [Glass(store, model, cache) for store in stores]
        self._counted = [Counted(glass) for glass in self.glasses]

    def count(self, going: Event, stop: Event) -> None:
        """Count in all glasses; see `Counted.count`."""
        for counted in self._counted:
            counted.count(going, stop)

    @cached_property
    def asked(self) -> dict[str, Callable[[Words], tuple[str, bytes]]]:
        """Questions by their names; each gives a media type and what is sent."""
        return {
            "glasses": self._about,
            "slice": self._slice,
            "atom": self._atom,
            "counts": self._counts,
            "above": self._above,
            "selection": self._selection,
            "python": self._python,
        }

    def _about(self, words: Words) -> tuple[str, bytes]:
        maps = {name: (colormaps[name](np.arange(256), bytes=True)[:, :3]).ravel() for name in _MAPS}
        return _json({"glasses": [_told(glass) for glass in self.glasses], "maps": maps, "marks": MARKS})

    def _counts(self, words: Words) -> tuple[str, bytes]:
        return _json(self._counted[words.whole("glass", len(self.glasses))].told())

    def _slice(self, words: Words) -> tuple[str, bytes]:
        glass = self._glass(words)
        cut, column = words.cut(glass), words.text("column")
        made = slice_atoms(glass, cut, column)
        found = made["found"]
        arrays = {
            "row": made["row"].astype(np.uint32),
            "u": found["u"].values.astype(np.float32),
            "v": found["v"].values.astype(np.float32),
            "species": made["species"].astype(np.uint8),
            "value": made["value"].astype(np.float32),
            # Whole: what is soft or plastic here is so in the counts.
            "qs": found["qs"].values,
            "d2": found["d2"].values,
        }
        head = {
            "plane": found["plane_cell"].values,
            "periodic": found["plane_periodic"].values,
            "axes": [found.attrs["u_axis"], found.attrs["v_axis"]],
            "origin": glass.box(cut.step).origin,
            "domains": made["domains"],
        }
        if words.text("contours", "0") == "1" and glass.moved and len(arrays["row"]):
            smooth = smooth_d2(made, cut.thickness, glass.root.length)
            arrays["map"] = smooth.pop("map")
            head |= {"grid": {**smooth, "shape": arrays["map"].shape}}
        return _BYTES, packed(head, arrays)

    def _atom(self, words: Words) -> tuple[str, bytes]:
        glass = self._glass(words)
        return _json(glass.atom(words.whole("row", glass.n_atom), words.whole("frame", glass.n_step)))

    def _above(self, words: Words) -> tuple[str, bytes]:
        glass = self._glass(words)
        frame = words.whole("frame", glass.n_step)
        found = atoms_above(glass, frame, words.number("above"), words.text("column"))
        arrays = {
            "row": found["row"].astype(np.uint32),
            **{axis: found["position"][:, k].astype(np.float32) for k, axis in enumerate("xyz")},
            "species": found["species"].astype(np.uint8),
            "value": found["value"].astype(np.float32),
        }
        box = glass.box(frame)
        return _BYTES, packed({"total": found["total"], "cell": box.cell, "origin": box.origin}, arrays)

    def _selection(self, words: Words) -> tuple[str, bytes]:
        glass = self._glass(words)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "selection.extxyz"
            write_selection(glass, file, *self._chosen(glass, words))
            return "chemical/x-extxyz", file.read_bytes()

    def _python(self, words: Words) -> tuple[str, bytes]:
        glass = self._glass(words)
        return "text/plain; charset=utf-8", python_line(glass, *self._chosen(glass, words)[:-1]).encode()

    def _chosen(self, glass: Glass, words: Words) -> tuple[Cut | int, str, float, float, str]:
        """Slice, or the frame where all atoms are meant; kind of atoms, handles of the histogram, column."""
        whole = words.text("view", "slice") == "above"
        kind = words.text("kind", "all")
        if kind not in KINDS:
            raise _not_understood("kind", kind)
        where = words.whole("frame", glass.n_step) if whole else words.cut(glass)
        return where, kind, words.number("soft"), words.number("hard"), words.text("column")

    def _glass(self, words: Words) -> Glass:
        glass = self.glasses[words.whole("glass", len(self.glasses))]
        glass.refuse_changed()
        return glass


class Words:
    """The words of a question, checked.

    Parameters
    ----------
    given : mapping of str to str
    """

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given

    def text(self, name: str, default: str | None = None) -> str:
        """A word.

        Raises
        ------
        UsageError
            ``E-SETTING`` when it is missing and has no default.
        """
        found = self._given.get(name, default)
        if found is None:
            raise _not_understood(name, None)
        return found

    def whole(self, name: str, below: int) -> int:
        """A whole number from 0 to below a limit; ``E-SETTING`` otherwise."""
        text = self.text(name)
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < below):
            raise _not_understood(name, text)
        return int(text)

    def number(self, name: str) -> float:
        """A finite number; ``E-SETTING`` otherwise."""
        try:
            found = float(self.text(name))
        except ValueError:
            found = np.nan
        if not np.isfinite(found):
            raise _not_understood(name, self.text(name))
        return found

    def cut(self, glass: Glass) -> Cut:
        """The slice that is meant."""
        place = self.text("place")
        if place not in ("frame", "undeformed"):
            raise _not_understood("place", place)
        return Cut(
            self.whole("frame", glass.n_step),
            self.text("axis"),
            self.number("centre"),
            self.number("thickness"),
            place == "undeformed",
        )


def _not_understood(name: str, given: str | None) -> UsageError:
    return UsageError(f"{name} is {given!r}, which cannot be asked for", code="E-SETTING")


_BYTES = "application/octet-stream"


def _json(values: object) -> tuple[str, bytes]:
    return "application/json", json_of(values)


def _told(glass: Glass) -> dict[str, Any]:
    """What the page must know of a glass before it asks."""
    box = glass.box(0)
    normal = box.inverse / np.linalg.norm(box.inverse, axis=0)
    low = box.origin @ normal
    branch = branches(glass.strain)
    return {
        "name": glass.name,
        "path": str(glass.path),
        "atoms": glass.n_atom,
        "strain": glass.strain,
        "branch": [branch_name(k) for k in branch],
        "species": glass.species,
        "radius": glass.radius,
        "length": symbol(glass.root.length),
        "low": low,
        "height": box.height,
        "normal": normal.T,
        "thickness": usual_thickness(glass.root),
        "model": glass.model,
        "moved": glass.moved,
        "threshold": glass.threshold,
        "levels": [] if glass.threshold is None else [glass.threshold * part for part in _LEVELS],
        "soft": SOFT_ABOVE,
        "hard": HARD_BELOW,
        "columns": _columns(glass),
        "stress": glass.stress(),
    }


def _columns(glass: Glass) -> list[dict[str, str]]:
    """What atoms can be coloured by: name, unit, meaning, and whether a frame must have it."""
    found: dict[str, dict[str, str]] = {"species": {"unit": "", "meaning": "element"}}
    for step in glass.described():
        for name, column in glass.columns(step).items():
            if name not in found:
                found[name] = glass.meaning(column)
    if any(name == "step_qs" for name in found) and glass.group:
        found[CHANGE] = {"unit": "1", "meaning": "QS of the frame less QS of the undeformed glass"}
    return [{"name": name, **told} for name, told in found.items()]
