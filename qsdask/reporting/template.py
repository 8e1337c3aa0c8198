"""Building blocks of the page, made from the templates beside: tables, pictures, sections, the whole document.

The templates alone hold markup. Jinja escapes every value that goes into them, and `_shown` writes it for people first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from qsdask.reporting.captions import CAPTIONS, Caption
from qsdask.reporting.number import UNKNOWN, told
from qsdask.reporting.picture import Picture, encode

__all__ = [
    "bars",
    "bullets",
    "captioned",
    "columns",
    "commands",
    "document",
    "facts",
    "figure",
    "gallery",
    "opening",
    "paragraph",
    "section",
    "table",
    "text",
    "tiles",
    "titled",
]

#: A written number is no longer than this, and begins so.
_LINE, _BEGINS = 30, frozenset("0123456789+-")

#: First words of every page.
FIRST = '<!DOCTYPE html>\n<html lang="en">\n'


def text(value: object) -> Markup:
    """Any value as text that is safe in HTML, inside elements and inside quoted attributes.

    Numbers are written as of `qsdask.reporting.number.told`. Control, surrogate and direction-changing characters are shown
    as escapes.
    """
    return Markup.escape(_shown(value))


def _shown(value: object) -> object:
    return value if isinstance(value, Markup) else _visible(told(value))


def _visible(string: str) -> str:
    """Control, surrogate and direction-changing characters as escapes; spaces of any width are harmless."""
    return "".join(
        c if c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in string
    )


_TEMPLATES = Environment(
    loader=PackageLoader("qsdask.reporting"),
    autoescape=True,
    finalize=_shown,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PARTS = _TEMPLATES.get_template("parts.html").module
_CSS = Markup(resources.files("qsdask.reporting").joinpath("templates/style.css").read_text(encoding="utf-8"))


def _made(name: str, *values: object) -> Markup:
    """A block of ``parts.html``, without the line breaks around it."""
    return Markup(getattr(_PARTS, name)(*values).strip())


def _is_of_numbers(cells: Sequence[object]) -> bool:
    """Whether all cells of a column are numbers, written or not, or empty; and some are."""
    return any(cell not in (None, "", UNKNOWN) for cell in cells) and all(map(_is_number, cells))


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return not isinstance(cell, Markup) and (cell in ("", UNKNOWN) or (len(cell) < _LINE and cell[0] in _BEGINS))
    return cell is None or (isinstance(cell, int | float | np.number) and not isinstance(cell, bool))


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", chief: Sequence[int] = ()
) -> Markup:
    """A table whose first column names the row; numbers are set to the right.

    Parameters
    ----------
    head : sequence of str
        Column titles.
    rows : iterable of sequences
        Cells, as many as titles.
    caption : str
        Said above the table.
    chief : sequence of int
        Numbers of the rows to stand out.
    """
    rows = [list(row) for row in rows]
    right = [_is_of_numbers([row[k] for row in rows]) for k in range(len(head))]
    return _made("table", head, rows, right, caption, chief)


def facts(pairs: Mapping[str, object], *, caption: str = "") -> Markup:
    """A two-column table of names and values; empty without any."""
    return _made("facts", list(pairs.items()), caption) if pairs else Markup()


def titled(name: object, small: object) -> Markup:
    """A name with what it means in small print below."""
    return _made("titled", name, small)


def bars(head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str) -> Markup:
    """A table of columns of atoms, each with a bar.

    Parameters
    ----------
    head : sequence of str
        Titles of the names and of the bars.
    rows : iterable of sequences
        Name, kind (``sro`` or ``mro``, which decides about the colour), value as text, length of the bar in per cent of the
        longest.
    caption : str
        Said above.
    """
    return _made("bars", head, list(rows), caption)


def figure(picture: Picture, caption: Caption) -> Markup:
    """A picture with its caption and, where there is one, the published value to stand beside."""
    return _made("figure", picture, caption)


def captioned(name: str, drawn: Figure, form: str | None = None, *, more: str = "") -> Markup:
    """A picture with the caption of its name, and what more there is to say of this one; see `qsdask.reporting.picture.encode`."""
    caption = CAPTIONS[name]
    return figure(
        encode(drawn, name, form=form), caption._replace(text=f"{more} {caption.text}" if more else caption.text)
    )


def gallery(pictures: Sequence[Markup]) -> Markup:
    """Pictures side by side; empty when there is none."""
    return _made("gallery", pictures) if pictures else Markup()


def tiles(items: Sequence[tuple[str, object, str]]) -> Markup:
    """The few numbers a reader looks for first: name, value, remark; empty when there is none."""
    return _made("tiles", items) if items else Markup()


def opening(picture: Markup, numbers: Markup) -> Markup:
    """What the first screen shows: a picture beside the chief numbers, or these alone."""
    return _made("opening", picture, numbers) if picture else numbers


def columns(*parts: Markup) -> Markup:
    """Parts side by side where there is room; empty when there is none."""
    there = [part for part in parts if part]
    return _made("columns", there) if there else Markup()


def section(title: str, *parts: Markup, lead: str = "") -> Markup:
    """A part of the page under its heading; empty when it has nothing to show."""
    there = [part for part in parts if part]
    return _made("section", title, there, lead) if there else Markup()


def paragraph(said: object) -> Markup:
    """A sentence or two."""
    return _made("paragraph", said)


def bullets(title: str, items: Iterable[object]) -> Markup:
    """A box of warnings; empty when there is none."""
    points = list(items)
    return _made("bullets", title, points) if points else Markup()


def commands(lines: Iterable[str]) -> Markup:
    """Commands to type, one a line; empty when there is none."""
    there = list(lines)
    return _made("commands", there) if there else Markup()


def document(title: str, lead: str, parts: Iterable[Markup], footer: str) -> str:
    """The whole page. Its policy forbids the browser to fetch or run anything."""
    page = _TEMPLATES.get_template("document.html")
    return page.render(title=title, lead=lead, parts=list(parts), footer=footer, css=_CSS) + "\n"
