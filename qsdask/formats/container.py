"""The text of a file, plain or compressed, with bounded memory; and whether the file stayed what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType

import numpy as np

from qsdask.errors import BadDataError, NoInputError, of_os_error
from qsdask.files.location import opened, size_of, stamp_of
from qsdask.formats.compression import CONTAINERS, DAMAGE_CODES, LINES_PER_BYTE, PLAIN
from qsdask.formats.frame import MARKED
from qsdask.formats.refusal import zeros
from qsdask.kernels.lines import skip_lines
from qsdask.kernels.words import PADDING

__all__ = ["DAMAGE_CODES", "TextFile", "TextStream", "refuse_changed", "sniff", "stamp"]

_BLOCK = 1 << 18  # stays in the cache of a core
_UNPACKED = 1 << 16  # damage takes at most this much text before it along
_LONGEST_LINE = 1 << 16
_BEHIND = 1 << 12  # text kept behind the place of reading


def sniff(path: str | os.PathLike) -> tuple[str, bytes]:
    """The container of a file and how its text begins.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    container : str
        ``"plain"``, ``"gzip"``, ``"zstd"``, ``"bzip2"``, or the name of one that is not read (xz, zip).
    head : bytes
        The first bytes of the text, 4096 at most; of the file itself when the container is not read.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-GZIP``, ``E-ZSTD``, ``E-BZIP2`` when not even that can be decompressed.
    """
    with TextFile(path) as text:
        head = bytearray(4096)
        return text.container.name, bytes(head[: text.readinto(memoryview(head))])


def stamp(path: str | os.PathLike) -> tuple[int, int, int]:
    """What changes when a file is written to or replaced: size in bytes, time of change in ns, inode.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tuple of int

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    """
    try:
        return stamp_of(path)
    except OSError as error:
        raise _no_file(path, error) from error


def refuse_changed(path: str | os.PathLike, before: tuple[int, int, int]) -> None:
    """Refuse a file that is no longer what it was.

    Parameters
    ----------
    path : path-like
    before : tuple of int
        What `stamp` said.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-CHANGED``.
    """
    now = stamp(path)
    if now == tuple(before):
        return
    what = f"it has {now[0]} bytes, before {before[0]}" if now[0] != before[0] else "it was written again"
    raise BadDataError(
        f"the input changed while it was read: {what}",
        code="E-CHANGED",
        file=path,
        why="a simulation, or a copy, still writes it",
        hint="wait until it is finished, then start again",
    )


def _no_file(path, error):
    return NoInputError(f"cannot read the input: {error.strerror or error}", code="E-NO-FILE", file=path)


class TextFile:
    """The text of a file, forward only; all its text that comes before damage is read before the damage is met.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : str
    container : Container
    at : int
        Next byte of the text.
    size : int or None
        Bytes of the text, known of plain text.
    stored : int
        Bytes of the file.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = str(path)
        self.at = 0
        self._left = memoryview(b"")
        self._met: Exception | None = None
        try:
            with opened(path) as file:
                head = file.read(6)
            self.container = next((c for c in CONTAINERS if head.startswith(c.magic)), PLAIN)
            self._raw = not self.container.damage
            self._file = self.container.open(path)
            self.stored = size_of(path)
            self.size = self.stored if self._raw else None
        except OSError as error:
            raise _no_file(path, error) from error

    def __enter__(self) -> TextFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def most_lines(self, n_column: int) -> int:
        """Lines of so many columns that the text can have at most, judged by the bytes of the file."""
        # A column takes a digit and what stands behind it.
        return self.stored * LINES_PER_BYTE if self.size is None else self.size // (2 * n_column)

    def readinto(self, view: memoryview) -> int:
        """Fill ``view``; the number of bytes, less than its length at the end or where damage begins.

        Raises
        ------
        BadDataError
            ``E-GZIP``, ``E-ZSTD``, ``E-BZIP2``, when no byte comes before the damage.
        StoreIOError
            ``E-IO``: the disk failed.
        """
        got = 0
        damage: tuple[type[Exception], ...] = (OSError, *self.container.damage)
        try:
            while got < len(view):
                if self._met:
                    raise self._met
                if self._raw:
                    n = self._file.readinto(view[got:])
                else:
                    # Always in the same steps: what was read once can be read again, whatever is asked for.
                    self._left = self._left or memoryview(self._file.read1(_UNPACKED))
                    n = min(len(self._left), len(view) - got)
                    view[got : got + n] = self._left[:n]
                    self._left = self._left[n:]
                if not n:
                    break
                got += n
        except damage as error:
            self._met = error
            if not got:
                raise self._failure(error) from error
        self.at += got
        return got

    def _failure(self, error):
        if getattr(error, "errno", None):
            return of_os_error(error, self.path)
        if isinstance(error, EOFError):
            what, hint = "cut", f"copy the file again; `{self.container.cat}` gives what is left of it"
        else:
            what, hint = "damaged", "copy the file again: text before the damage may be wrong too"
        return BadDataError(
            f"the {self.container.name} file is {what}: {error}",
            code=self.container.code,
            file=self.path,
            why="an interrupted copy, a full disk or quota, or a simulation killed while it wrote",
            hint=hint,
        )

    def pass_to(self, offset: int) -> None:
        """Go on to a byte of the text: by seeking in plain text, else by decompressing."""
        if self._raw:
            self.at = self._file.seek(offset)
            return
        nowhere = memoryview(bytearray(_UNPACKED))
        while self.at < offset and self.readinto(nowhere[: offset - self.at]):
            pass

    def blocks(self, offset: int, length: int, size: int = _BLOCK) -> Iterator[np.ndarray]:
        """A stretch of the text in whole lines.

        Parameters
        ----------
        offset, length : int
            Not before what was read last.
        size : int
            Bytes held at a time.

        Yields
        ------
        uint8 array, shape (n_byte + PADDING,)
            The memory is used again for the next one. A line longer than ``size`` comes in parts.

        Raises
        ------
        BadDataError
            ``E-CHANGED`` when the text ends early; ``E-GZIP``, ``E-ZSTD``, ``E-BZIP2``.
        """
        memory = bytearray(size + PADDING)
        array, view = np.frombuffer(memory, np.uint8), memoryview(memory)
        self.pass_to(offset)
        held, left = 0, length
        while left:
            asked = min(left, size - held)
            if self.readinto(view[held : held + asked]) < asked:
                self.readinto(view[:1])  # damage, if that is the cause
                raise BadDataError(
                    "the file is shorter than it was when it was indexed", code="E-CHANGED", file=self.path
                )
            left -= asked
            held += asked
            end = (memory.rfind(b"\n", 0, held) + 1) if left else held
            end = end or held
            yield array[: end + PADDING]
            held -= end
            array[:held] = array[end : end + held].copy()


