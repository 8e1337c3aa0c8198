"""What all settings have in common, and how they are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, WrapValidator, model_validator
from pydantic.fields import FieldInfo

from qsdask.errors import UsageError
from qsdask.units import ANGSTROM, SIGMA, renamed

__all__ = ["AUTO", "Axis", "Cutoff", "Settings", "is_auto", "refuse_defaults", "sections", "validated"]

Axis = Literal["x", "y", "z"]

#: Typed instead of a cut-off: the first minimum of g(r).
AUTO = "auto"


def _number_or_auto(value: object, number: Callable[[object], float]) -> object:
    return value if value == AUTO else number(value)


#: A cut-off. `AUTO` passes too, until the stage puts the number in its place: only numbers are stored.
Cutoff = Annotated[
    float, Field(gt=0, le=30), WrapValidator(_number_or_auto), PlainSerializer(lambda value: value, return_type=Any)
]


def is_auto(field: FieldInfo) -> bool:
    """Whether `AUTO` may stand for the value of a field."""
    return any(isinstance(rule, WrapValidator) and rule.func is _number_or_auto for rule in field.metadata)


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

    @model_validator(mode="before")
    @classmethod
    def _names_in_any_unit(cls, values: Any) -> Any:
        """What a store in sigma keeps carries that unit in its name."""
        if not isinstance(values, dict):
            return values
        own = {renamed(name, SIGMA): name for name in cls.model_fields if renamed(name, SIGMA) != name}
        return {own.get(name, name): value for name, value in values.items()}

    def stored(self, length: str = ANGSTROM) -> dict:
        """JSON form kept in a store with lengths in this unit."""
        found = self.model_dump(mode="json")
        plain = [name for name in self.added if found[name] == type(self).model_fields[name].default]
        return {renamed(name, length): value for name, value in found.items() if name not in plain}

    @classmethod
    def among(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some stored values that are fields, whatever their unit."""
        known = {renamed(name, length) for name in cls.model_fields for length in (ANGSTROM, SIGMA)}
        return {name: value for name, value in stored.items() if name in known}

    def left_lengths(self) -> list[str]:
        """Lengths, and squares of such, that are left at a default: their short names."""
        return [
            field.alias or name
            for name, field in type(self).model_fields.items()
            if _is_length(name, field) and isinstance(field.default, float) and name not in self.model_fields_set
        ]

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


def refuse_defaults(settings: Settings, length: str, *, measured: bool = True) -> None:
    """Refuse to take a default that is a number of angstrom for one of another unit.

    Parameters
    ----------
    settings : Settings
        As given.
    length : str
        Unit of the lengths of the store.
    measured : bool
        Whether ``auto`` may be given.

    Raises
    ------
    UsageError
        ``E-NO-DEFAULT`` with the options to give.
    """
    left = settings.left_lengths() if length != ANGSTROM else []
    if not left:
        return
    fields = {field.alias or name: field for name, field in type(settings).model_fields.items()}
    autos = [name for name in left if measured and is_auto(fields[name])]
    options = [f"--{name.replace('_', '-')} {AUTO if name in autos else 'NUMBER'}" for name in left]
    raise UsageError(
        f"lengths are in {length} here, so that there is no default for {', '.join(left)}",
        code="E-NO-DEFAULT",
        why="defaults are lengths in angstrom, of metallic glasses",
        hint=f"add {' '.join(options)}" + (f"; {AUTO} is the first minimum of g(r), or give a number" if autos else ""),
    )


def _is_length(name: str, field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return name.endswith(f"_{ANGSTROM}") or (isinstance(extra, dict) and extra.get("length") == 2)


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
