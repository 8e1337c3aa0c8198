"""Small changes to a text, by line and token; lines count from 1."""

from __future__ import annotations

from tests.corpus.glass import PER_SIDE

__all__ = ["HEADER", "LINES", "inserted", "line_of", "removed", "replaced", "token"]

HEADER = 9  # lines before the first atom
LINES = HEADER + PER_SIDE**3  # lines of a frame


def replaced(text: str, line: int, new: str) -> str:
    """The text with another line in the place of this one."""
    lines = text.splitlines(keepends=True)
    lines[line - 1] = new + "\n"
    return "".join(lines)


def inserted(text: str, line: int, new: str) -> str:
    """The text with one more line, which gets this number."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: line - 1], new + "\n", *lines[line - 1 :]])


def removed(text: str, line: int) -> str:
    """The text without this line."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[: line - 1] + lines[line:])


def token(text: str, line: int, column: int, new: str) -> str:
    """The text with another token in one line; columns count from 0."""
    words = text.splitlines()[line - 1].split()
    words[column] = new
    return replaced(text, line, " ".join(words))


def line_of(text: str, byte: int) -> int:
    """Number of the line in which this byte stands."""
    return text.count("\n", 0, byte) + 1
