"""All settings of a recipe as a commented TOML file: the reference that ``--settings`` prints."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from qsdask.settings.base import AUTO, Settings, is_auto, sections

__all__ = ["as_toml", "choices_of", "first_line", "short_name"]

_WORDS: dict[object, str] = {str: "text", float: "number", int: "whole number", bool: "true or false"}
_LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "min_length": "entries: at least"}


def as_toml(kind: type[Settings], heading: str = "") -> str:
    """Every key of a recipe with type, default and meaning, as TOML that may be copied.

    Parameters
    ----------
    kind : type of Settings
        The recipe.
    heading : str
        First line, without ``#``.

    Returns
    -------
    str
        Keys that have a default stand with it; the others are comments.
    """
    lines = [f"# {heading}", ""] if heading else []
    return "\n".join([*lines, *_table(kind, "")]) + "\n"


def short_name(kind: type[Settings], name: str) -> str:
    """What a user types for a field: its name without the unit."""
    return kind.model_fields[name].alias or name


def choices_of(field: FieldInfo) -> dict[str, str]:
    """Stored values of a field that has a choice of some, and what is typed for each; empty for other fields."""
    extra = field.json_schema_extra
    typed = extra.get("typed") if isinstance(extra, dict) else None
    words = typed if isinstance(typed, dict) else {}
    kinds = [field.annotation, *get_args(field.annotation)]
    literal = next((kind for kind in kinds if get_origin(kind) is Literal), None)
    return {value: str(words.get(value, value)) for value in get_args(literal)} if literal else {}


def _table(kind: type[Settings], place: str) -> Iterator[str]:
    below = sections(kind)
    for name, field in kind.model_fields.items():
        if name not in below or field.default is None:
            yield f"# {field.description}; {_told(field)}"
            # Texts, numbers, lists and empty tables look as in JSON.
            shown = name if name.endswith("_angstrom") else short_name(kind, name)
            default = (
                choices_of(field).get(field.default, field.default) if isinstance(field.default, str) else field.default
            )
            yield f"# {shown} =" if _left_open(field) else f"{shown} = {json.dumps(default)}"
    for name, other in below.items():
        field = kind.model_fields[name]
        if field.default is None:
            continue
        many = get_origin(field.annotation) is list
        head = f"[[{place}{name}]]" if many else f"[{place}{name}]"
        needed = "; needed" if field.is_required() else ""
        yield from ("", f"# {first_line(other)}{needed}", f"# {head}" if many else head)
        inside = _table(other, f"{place}{name}.")
        # Below a head that is a comment a key would belong to the table above.
        yield from (f"# {line}" if many and line and line[0] != "#" else line for line in inside)


def _left_open(field: FieldInfo) -> bool:
    return field.is_required() or field.default is None


def _told(field: FieldInfo) -> str:
    """Type, limits, and whether it is needed, in words."""
    limits = [
        f"{word} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, word in _LIMITS.items()
        if getattr(rule, name, None) is not None
    ]
    words = list(choices_of(field).values())
    kind = _type(field.annotation) + f' or "{AUTO}"' * is_auto(field)
    text = ", ".join([" or ".join(map(json.dumps, words)) if words else kind, *limits])
    return f"{text}; needed" if field.is_required() else text


def _type(kind: object) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in inner if part is not type(None))
    if origin is list:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"table of {_type(inner[1])}"
    if origin is tuple:
        return f"list of {len(inner)}: {_type(inner[0])}"
    return _WORDS.get(kind, "table")


def first_line(kind: object) -> str:
    """What a class, or an object of it, is: the first line of its docstring without the full stop."""
    return (kind.__doc__ or "").strip().partition("\n")[0].rstrip(".")
