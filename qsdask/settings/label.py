"""Settings of labels of the user's own: how a table of values becomes one, and by which rule it is learned."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator
from pydantic.fields import FieldInfo

from qsdask.errors import UsageError
from qsdask.names import checked_name
from qsdask.schema import VARIABLES
from qsdask.settings.base import Settings

__all__ = ["OF_RESPONSE", "LabelSettings", "Share", "is_share", "label_name"]

#: Labels that qsdask makes itself of what atoms did.
OF_RESPONSE = ("d2min", "propensity")

#: What per-atom columns are called already, in files and in stores.
_TAKEN = frozenset(
    {*OF_RESPONSE, "element", "position", "x", "y", "z", "frame"}
    | {variable.name for variable in VARIABLES if variable.dims in (("atom",), ("step", "atom"))}
)

_LONGEST_UNIT = 60


def label_name(name: str) -> str:
    """The name of a label of the user's own, if it can be one.

    Raises
    ------
    UsageError
        ``E-NAMING``, also where something else is called like this.
    """
    if name.casefold() in _TAKEN:
        raise UsageError(
            f"{name!r} cannot be the name of a label: qsdask keeps something else of this name of every atom",
            code="E-NAMING",
            hint="another name, such as barrier",
        )
    return checked_name(name, "label", key=True)


def _share(value: object) -> object:
    """A share of something: 0.05, or as text '5%'."""
    text = value.strip() if isinstance(value, str) else str(value)
    try:
        share = float(text[:-1]) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError("expected a share such as 5% or 0.05") from None
    if not 0.0 < share <= 0.5:
        raise ValueError("expected a share above 0 and not above one half, such as 5% or 0.05")
    return share


#: A share of atoms, at most the half of them.
Share = Annotated[float, BeforeValidator(_share)]


def is_share(field: FieldInfo) -> bool:
    """Whether a field takes a share, which may be typed in percent."""
    return any(isinstance(rule, BeforeValidator) and rule.func is _share for rule in (*field.metadata, *_inner(field)))


def _inner(field: FieldInfo) -> tuple:
    """Rules of a type that may be left out."""
    parts = getattr(field.annotation, "__args__", ())
    return tuple(rule for part in parts for rule in getattr(part, "__metadata__", ()))


class LabelSettings(Settings):
    """What a table of values is: which property, in which unit, in which columns."""

    name: str = Field(description="name of the property, such as barrier; 'train --label' takes it")
    unit: str = Field(default="1", description="unit of the values, such as eV; 1 for a pure number")
    meaning: str | None = Field(default=None, description="what the values are, in a few words, to stand beside them")
    id_column: str = Field(default="id", description="column of the atom ids")
    column: str | None = Field(
        default=None,
        description="column of the values; by default the one called as the label, or the only one beside the ids",
    )
    partial: bool = Field(
        default=False, description="atoms that the table does not have get no value, instead of a refusal"
    )

    @field_validator("unit", "meaning")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.strip() or not value.isprintable():
            raise ValueError("expected a text of one line")
        return value.strip()

    @field_validator("unit")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > _LONGEST_UNIT:
            raise ValueError(f"expected a unit of at most {_LONGEST_UNIT} characters")
        return value
