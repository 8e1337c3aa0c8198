"""Standard output: values as JSON; and when it cannot be written that is told, for the system names no file."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from qsdask.errors import StoreIOError

__all__ = ["as_json_text", "output_told"]


def as_json_text(values: dict) -> str:
    """JSON without NaN: what is not defined is null."""
    plain = json.loads(json.dumps(values, default=lambda v: v.tolist()), parse_constant=lambda _: None)
    return json.dumps(plain, indent=1, allow_nan=False)


@contextmanager
def output_told() -> Iterator[None]:
    """Within the ``with``, failures of standard output are refusals.

    Raises
    ------
    StoreIOError
        ``E-OUTPUT``. A closed pipe stays an `OSError`: whoever reads has enough, and click ends the process silently.
    """
    before = sys.stdout
    sys.stdout = told = cast(TextIO, _Told(before))
    try:
        yield
    finally:
        if sys.stdout is told:
            sys.stdout = before


class _Told:
    """A text stream whose failures tell what they are, again and again: click tries streams out, and passes over the first."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._refusal: StoreIOError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, as of the stream."""
        with self._refusing():
            return self._stream.write(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self._refusing():
            self._stream.flush()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        if self._refusal:
            raise self._refusal
        try:
            yield
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            # What is left in the buffer would fail once more when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self._refusal = StoreIOError(
                f"standard output cannot be written: {error.strerror}",
                code="E-OUTPUT",
                why="the file or device that it was sent to; no store is touched by that",
                hint="send it elsewhere, and run the same command again",
            )
            raise self._refusal from None
