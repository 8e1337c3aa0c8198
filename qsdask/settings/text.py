"""Settings that are lists and pairs, as users write them in one text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from qsdask.errors import UsageError

__all__ = ["pairs_of", "parts_of", "species_of_text"]

Value = TypeVar("Value")


def parts_of(text: str) -> list[str]:
    """Parts that commas join."""
    return [part.strip() for part in text.split(",")]


def pairs_of(text: str, value: Callable[[str], Value], example: str) -> dict[str, Value]:
    """Pairs such as ``"a=1,b=2"``.

    Parameters
    ----------
    text : str
        What the user wrote.
    value : callable
        Makes a value of its text; raises ValueError where it cannot.
    example : str
        Shown when `text` is no such thing.

    Raises
    ------
    UsageError
        ``E-SETTING``; for a key that stands twice, too.
    """
    try:
        parts = [part.split("=") for part in text.split(",") if part.strip()]
        pairs = [(key.strip(), value(one.strip())) for key, one in parts]
    except ValueError:
        raise UsageError(f"expected pairs such as {example!r}, got {text!r}", code="E-SETTING") from None
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"{', '.join(twice)} stands twice in {text!r}", code="E-SETTING")
    return dict(pairs)


def species_of_text(text: str) -> dict[int | str, str] | list[str]:
    """Elements by type or name, ``"1=Cu,2=Zr"``, or of types 1, 2, ... in this order, ``"Cu,Zr"``."""
    if "=" not in text:
        return parts_of(text)
    return dict(pairs_of(text, str, "1=Cu,2=Zr").items())
