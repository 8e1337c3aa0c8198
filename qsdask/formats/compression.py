"""Containers of text: how each is told, opened, found damaged, and unpacked by hand."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from functools import partial
from gzip import BadGzipFile
from typing import Any, NamedTuple

import zstandard
from isal import igzip, isal_zlib

from qsdask.files.location import opened

__all__ = ["CONTAINERS", "DAMAGE_CODES", "LINES_PER_BYTE", "PACKERS", "PLAIN", "Container"]

#: Lines of atoms that a packed byte can hold at most. Measured with a million lines each: a glass takes 11 bytes a line
#: (bzip2), a perfect crystal in order 1.0 (zstd at its highest level), lines that differ in nothing but their ids
#: 0.2. Lines that do not even differ in that pack better without end, and are no atoms.
LINES_PER_BYTE = 32

_PACKED = 1 << 12  # read at a time
_CUT = "it ends within a compressed stream"
#: Frames of zstd without text; pzstd writes them first.
_SKIPPABLE = tuple(bytes([k]) + b"\x2a\x4d\x18" for k in range(0x50, 0x60))


class _Gzip:
    """Members of gzip one after the other; what they are read from is closed with them."""

    def __init__(self, path: str) -> None:
        self._file = opened(path)
        self._text = igzip.open(self._file, "rb")
        self.read1 = self._text.read1

    def close(self) -> None:
        self._text.close()
        self._file.close()


class _Bzip2:
    """Streams of bzip2 one after the other, each of which must be there to its end.

    `bz2.BZ2File` takes what follows a stream, or a cut one, for the end.
    """

    def __init__(self, path: str) -> None:
        self._file = opened(path)
        self._open: bz2.BZ2Decompressor | None = None
        self._rest = b""

    def read1(self, size: int) -> bytes:
        """Some more text, ``size`` at most; empty at the end."""
        while True:
            packed = b""
            if self._open is None or self._open.needs_input:
                packed, self._rest = self._rest or self._file.read(_PACKED), b""
                if not packed:
                    break
            self._open = self._open or bz2.BZ2Decompressor()
            text = self._open.decompress(packed, size)
            if self._open.eof:
                self._rest, self._open = self._open.unused_data, None
            if text:
                return text
        if self._open is not None:
            raise EOFError(_CUT)
        return b""

    def close(self) -> None:
        self._file.close()


class _Zstd:
    """Frames of zstd one after the other, each of which must be there to its end, unpacked block by block.

    A block holds 128 KiB of text at most, however well it is packed; more than one at a time may be a bomb. The
    stream reader of `zstandard` takes a cut frame for the end.
    https://datatracker.ietf.org/doc/html/rfc8878#section-3.1
    """

    def __init__(self, path: str) -> None:
        self._file = opened(path)
        self._open: Any = None
        self._checksum = 0  # bytes behind the last block

    def read1(self, _size: int) -> bytes:
        """The text of the next block that has any; empty at the end."""
        while self._open is not None or (head := self._file.read(5)):
            if self._open is None:
                self._begin(head + self._take(5 - len(head)))
                continue
            text = self._open.decompress(self._block())
            if self._open.eof:
                self._open = None
            if text:
                return text
        return b""

    def _begin(self, head):
        """Begin a frame, or pass over a skippable one."""
        if head[:4] in _SKIPPABLE:
            left = int.from_bytes(head[4:] + self._take(3), "little")
            while left:
                left -= len(self._take(min(left, _PACKED)))
            return
        self._open = zstandard.ZstdDecompressor().decompressobj()
        self._open.decompress(head + self._take(zstandard.frame_header_size(head) - len(head)))
        self._checksum = 4 if head[4] & 4 else 0

    def _block(self):
        """The next block as it is packed."""
        head = self._take(3)
        word = int.from_bytes(head, "little")
        last, repeated, size = word & 1, word >> 1 & 3 == 1, word >> 3
        return head + self._take((1 if repeated else size) + (self._checksum if last else 0))

    def _take(self, size):
        packed = self._file.read(size)
        if len(packed) < size:
            raise EOFError(_CUT)
        return packed

    def close(self) -> None:
        self._file.close()


class Container(NamedTuple):
    """How the text of a file is packed.

    Attributes
    ----------
    name : str
    magic : tuple of bytes
        How such a file begins.
    open : callable
        From a path to something with ``read1`` and ``close``, or to the file as it is.
    damage : tuple of exception classes
        What ``read1`` raises for a damaged file; EOFError for a cut one. Empty where nothing is unpacked.
    cat : str
        Command that prints the text, or unpacks the file when it is not read here.
    """

    name: str
    magic: tuple[bytes, ...]
    open: Callable
    damage: tuple[type[Exception], ...]
    cat: str

    @property
    def code(self) -> str:
        """Of the error for damage."""
        return f"E-{self.name.upper()}"


_plain = partial(opened, buffering=0)

CONTAINERS = (
    Container(
        "gzip",
        (b"\x1f\x8b",),
        _Gzip,
        (EOFError, BadGzipFile, zlib.error, isal_zlib.error),  # type: ignore[arg-type]  # isal's stubs name no error
        "zcat",
    ),
    Container("zstd", (zstandard.FRAME_HEADER, *_SKIPPABLE), _Zstd, (EOFError, zstandard.ZstdError), "zstd -dc"),
    Container("bzip2", (b"BZh",), _Bzip2, (EOFError, OSError), "bzip2 -dc"),
    Container("xz", (b"\xfd7zXZ",), _plain, (), "xz -d"),
    Container("zip", (b"PK\x03\x04",), _plain, (), "unzip"),
)
PLAIN = Container("plain", (b"",), _plain, (), "cat")

#: Codes of the errors after which no more of a file can be read.
DAMAGE_CODES = frozenset(container.code for container in CONTAINERS if container.damage)

#: How files with these endings are packed while they are written: from an open file to one that takes the text. No name and no
#: time are kept, so that the same text gives the same bytes.
PACKERS: dict[str, Callable] = {
    ".gz": lambda file: igzip.IGzipFile("", "wb", fileobj=file, mtime=0),
    ".zst": lambda file: zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False),
    ".bz2": lambda file: bz2.BZ2File(file, "wb"),
}
