"""Bytes of a text file, plain or gzip: by whole lines with bounded memory, or one stretch after the other."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from gzip import BadGzipFile
from types import TracebackType

import numpy as np
from isal import igzip, isal_zlib

from qsdask.errors import BadDataError, NoInputError
from qsdask.kernels.text import PADDING, skip_lines

__all__ = ["TextStream", "read_stretches", "sniff"]

_BLOCK = 4 << 20
_PIECE = 1 << 16  # damage in gzip takes at most this much text before it along
_LONGEST_LINE = 1 << 16
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}
_DAMAGE = (EOFError, BadGzipFile, zlib.error, isal_zlib.error)


def sniff(path: str | os.PathLike) -> tuple[str, bytes]:
    """The container of a file and how its text begins.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    container : str
        ``"plain"``, ``"gzip"``, or the name of one that is not read here (zstd, bzip2, xz, zip).
    head : bytes
        The first bytes of the text, 4096 at most; of the file itself when the container is not read.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-GZIP`` when not even that can be decompressed.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise NoInputError(
            f"cannot read the input: {error.strerror or error}", code="E-NO-FILE", file=path
        ) from error
    container = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "plain")
    if container == "gzip":
        with igzip.open(path, "rb") as stream:
            try:
                head = stream.read1(4096)
            except _DAMAGE as error:
                raise _damaged(path, error) from error
    return container, head


def _damaged(path, error) -> BadDataError:
    return BadDataError(
        f"the gzip file is damaged or cut: {error}",
        code="E-GZIP",
        file=path,
        why="an interrupted copy, a full disk or quota, or a simulation killed while it wrote",
        hint="copy the file again; `zcat` gives what is left of it",
    )


def _opened(path):
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return igzip.open(path, "rb") if compressed else open(path, "rb")


class TextStream:
    """Forward reading of a text by lines.

    Parameters
    ----------
    path : path-like
    block : int
        Bytes asked for at a time; about twice this is held.

    Attributes
    ----------
    offset : int
        First byte not yet passed, of the uncompressed text.
    line : int
        Its line number, from 1.
    """

    def __init__(self, path: str | os.PathLike, block: int = _BLOCK) -> None:
        self.path = os.fspath(path)
        self.offset = 0
        self.line = 1
        self._file = _opened(path)
        self._block = block
        self._memory = np.zeros(PADDING, np.uint8)
        self._bytes = self._memory[:0]
        self._at = 0
        self._whole = 0  # end of the last whole line held
        self._ended = False
        self._damage: Exception | None = None

    def __enter__(self) -> TextStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _refill(self) -> None:
        """Hold at least one more whole line, or all that is left."""
        while not self._ended:
            more = self._more()
            self._ended = not more
            left = self._bytes[self._at :]
            held = np.zeros(left.size + len(more) + PADDING, np.uint8)
            held[: left.size] = left
            held[left.size : -PADDING] = np.frombuffer(more, np.uint8)
            self._memory, self._bytes, self._at = held, held[:-PADDING], 0
            last = more.rfind(b"\n")
            if last >= 0:
                self._whole = left.size + last + 1
                return
            self._whole = 0
            if self._bytes.size > max(_LONGEST_LINE, self._block):
                raise BadDataError(
                    f"a line is longer than {_LONGEST_LINE} bytes",
                    code="E-FORMAT",
                    file=self.path,
                    line=self.line,
                    why="this is not a text dump, or it is binary from here on",
                )

    def _more(self) -> bytes:
        """About one block; what comes before damage is handed out before the damage is reported."""
        if self._damage is not None:
            raise _damaged(self.path, self._damage) from self._damage
        pieces, size = [], 0
        while size < self._block:
            try:
                pieces.append(self._file.read1(min(self._block, _PIECE)))
            except _DAMAGE as error:
                self._damage = error
                if not size:
                    return self._more()
                break
            if not pieces[-1]:
                break
            size += len(pieces[-1])
        return b"".join(pieces)

    def readline(self) -> bytes:
        """The next line with its newline; without one at the end of a cut text; empty at the end."""
        if self._at >= self._whole:
            self._refill()
        if self._at >= self._whole:
            text = self._bytes[self._at :].tobytes()
        else:
            # Header lines are short: look at a little first.
            for reach in (512, self._whole - self._at):
                text = self._bytes[self._at : min(self._at + reach, self._whole)].tobytes()
                end = text.find(b"\n")
                if end >= 0:
                    text = text[: end + 1]
                    break
        self._at += len(text)
        self.offset += len(text)
        self.line += text.endswith(b"\n")
        return text

    def skip(self, n_line: int) -> int:
        """Pass over ``n_line`` lines, but none that begins ``ITEM:``; the number passed over."""
        passed = 0
        while passed < n_line:
            if self._at >= self._whole:
                self._refill()
            if self._at >= self._whole:
                break
            at, n, item = skip_lines(self._memory, self._at, self._whole, n_line - passed)
            self.offset += at - self._at
            self.line += n
            self._at = at
            passed += n
            if item:
                break
        return passed


def read_stretches(path: str | os.PathLike, stretches: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Stretches of the uncompressed text of a file, in rising order.

    Parameters
    ----------
    path : path-like
    stretches : sequence of (offset, length)
        Ascending and without overlap.

    Yields
    ------
    uint8 array, shape (length + PADDING,)
        The memory is used again for the next one. Shorter when the file ends early.

    Raises
    ------
    BadDataError
        ``E-GZIP``.
    """
    size = max((length for _, length in stretches), default=0) + PADDING
    memory = np.empty(size, np.uint8)
    at = 0
    with _opened(path) as file:
        for offset, length in stretches:
            try:
                if not isinstance(file, igzip.IGzipFile):
                    file.seek(offset)
                else:
                    while at < offset:
                        passed = file.readinto(memoryview(memory)[: min(offset - at, size)])
                        if not passed:
                            break
                        at += passed
                got = 0
                while got < length:
                    more = file.readinto(memoryview(memory)[got:length])
                    if not more:
                        break
                    got += more
            except _DAMAGE as error:
                raise _damaged(path, error) from error
            at = offset + got
            memory[got : got + PADDING] = 0
            yield memory[: got + PADDING]
