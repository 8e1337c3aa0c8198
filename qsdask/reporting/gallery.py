"""Pictures side by side, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from qsdask.reporting import template
from qsdask.reporting.captions import CAPTIONS
from qsdask.reporting.picture import encode

__all__ = ["captioned", "gallery"]


def gallery(pictures: Sequence[str]) -> str:
    """Pictures side by side; an empty string when there is none."""
    return f'<div class="pictures">{"".join(pictures)}</div>' if pictures else ""


def captioned(name: str, figure: Figure, form: str | None = None) -> str:
    """A picture with the caption of its name; see `qsdask.reporting.picture.encode`."""
    return template.figure(encode(figure, name, form=form), CAPTIONS[name])
