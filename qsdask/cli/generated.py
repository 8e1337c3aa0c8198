"""Options made from the fields of settings: name, type, choices, default and meaning are said there, once."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from qsdask.settings import Settings
from qsdask.settings.base import AUTO, is_auto
from qsdask.settings.describe import choices_of, short_name
from qsdask.settings.label import is_share
from qsdask.settings.text import pairs_of, parts_of, species_of_text

__all__ = ["settings_options"]


def settings_options(
    kind: type[Settings], *, only: Collection[str] = (), without: Collection[str] = (), **helps: str
) -> Callable[[Callable], Callable]:
    """Decorator that adds an option for every field; the command gets them by their short names, None if not given.

    Parameters
    ----------
    kind : type of Settings
        The settings.
    only, without : collection of str
        Short names of the fields that are, or are not, taken.
    **helps
        More to say of an option than its field does, by short name.
    """
    fields = {short_name(kind, name): (name, field) for name, field in kind.model_fields.items()}
    chosen = [name for name in fields if (not only or name in only) and name not in without]

    def add(command: Callable) -> Callable:
        for name in reversed(chosen):
            stored, field = fields[name]
            option = f"--{name.replace('_', '-')}"
            command = click.option(option, name, help=_help(stored, field, helps.get(name)), **_taken(field))(command)
        return command

    return add


def _help(stored: str, field: FieldInfo, more: str | None) -> str:
    """Meaning, unit and default of a field."""
    text = field.description or ""
    text = text[:1].upper() + text[1:] + (", angstrom (lj: sigma)" if stored.endswith("_angstrom") else "")
    default = choices_of(field).get(field.default, field.default) if isinstance(field.default, str) else field.default
    shown = isinstance(default, str | int | float) and not isinstance(default, bool)
    return "; ".join(filter(None, (text, more))) + (f" (default {default})." if shown else ".")


def _taken(field: FieldInfo) -> dict[str, Any]:
    """Type of a field, as click takes it."""
    kind = _plain(field.annotation)
    if choices := choices_of(field):
        return {"type": click.Choice(list(choices.values()))}
    if kind is bool:
        return {"is_flag": True, "default": None}
    if is_auto(field):
        return {"type": str, "metavar": f"FLOAT|{AUTO}"}
    if is_share(field):
        return {"type": str, "metavar": "SHARE"}
    if kind in (int, float, str):
        return {"type": kind}
    if get_origin(kind) is list:
        return {"callback": _split, "metavar": "A,B,..."}
    if get_origin(kind) is dict:
        return {"callback": _pairs(*get_args(kind)), "metavar": "A=B,..."}
    raise TypeError(f"no option can be made of {kind}")


def _plain(kind: object) -> object:
    """A type without what surrounds it: limits, and that it may be left out."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _plain(next(part for part in get_args(kind) if part is not type(None)))
    return str if get_origin(kind) is Literal else kind


def _split(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Parts of an option that commas join."""
    return parts_of(value) if value else None


def _pairs(key_type: object, value_type: type) -> Callable[..., dict | list | None]:
    """Callback that reads 'a=1,b=2'; where keys may be numbers also 'x,y', of 1 and 2."""

    def read(context: click.Context, parameter: click.Parameter, value: str | None) -> dict | list | None:
        if value is None:
            return None
        return species_of_text(value) if key_type is not str else pairs_of(value, value_type, "Cu=1.28,Zr=1.60")

    return read
