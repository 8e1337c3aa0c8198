"""Files that workers map into memory, or leave for one another: in a folder where they are, of a bucket on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from qsdask.files.location import in_bucket, opened

__all__ = ["local_copy", "shared_folder", "staged"]

#: Copies of this process, by the name of the object: its version and the file.
_copies: dict[str, tuple[dict[str, str], Path]] = {}

#: Folder that they are in, made when it is needed; it goes when the process ends.
_home: list[TemporaryDirectory] = []


def _own_folder() -> Path:
    if not _home:
        _home.append(TemporaryDirectory(prefix="qsdask-copies-", ignore_cleanup_errors=True))
    return Path(_home[0].name)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder of this machine to write into: the folder itself, or one whose files are put into a bucket in the end.

    Parameters
    ----------
    folder : Path
        What was there is removed.

    Yields
    ------
    Path
        Only folders of this machine have files that can be mapped.
    """
    bucket = in_bucket(folder)
    if bucket is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        return
    with TemporaryDirectory(prefix="qsdask-staged-") as local:
        yield Path(local)
        for file in sorted(file for file in Path(local).iterdir() if file.is_file()):
            (bucket / file.name).put(file)


def local_copy(path: Path) -> Path:
    """A file of this machine with the content of a file: itself, or the copy of an object, fetched once a process.

    Parameters
    ----------
    path : Path
        The file; of a bucket one that does not change while it is copied.

    Raises
    ------
    FileNotFoundError
    """
    bucket = in_bucket(path)
    if bucket is None:
        return path
    version = bucket.version()
    kept = _copies.get(str(bucket))
    if version is None:
        raise FileNotFoundError(2, "No such object", str(bucket))
    if kept is None or kept[0] != version:
        name = hashlib.blake2b(f"{bucket} {sorted(version.items())}".encode(), digest_size=16).hexdigest()
        target = _own_folder() / name
        partial = target.with_name(f"{name}.{os.urandom(4).hex()}")
        with opened(bucket) as source, partial.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        partial.replace(target)
        if kept is not None:
            kept[1].unlink(missing_ok=True)
        kept = _copies[str(bucket)] = (version, target)
    return kept[1]


def shared_folder(folder: Path) -> Path:
    """A folder of files that tasks leave for one another: the folder itself; where that is in a bucket, one that bears its name in
    the current folder, which all workers must see.
    """
    bucket = in_bucket(folder)
    if bucket is None:
        return folder
    return Path.cwd() / f".qsdask-{hashlib.blake2b(str(bucket).encode(), digest_size=8).hexdigest()}"
