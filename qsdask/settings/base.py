"""What all settings have in common, and how they are checked."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from qsdask.errors import UsageError

__all__ = ["Axis", "Settings", "validated"]

Axis = Literal["x", "y", "z"]


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: Later additions, stored only where they are not at their default: what was computed before stays valid.
    added: ClassVar[tuple[str, ...]] = ()

    def stored(self) -> dict:
        """JSON form kept in the store."""
        found = self.model_dump(mode="json")
        plain = [name for name in self.added if found[name] == type(self).model_fields[name].default]
        return {name: value for name, value in found.items() if name not in plain}


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
        raise UsageError("; ".join(map(_told, error.errors())), code="E-SETTING", hint="see --help") from None


def _told(fault: dict) -> str:
    """One fault of the settings, for the person who wrote them."""
    place = ".".join(map(str, fault["loc"]))
    text = {"missing": "is needed", "extra_forbidden": "is no setting"}.get(fault["type"])
    if text:
        return f"{place} {text}"
    said = fault["msg"].removeprefix("Value error, ")
    got = "" if isinstance(fault["input"], dict | list) else f" (got {fault['input']!r})"
    return f"{place}: {said}{got}" if place else said
