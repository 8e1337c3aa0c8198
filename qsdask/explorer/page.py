"""The page's own files, which the server sends and the widget of a notebook carries."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["body_of", "text_of"]


def text_of(name: str) -> str:
    """Text of ``page.html``, ``page.css`` or ``page.js``."""
    return (files("qsdask.explorer") / name).read_text("utf-8")


def body_of(html: str) -> str:
    """What stands between the tags of the body."""
    return html.partition("<body")[2].partition(">")[2].partition("</body>")[0]
