"""Files that are there whole or not at all, after a power cut too.

Bytes are written under another name, flushed to disk, and then get their own name; the folder is flushed last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from qsdask.errors import ResumableError

__all__ = ["Growing", "being_written", "changed_meanwhile", "give_name", "replace_unchanged", "sync", "write_durable"]

#: Part of the names of unfinished files, so that threads of one process never share one.
_number = count()


@contextmanager
def being_written(
    path: Path, *, exclusive: bool = False, check: Callable[[], None] = lambda: None
) -> Iterator[BinaryIO]:
    """A file that gets its name when the ``with`` ends without an error, and leaves nothing behind otherwise.

    Parameters
    ----------
    path : Path
        File to make, or to replace.
    exclusive : bool
        Refuse to replace a file.
    check : callable
        Called when the bytes are on disk, immediately before they get their name; what it raises leaves all as it was.

    Yields
    ------
    binary file
        Open for writing.

    Raises
    ------
    FileExistsError
        When there is one and `exclusive` is given.
    OSError
        Whatever the file system says, with the file's name.
    """
    partial = _unfinished(path)
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check()
        if exclusive:
            os.link(partial, path)
            partial.unlink()
        else:
            partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say where
        raise


class Growing:
    """A file that is written piece by piece, and gets its name when it is whole; between two pieces it is closed.

    Parameters
    ----------
    path : Path
        File to make, or to replace.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, _unfinished(path)

    def append(self, data: bytes) -> None:
        """Write a piece behind the others."""
        with self._partial.open("ab") as file:
            file.write(data)

    def finish(self, check: Callable[[], None]) -> None:
        """Flush it to disk and give it its name; `check` is called in between, what it raises leaves all as it was."""
        sync(self._partial)
        check()
        self._partial.replace(self._path)

    def discard(self) -> None:
        """Remove it, unless it has its name."""
        self._partial.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """A name that no other file has, in the same folder."""
    return path.with_name(f".{path.name}.{os.getpid()}.{next(_number):x}.partial")


def write_durable(path: Path, pieces: bytes | Iterable[bytes], *, exclusive: bool = False) -> None:
    """Write a file in one step; see `being_written`.

    Parameters
    ----------
    path : Path
        File to make, or to replace.
    pieces : bytes or iterable of bytes
        Its content.
    exclusive : bool
        Refuse to replace a file.
    """
    with being_written(path, exclusive=exclusive) as file:
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            file.write(piece)
    sync(path.parent)


def replace_unchanged(path: Path, data: bytes, was: bytes) -> None:
    """Replace a file in one step, if it is still what it was.

    A folder cannot compare and rename in one step: who writes here holds its lock, and the comparison finds out who has
    lost it.

    Parameters
    ----------
    path : Path
        File to replace.
    data : bytes
        Its new content.
    was : bytes
        Its content as the caller knows it.

    Raises
    ------
    ResumableError
        ``E-CHANGED-MEANWHILE`` when it is another one, or gone.
    """

    def unchanged() -> None:
        if not path.is_file() or path.read_bytes() != was:
            raise changed_meanwhile(path)

    with being_written(path, check=unchanged) as file:
        file.write(data)
    sync(path.parent)


def changed_meanwhile(path: object) -> ResumableError:
    """The refusal to replace what is no longer what it was."""
    return ResumableError(
        "it was changed by somebody else meanwhile",
        code="E-CHANGED-MEANWHILE",
        file=path,
        why="two writers would mix their numbers",
        hint="wait until the other has ended, then run the same command again",
    )


def give_name(partial: Path, path: Path) -> None:
    """Give a file that somebody else wrote its name, after its bytes have reached the disk.

    Parameters
    ----------
    partial : Path
        What was written.
    path : Path
        Its name, in the same folder.
    """
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
