"""The guide and the reference of all public functions as one page that needs no network."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markupsafe import Markup

import qsdask
from qsdask.guide.pages import ORDER, anchor, pages
from qsdask.reporting.page import refuse_other_page, write_page
from qsdask.reporting.template import document, text

__all__ = ["book", "write_book"]


def write_book(out: str | Path) -> Path:
    """Write the book.

    Parameters
    ----------
    out : str or Path
        File; an earlier page of qsdask is replaced.

    Returns
    -------
    Path

    Raises
    ------
    CannotCreateError
        ``E-EXISTS`` where something else is, ``E-IN-STORE``, ``E-REPORT-WRITE``.
    """
    refuse_other_page(out)
    return write_page(out, book())


def book() -> str:
    """The pages in their order, then the reference, with contents in front; HTML without scripts."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    chapters = [f"<section>{_linked(markdown.render(page.text), page.name)}</section>" for page in pages()]
    names = [name for name in qsdask.__all__ if name != "__version__"]
    contents = [(f"#{anchor(page.name, page.title)}", page.title) for page in pages()]
    contents.append(("#reference", f"Reference: {len(names)} functions and classes"))
    items = "".join(f'<li><a href="{text(target)}">{text(title)}</a></li>' for target, title in contents)
    reference = "\n".join(_entry(name) for name in names)
    return document(
        "qsdask: guide",
        f"Version {qsdask.__version__}. Also in the terminal: qsdask docs WORD.",
        [
            Markup(part)
            for part in (
                f"<nav><ol>{items}</ol></nav>",
                *chapters,
                f'<section><h1 id="reference">Reference</h1>\n{reference}</section>',
            )
        ],
        "Made by qsdask. Method: Wang & Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.",
    )


def _linked(html: str, page: str) -> str:
    """Headings get names, and links to other pages lead to them; links to files of the checkout are text here."""

    def heading(found: re.Match[str]) -> str:
        level, title = found[1], found[2]
        plain = re.sub(r"<[^>]+>", "", title)
        return f'<h{level} id="{anchor(page, plain)}">{title}</h{level}>'

    titles = {each.name: each.title for each in pages()}

    def link(found: re.Match[str]) -> str:
        target, words = found[1], found[2]
        name = target.removesuffix(".md")
        if name in ORDER:
            return f'<a href="#{anchor(name, titles[name])}">{words}</a>'
        return found[0] if urlsplit(target).scheme == "https" else words

    return re.sub(r'<a href="([^"]*)">(.*?)</a>', link, re.sub(r"<h([123])>(.*?)</h\1>", heading, html))


def _entry(name: str) -> str:
    found = getattr(qsdask, name)
    try:
        signature = str(inspect.signature(found))
    except ValueError:  # an exception has none of its own
        signature = "(...)"
    told = inspect.getdoc(found) or ""
    return f'<h2 id="reference-{name}">qsdask.{name}</h2>\n<pre>{text(name + signature)}</pre>\n<pre>{text(told)}</pre>'
