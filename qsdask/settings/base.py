"""What all settings have in common, and how they are checked."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from qsdask.errors import UsageError

__all__ = ["Axis", "Settings", "sections", "validated"]

Axis = Literal["x", "y", "z"]


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, values cannot change."""

    # What is stored carries its unit in its name, what is typed does not: both are understood.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        alias_generator=lambda name: name.removesuffix("_angstrom"),
        populate_by_name=True,
        loc_by_alias=False,
    )

    #: Later additions, stored only where they are not at their default: what was computed before stays valid.
    added: ClassVar[tuple[str, ...]] = ()

    def stored(self) -> dict:
        """JSON form kept in the store."""
        found = self.model_dump(mode="json")
        plain = [name for name in self.added if found[name] == type(self).model_fields[name].default]
        return {name: value for name, value in found.items() if name not in plain}

    def arguments(self, *, given_only: bool = False) -> dict:
        """Settings as arguments of the public function that takes them, by their short names."""
        return self.model_dump(by_alias=True, exclude_unset=given_only)


S = TypeVar("S", bound=Settings)


def validated(kind: type[S], /, **values: object) -> S:
    """Settings from plain values; None means "not given".

    Raises
    ------
    UsageError
        ``E-SETTING`` naming every value that does not fit.
    """
    try:
        return kind(**{k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        told = "; ".join(_told(kind, fault) for fault in error.errors())
        raise UsageError(told, code="E-SETTING", hint="see --help") from None


def sections(kind: type[Settings]) -> dict[str, type[Settings]]:
    """Settings inside of settings, by name: the tables of a recipe, also those that are a list or may be left out."""
    found = {}
    for name, field in kind.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, Settings):
                found[name] = part
    return found


def _told(kind: type[Settings], fault: Mapping) -> str:
    """One fault of the settings, for the person who wrote them."""
    place = ".".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"{place} is needed"
    if fault["type"] == "extra_forbidden":
        return f"{place} is no setting{_meant(kind, fault['loc'])}"
    said = fault["msg"].removeprefix("Value error, ")
    got = "" if isinstance(fault["input"], dict | list) else f" (got {fault['input']!r})"
    return f"{place}: {said}{got}" if place else said


def _meant(kind: type[Settings], place: tuple) -> str:
    """What an unknown name may stand for: the same in another section, or the most alike beside it; empty when nothing."""
    *above, name = place
    inside = kind
    for part in above:
        inside = sections(inside).get(part, inside)
    near = [f"{section}.{name}" for section, other in sections(kind).items() if name in other.model_fields]
    near = near or [
        ".".join([*map(str, above), other]) for other in get_close_matches(str(name), inside.model_fields, n=2)
    ]
    return f"; did you mean {' or '.join(near)}?" if near else ""