class TextStream:
    """Forward reading of a text by lines.

    Parameters
    ----------
    path : path-like
    block : int
        Bytes asked for at a time; about twice this is held.

    Attributes
    ----------
    text : TextFile
    offset : int
        First byte not yet passed, of the uncompressed text.
    line : int
        Its line number, from 1.
    """

    def __init__(self, path: str | os.PathLike, block: int = _BLOCK) -> None:
        self.text = TextFile(path)
        self.offset = 0
        self.line = 1
        self._block = block
        self._hold(bytearray(_BEHIND + 2 * block + PADDING))
        self._at = 0
        self._stop = 0
        self._whole = 0  # end of the last whole line held, if any lies ahead
        self._ended = False

    def __enter__(self) -> TextStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.text.__exit__(kind, error, trace)

    def _hold(self, memory):
        self._memory, self._array = memory, np.frombuffer(memory, np.uint8)

    def _refill(self) -> None:
        """Hold at least one more whole line, or all that is left."""
        keep = min(self._at, _BEHIND)
        first = self._at - keep
        self._memory[: self._stop - first] = self._memory[first : self._stop]
        self._at, self._stop = keep, self._stop - first
        self._whole = self._memory.rfind(b"\n", self._at, self._stop) + 1
        while not self._whole and not self._ended:
            if self._stop - self._at > max(_LONGEST_LINE, self._block):
                self._refuse_line()
            if self._stop + self._block + PADDING > len(self._memory):
                self._hold(self._memory + bytes(len(self._memory)))
            got = self.text.readinto(memoryview(self._memory)[self._stop : self._stop + self._block])
            self._ended = not got
            self._whole = self._memory.rfind(b"\n", self._stop, self._stop + got) + 1
            self._stop += got

    def _refuse_line(self):
        """Refuse a line without end, and pass over what is held of it."""
        zero = self._memory.find(b"\0", self._at, self._stop)
        byte = self.offset + zero - self._at
        self.offset += self._stop - self._at
        self._at = self._stop
        if zero >= 0:
            raise zeros(self.text.path, byte, line=self.line)
        raise BadDataError(
            f"a line is longer than {_LONGEST_LINE} bytes",
            code="E-FORMAT",
            file=self.text.path,
            line=self.line,
            why="this is not a text dump, or it is binary from here on",
        )

    def readline(self) -> bytes:
        """The next line with its newline; without one at the end of a cut text; empty at the end."""
        if self._at >= self._whole:
            self._refill()
        end = self._stop
        if self._at < self._whole:
            end = self._memory.index(b"\n", self._at, self._whole) + 1
        text = bytes(self._memory[self._at : end])
        self._at = end
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
            at, n, item = skip_lines(self._array, self._at, self._whole, n_line - passed)
            self.offset += at - self._at
            self.line += n
            self._at = at
            passed += n
            if item:
                break
        return passed

    def skip_marked(self, n_line: int) -> tuple[int, list[tuple[int, int]]]:
        """Skip, and note the places of `FrameLocation.marks` on the way; the number of lines, and these."""
        passed, marks = 0, []
        while passed < n_line:
            asked = min(MARKED, n_line - passed)
            got = self.skip(asked)
            passed += got
            if got < asked:
                break
            if passed < n_line and self.text.size is not None:
                marks.append((passed, self.offset))
        return passed, marks

    def behind(self, offset: int) -> bytes:
        """The text from ``offset`` to the place of reading, or its end, as much of it as is still held."""
        return bytes(self._memory[max(self._at - max(self.offset - offset, 0), 0) : self._at])

    def back_to(self, offset: int) -> None:
        """Return to a byte behind the place of reading, or as near to it as the text is still held."""
        text = self.behind(offset)
        self._at -= len(text)
        self.offset -= len(text)
        self.line -= text.count(b"\n")
        self._whole = max(self._whole, self._at + text.rfind(b"\n") + 1)
