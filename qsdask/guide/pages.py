"""The pages, and what of them answers a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

__all__ = ["ORDER", "ROOMS", "Page", "Section", "anchor", "page_named", "pages", "readmes", "row_of", "sections_with"]

#: Names of the pages, in the order of the book.
ORDER = (
    "soft-spots",
    "meaning",
    "your-dump",
    "comparing",
    "memory",
    "clusters",
    "own-models",
    "store",
    "making-glasses",
    "errors",
)

#: Rooms of the package whose README goes deeper; the page of one is named like ``engine/README``.
ROOMS = ("cli", "data", "engine", "explorer", "formats", "learn", "simulation", "store", "structure", "study")

_CODE = re.compile(r"\b[EW]-[A-Z0-9]+(?:-[A-Z0-9]+)*\b")


class Section(NamedTuple):
    """A part of a page: name of the page, heading, and the text below it in Markdown."""

    page: str
    heading: str
    text: str


@dataclass(frozen=True)
class Page:
    """A page of the guide.

    Attributes
    ----------
    name : str
        Of its file, without ``.md``.
    text : str
        Markdown.
    """

    name: str
    text: str

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.text.splitlines()[0].removeprefix("# ")

    @property
    def sections(self) -> list[Section]:
        """What stands below each of its headings."""
        parts = re.split(r"^#{1,3} (.+)$", self.text, flags=re.M)[1:]
        return [
            Section(self.name, heading, body.strip()) for heading, body in zip(parts[::2], parts[1::2], strict=True)
        ]


@cache
def pages() -> tuple[Page, ...]:
    """All pages, in the order of the book."""
    folder = files("qsdask.guide")
    return tuple(Page(name, folder.joinpath(f"{name}.md").read_text(encoding="utf-8")) for name in ORDER)


@cache
def readmes() -> tuple[Page, ...]:
    """READMEs of the rooms, which pages of the guide name."""
    folder = files("qsdask")
    return tuple(
        Page(f"{room}/README", folder.joinpath(room, "README.md").read_text(encoding="utf-8")) for room in ROOMS
    )


def page_named(word: str) -> Page | None:
    """The page of this name, or the only one of whose name a part begins so, or a README; None when there is none, or several."""
    word = word.lower().removesuffix(".md")
    exact = [page for page in pages() if page.name == word]
    near = [page for page in pages() if any(part.startswith(word) for part in page.name.split("-"))]
    deeper = [page for page in readmes() if word in (page.name.lower(), page.name.partition("/")[0])]
    found = exact or near or deeper
    return found[0] if len(found) == 1 else None


def row_of(code: str) -> Section | None:
    """The row of an error or a warning as a table of its own, below the heading of its kind; None for an unknown code."""
    [errors] = [page for page in pages() if page.name == "errors"]
    for section in errors.sections:
        rows = [line for line in section.text.splitlines() if line.startswith("|")]
        for row in rows[2:]:
            if code.upper() in _CODE.findall(row.split("|")[1]):
                return Section("errors", section.heading, "\n".join([*rows[:2], row]))
    return None


def sections_with(word: str) -> list[Section]:
    """Sections in which a word stands, those that have it in their heading first; of the guide before those of READMEs."""
    wanted = word.lower()
    found = [s for page in (*pages(), *readmes()) for s in page.sections if wanted in f"{s.heading}\n{s.text}".lower()]
    return sorted(found, key=lambda section: wanted not in section.heading.lower())


def anchor(page: str, heading: str) -> str:
    """Name of a heading within the book."""
    return f"{page}-{re.sub(r'[^a-z0-9]+', '-', heading.lower()).strip('-')}"
