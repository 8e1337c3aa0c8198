"""Columns of atoms by the names that people type: which there are, where each is stored, and which one is meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from qsdask.errors import UsageError
from qsdask.schema import Variable, frame_of, variables_of

__all__ = ["Column", "alike", "columns_in", "is_named", "named", "softness_of"]

#: Dimensions along which an array of atoms has a column for each name.
_NAMED = (("feature",), ("part",))

#: Groups that there are for every model.
_OF_MODEL = frozenset({"softness", "explanation"})

#: What every file and table of atoms has without being asked.
_ALWAYS = frozenset({"id", "element", "species", "x", "y", "z", "position"})


class Column(NamedTuple):
    """Where a column is stored: path and dimensions of its array, and which place along the named one.

    Attributes
    ----------
    array : str
    dims : tuple of str
    place : int or None
    """

    array: str
    dims: tuple[str, ...]
    place: int | None = None

    def at(self, step: int, **rows: Any) -> dict[str, Any]:
        """Index of the column by dimension, of a frame and, where ``atom`` is given, of these rows."""
        index = {"step": step, "feature": self.place, "part": self.place, **rows}
        return {dim: index[dim] for dim in self.dims if dim in index}


def is_named(name: str, variable: Variable) -> bool:
    """Whether an array of the registry is, or has, the column of this name; columns of features have names of their own."""
    if variable.dims in (("atom",), ("step", "atom")):
        return name == variable.name
    return variable.dims[1:] in _NAMED and variable.name != "value" and name.startswith(f"{variable.name}__")


def columns_in(
    groups: Iterable[str],
    step: int,
    softness: str | None,
    *,
    present: Callable[[str], bool],
    names: Callable[[str], Sequence[str]],
) -> dict[str, Column]:
    """Columns of one frame by their names, those of the frame's own stages with ``step_`` before them.

    Parameters
    ----------
    groups : iterable of str
        Those that are complete, without what `ingest` stores.
    step : int
        Frame.
    softness : str or None
        The only softness that is meant, of `softness_of`.
    present : callable
        Whether there is an array: what came later is not in older stores.
    names : callable
        Content of a coordinate of names.
    """
    found: dict[str, Column] = {}
    for group in groups:
        frame, kind = frame_of(group)
        if frame not in (0, step) or (kind.partition("/")[0] in _OF_MODEL and not _meant(kind, softness)):
            continue
        own = "step_" * (frame > 0)
        for variable in variables_of(group):
            place = f"{group}/{variable.name}"
            if variable.dims in (("atom",), ("step", "atom")) and present(place):
                top, _, given = kind.partition("/")
                # What users named has its own name, unless a feature of some package is called so.
                name = variable.name if top != "labels" else f"label_{given}" if given in found else given
                found[own + name] = Column(place, variable.dims)
            elif variable.dims[0] == "atom" and variable.dims[1:] in _NAMED and present(place):
                # Columns of features have their own names; what there is of each of them is called after them.
                own_name = own + f"{variable.name}__" * (not kind.startswith("features/"))
                for i, name in enumerate(names(f"{group}/{variable.dims[1]}")):
                    found[own_name + name] = Column(place, variable.dims, i)
    return found


def _meant(kind: str, softness: str | None) -> bool:
    """Whether a group of a model is of the one whose softness is meant."""
    return softness is not None and kind.partition("/")[2] == softness.partition("/")[2]


def softness_of(groups: Iterable[str], step: int, model: str | None) -> str | None:
    """Group of the softness that is meant: of the model named, or of the only one.

    Raises
    ------
    UsageError
        ``E-MODEL-NAME``.
    """
    places = [frame_of(group) for group in groups]
    names = sorted({name for frame, name in places if name.startswith("softness/") and frame in (0, step)})
    if model is not None and f"softness/{model}" not in names:
        known = ", ".join(name.partition("/")[2] for name in names)
        raise UsageError(f"no softness named {model!r}", code="E-MODEL-NAME", hint=f"choose from {known}")
    return f"softness/{model}" if model else names[0] if len(names) == 1 else None


def named(wanted: Iterable[str], found: Collection[str]) -> tuple[list[str], list[str]]:
    """Names as they are stored of columns typed in any case, each once, without those that are always there; and unknown ones."""
    folded: dict[str, list[str]] = {}
    for name in found:
        folded.setdefault(name.casefold(), []).append(name)
    known, unknown = [], []
    for name in wanted:
        same = [name] if name in found else folded.get(name.casefold(), [])
        if len(same) == 1:
            known.append(same[0])
        elif name.casefold() not in _ALWAYS:
            unknown.append(name)
    return list(dict.fromkeys(known)), unknown


def alike(name: str, found: Collection[str]) -> list[str]:
    """Names of columns most like one that there is not."""
    return get_close_matches(name, found, n=3, cutoff=0.5)
