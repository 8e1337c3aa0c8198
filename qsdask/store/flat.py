"""Stores whose files are known by their keys alone, without folders: in a zip file, or below a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from qsdask.files.bucket import BucketPath
from qsdask.files.location import in_bucket
from qsdask.store.zipped import Member, Size, Zipped, zipped

__all__ = ["Bucketed", "Fetched", "flat"]


class Fetched(NamedTuple):
    """An object of a bucket, as it was when it was looked for; has of `pathlib.Path` what is asked of files of a store."""

    data: bytes

    def stat(self) -> Size:
        return Size(len(self.data))

    def read_bytes(self) -> bytes:
        return self.data

    def open(self, mode: str = "rb") -> BytesIO:
        assert mode == "rb", "a file of a store is read here"
        return BytesIO(self.data)


class Bucketed:
    """Files of a store that lies in a bucket; see `Zipped`.

    Parameters
    ----------
    root : BucketPath
        Root of the store.
    """

    def __init__(self, root: BucketPath) -> None:
        self._root = root

    def member(self, key: str) -> Fetched | None:
        """A file of the store; None when there is none of this name."""
        found = (self._root / key).got()
        return None if found is None else Fetched(found[0])

    def has(self, key: str) -> bool:
        """Whether there is a file of this name, or one below it."""
        return (self._root / key).exists()

    def sizes(self, below: str = "") -> dict[str, int]:
        """Bytes of all files whose keys lie below one."""
        start = f"{below}/" if below else ""
        return {f"{start}{name}": size for name, size in (self._root / below).sizes().items()}

    def names(self, folder: str) -> Iterator[str]:
        """Names of what is in a folder."""
        return (path.name for path in (self._root / folder).iterdir())

    def folders(self, folder: str) -> Iterator[str]:
        """Names of the folders in a folder."""
        return (path.name for path in (self._root / folder).folders())


def flat(root: object) -> Zipped | Bucketed | None:
    """The store by its keys; None for one that is a folder."""
    bucket = in_bucket(root)
    return zipped(root) if bucket is None else Bucketed(bucket)  # type: ignore[arg-type]


#: A file of such a store.
FlatFile = Member | Fetched
