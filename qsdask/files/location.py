"""Where something is: a file or folder of this machine, or something in a bucket, each by the name that a user types."""

from __future__ import annotations

import os
import posixpath
import re
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from qsdask.files.bucket import SCHEMES, BucketPath
from qsdask.files.ranged import RangedFile

__all__ = ["absolute", "beside", "in_bucket", "located", "opened", "seen_from", "size_of", "stamp_of"]

#: pathlib makes one slash of two.
_URL = re.compile(rf"({'|'.join(SCHEMES)}):/+([^/]+)/?(.*)", re.DOTALL)

_FILE = re.compile(r"file:/+")


def located(where: str | os.PathLike[str] | BucketPath) -> Path:
    """Path of a file or folder, or of something in a bucket.

    Parameters
    ----------
    where : str, path-like or BucketPath
        A path of this machine, ``file:///…``, or ``s3://…``, ``gs://…``, ``az://…``.

    Returns
    -------
    Path
        Of a bucket a `BucketPath`, which has of `pathlib.Path` what is asked of stores and trajectories. It is said to
        be a Path, so that nobody needs to know which one he has.
    """
    bucket = in_bucket(where)
    if bucket is not None:
        return cast(Path, bucket)
    text = os.fspath(cast("Path", where))
    return Path(unquote(urlsplit(text).path)) if _FILE.match(text) else Path(text)


def in_bucket(where: object) -> BucketPath | None:
    """Place in a bucket; None for one of this machine."""
    if isinstance(where, BucketPath):
        return where
    found = _URL.fullmatch(str(where))
    return BucketPath(*found.groups()) if found else None


def absolute(where: str | os.PathLike[str] | BucketPath) -> str:
    """Name that holds in other folders, and on other machines if they see the same file system."""
    place = located(where)
    return str(place) if in_bucket(place) is not None else os.path.abspath(place)


def seen_from(home: Path, where: str | os.PathLike[str] | BucketPath) -> str:
    """Name of a place as seen from a folder, with slashes: both may move together. Between a machine and a bucket its full name."""
    place = located(where)
    there, base = in_bucket(place), in_bucket(home)
    if there is None and base is None:
        return Path(os.path.relpath(place.resolve(), home)).as_posix()
    if there is None or base is None or (there.scheme, there.bucket) != (base.scheme, base.bucket):
        return str(place.resolve())
    return posixpath.relpath(f"/{there.key}", f"/{base.key}")


def beside(home: Path, name: str) -> Path:
    """Place that `seen_from` named, or that a file beside others names."""
    if in_bucket(name) is not None or in_bucket(home) is None:
        return located(name) if in_bucket(name) is not None else home / name
    return Path(name) if name.startswith("/") else home / name


def opened(where: str | os.PathLike[str] | BucketPath, buffering: int = -1) -> BinaryIO:
    """A file to read, of this machine or of a bucket."""
    bucket = in_bucket(where)
    if bucket is None:
        return open(cast("Path", where), "rb", buffering=buffering)
    raw = RangedFile(bucket)
    return cast(BinaryIO, raw if buffering == 0 else BufferedReader(raw))


def stamp_of(where: str | os.PathLike[str]) -> tuple[int, int, int]:
    """Size, time of change, and number of a file; of an object the last stands for its version."""
    status = located(where).stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def size_of(where: str | os.PathLike[str]) -> int:
    """Bytes of a file."""
    return stamp_of(where)[0]
