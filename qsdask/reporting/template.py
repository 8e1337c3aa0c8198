"""Building blocks of the page: style sheet, escaped text, tables, pictures.

Every string that reaches the page passes through `text`; only this file writes markup around it.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import numpy as np

from qsdask.reporting.captions import Caption
from qsdask.reporting.picture import Picture

__all__ = ["bullets", "commands", "document", "facts", "figure", "paragraph", "section", "table", "text", "tiles"]

#: First words of every page.
FIRST = '<!DOCTYPE html>\n<html lang="en">\n'

_CSS = resources.files("qsdask.reporting").joinpath("style.css").read_text(encoding="utf-8")


def text(value: object) -> str:
    """Any value as text that is safe in HTML, inside elements and inside quoted attributes.

    Numbers are shown with four digits and grouped thousands, unknown ones as a dash. Control, surrogate and
    direction-changing characters are shown as escapes.
    """
    return html.escape(_visible(_written(value)), quote=True)


def _visible(string: str) -> str:
    """Control, surrogate and direction-changing characters as escapes; spaces of any width are harmless."""
    return "".join(
        c if c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in string
    )


def _written(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        # Thin spaces group thousands and keep the number in one line.
        return f"{value:,}".replace(",", "\u202f")
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        return f"{value:.4g}" if abs(value) < 1e4 or not value.is_integer() else _written(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_written(k)}: {_written(v)}" for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        members = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return ", ".join(_written(v) for v in members)
    return str(value)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", chief: Sequence[int] = ()
) -> str:
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
    right = [bool(rows) and all(_is_number(row[k]) for row in rows) for k in range(len(head))]

    def cell(tag: str, value: object, k: int, extra: str = "") -> str:
        aligned = ' class="n"' if right[k] else ""
        return f"<{tag}{extra}{aligned}>{text(value)}</{tag}>"

    titles = "".join(cell("th", title, k, ' scope="col"') for k, title in enumerate(head))
    body = []
    for number, row in enumerate(rows):
        cells = cell("th", row[0], 0, ' scope="row"') + "".join(cell("td", v, k) for k, v in enumerate(row[1:], 1))
        marked = ' class="chief"' if number in chief else ""
        body.append(f"<tr{marked}>{cells}</tr>")
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{said}<thead><tr>{titles}</tr></thead>\n<tbody>'
        + "\n".join(body)
        + "</tbody></table></div>"
    )


def facts(pairs: Mapping[str, object], *, caption: str = "") -> str:
    """A two-column table of names and values."""
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    rows = "\n".join(f'<tr><th scope="row">{text(k)}</th><td>{text(v)}</td></tr>' for k, v in pairs.items())
    return f'<div class="wide"><table>{said}<tbody>{rows}</tbody></table></div>'


def figure(picture: Picture, caption: Caption) -> str:
    """A picture with its caption and, where there is one, the published value to stand beside."""
    beside = f'<span class="published">Published: {text(caption.published)}</span>' if caption.published else ""
    size = f'width="{picture.width}" height="{picture.height}"'
    return (
        f'<figure><img src="{picture.uri}" {size} alt="{text(caption.alt)}">'
        f"<figcaption><b>{text(caption.title)}.</b> {text(caption.text)}{beside}</figcaption></figure>"
    )


def tiles(items: Sequence[tuple[str, object, str]]) -> str:
    """The few numbers a reader looks for first: name, value, remark."""
    cells = "".join(f"<div><dt>{text(a)}</dt><dd>{text(b)}<small>{text(c)}</small></dd></div>" for a, b, c in items)
    return f'<dl class="tiles">{cells}</dl>'


def section(title: str, *parts: str, lead: str = "") -> str:
    """A part of the page under its heading; an empty string when it has nothing to show."""
    body = "\n".join(part for part in parts if part)
    if not body:
        return ""
    said = f'<p class="lead">{text(lead)}</p>' if lead else ""
    return f"<section><h2>{text(title)}</h2>{said}\n{body}</section>"


def paragraph(said: object) -> str:
    """A sentence or two."""
    return f"<p>{text(said)}</p>"


def bullets(title: str, items: Iterable[object]) -> str:
    """A box of warnings, or an empty string when there is none."""
    points = "".join(f"<li>{text(item)}</li>" for item in items)
    return f'<aside class="warnings"><h2>{text(title)}</h2><ul>{points}</ul></aside>' if points else ""


def commands(lines: Iterable[str]) -> str:
    """Commands to type, one a line."""
    body = "\n".join(text(line) for line in lines)
    return f"<pre><code>{body}</code></pre>" if body else ""


def document(title: str, lead: str, parts: Iterable[str], footer: str) -> str:
    """The whole page. Its policy forbids the browser to fetch or run anything."""
    body = "\n".join(part for part in parts if part)
    return (
        f'{FIRST}<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n"
        f'<header><h1>{text(title)}</h1><p class="lead">{text(lead)}</p></header>\n'
        f"{body}\n<footer>{text(footer)}</footer>\n</main>\n</body>\n</html>\n"
    )
