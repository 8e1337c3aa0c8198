"""Files that are there whole or not at all, after a power cut too.

Bytes are written under another name, flushed to disk, and then get their own name; the folder is flushed last.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

__all__ = ["being_written", "give_name", "sync", "write_durable"]

#: Part of the names of unfinished files, so that threads of one process never share one.
_number = count()


@contextmanager
def being_written(path: Path, *, exclusive: bool = False) -> Iterator[BinaryIO]:
    """A file that gets its name when the ``with`` ends without an error, and leaves nothing behind otherwise.

    Parameters
    ----------
    path : Path
        File to make, or to replace.
    exclusive : bool
        Refuse to replace a file.

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
    partial = path.with_name(f".{path.name}.{os.getpid()}.{next(_number):x}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
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
