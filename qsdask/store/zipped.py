"""A store as one zip file, read where it is: nothing is unpacked, and nothing can be written.

The store may be at the top of the zip file, as Zarr's own ``ZipStore`` has it, or in a folder of it, as programs make them that
zip folders.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from qsdask.errors import NoInputError, StoreIOError

__all__ = ["Member", "Size", "Zipped", "is_zipped", "zipped"]

_ROOT = "zarr.json"


class Size(NamedTuple):
    """What of `os.stat` is asked of a file."""

    st_size: int


class Member(NamedTuple):
    """A file of a zip file; has of `pathlib.Path` what is asked of files of a store."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def stat(self) -> Size:
        return Size(self.info.file_size)

    def read_bytes(self) -> bytes:
        try:
            return self.archive.read(self.info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
            EOFError,
            ValueError,
            OSError,
        ) as error:
            raise _damaged(self.archive.filename, f"{self.info.filename}: {error}") from None

    def open(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.read_bytes())


class Zipped:
    """Files of a store that is one zip file.

    Parameters
    ----------
    path : str
        The zip file.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED``: it is no whole zip file.
    NoInputError
        ``E-NO-STORE``: no store is in it.
    """

    def __init__(self, path: str) -> None:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise _damaged(path, str(error)) from None
        names = [info.filename for info in archive.infolist()]
        roots = sorted((name for name in names if name.split("/")[-1] == _ROOT), key=lambda name: name.count("/"))
        if not roots or roots[0].count("/") > 1:
            raise NoInputError(
                "no store is in this zip file", code="E-NO-STORE", file=path, hint="zip the store's folder"
            )
        above = roots[0].removesuffix(_ROOT)
        self._archive = archive
        self._info = {
            info.filename.removeprefix(above): info
            for info in archive.infolist()
            if info.filename.startswith(above) and not info.is_dir()
        }

    def member(self, key: str) -> Member | None:
        """A file of the store; None when there is none of this name."""
        info = self._info.get(key)
        return None if info is None else Member(self._archive, info)

    def has(self, key: str) -> bool:
        """Whether there is a file of this name, or one below it."""
        return key in self._info or bool(self.sizes(key))

    def sizes(self, below: str = "") -> dict[str, int]:
        """Bytes of all files whose keys lie below one."""
        start = f"{below}/" if below else ""
        return {key: info.file_size for key, info in self._info.items() if key.startswith(start)}

    def names(self, folder: str) -> Iterator[str]:
        """Names of what is in a folder."""
        start = f"{folder}/" if folder else ""
        yield from dict.fromkeys(key.removeprefix(start).split("/")[0] for key in self._info if key.startswith(start))

    def folders(self, folder: str) -> Iterator[str]:
        """Names of the folders in a folder."""
        start = f"{folder}/" if folder else ""
        below = (key.removeprefix(start) for key in self._info if key.startswith(start))
        yield from dict.fromkeys(key.split("/")[0] for key in below if "/" in key)


def is_zipped(root: Path | str) -> bool:
    """Whether the root of a store is a file: then it is a zip file, or nothing."""
    return os.fspath(root).lower().endswith(".zip") and os.path.isfile(root)


def zipped(root: Path | str) -> Zipped | None:
    """The store in a zip file; None for a store that is a folder."""
    if not is_zipped(root):
        return None
    status = os.stat(root)
    return _opened(os.path.abspath(root), status.st_mtime_ns, status.st_size, os.getpid())


@lru_cache(maxsize=8)
def _opened(path: str, _mtime: int, _size: int, _process: int) -> Zipped:
    """Kept open; anew when the file changes, and in every process, for its place of reading is one."""
    return Zipped(path)


def _damaged(path, text) -> StoreIOError:
    return StoreIOError(
        f"the zip file cannot be read: {text}",
        code="E-STORE-DAMAGED",
        file=path,
        why="the file was cut or changed after it was written",
        hint="copy it again, or zip the store again",
    )
