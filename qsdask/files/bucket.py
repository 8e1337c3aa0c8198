"""Buckets of object stores: paths that look like those of folders, and the three verbs that storage without folders knows.

An object is there whole or not at all, and durable when the answer has come. What a rename and O_EXCL are to a folder are conditions to a
bucket: *put*, *create if absent*, *replace if unchanged*.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from qsdask.errors import BadDataError, UsageError
from qsdask.files.object_client import PAUSE, TRIES, client_of, no_bucket, tried

__all__ = ["SCHEMES", "BucketPath", "Status", "Version"]

#: Beginnings of the URLs that are read and written through obstore.
SCHEMES = ("s3", "gs", "az")

#: What tells two states of an object apart: its ETag and, where there is one, the number of its version.
Version = dict[str, str]

#: Objects that are removed or copied between two looks at the lock.
_BATCH = 500


class Status(NamedTuple):
    """What of `os.stat` is asked of a file; the number of the file stands for the state of the object."""

    st_size: int
    st_mtime_ns: int
    st_ino: int


class BucketPath:
    """An object of a bucket, or all objects below a prefix; has of `pathlib.Path` what is asked of stores and trajectories.

    It is no `os.PathLike`: what would take it for a file of this machine raises TypeError.

    Parameters
    ----------
    scheme : str
        One of `SCHEMES`.
    bucket : str
        Name of the bucket.
    key : str
        Names joined by slashes; empty for the bucket itself.
    """

    __slots__ = ("bucket", "key", "scheme")

    def __init__(self, scheme: str, bucket: str, key: str = "") -> None:
        self.scheme, self.bucket = scheme, bucket
        self.key = posixpath.normpath(key).strip("/") if key.strip("/") not in ("", ".") else ""
        if not bucket or ".." in self.key.split("/"):
            raise UsageError(f"{self} names no place in a bucket", code="E-NO-FILE", hint=f"{scheme}://BUCKET/NAME")

    # As of pathlib.Path: names.

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.key}" if self.key else "")

    def __repr__(self) -> str:
        return f"BucketPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BucketPath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)

    def __reduce__(self) -> tuple:
        """Travel between processes as its name; each opens the bucket with its own credentials."""
        return type(self), (self.scheme, self.bucket, self.key)

    def __truediv__(self, below: object) -> BucketPath:
        return self._at(f"{self.key}/{below}")

    def _at(self, key: str) -> BucketPath:
        return type(self)(self.scheme, self.bucket, key)

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2] or self.bucket

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> BucketPath:
        return self._at(self.key.rpartition("/")[0])

    @property
    def parents(self) -> list[BucketPath]:
        parts = self.key.split("/") if self.key else []
        return [self._at("/".join(parts[:n])) for n in reversed(range(len(parts)))]

    def with_name(self, name: str) -> BucketPath:
        return self.parent / name

    def relative_to(self, other: object) -> PurePosixPath:
        if not isinstance(other, BucketPath):
            raise ValueError(f"{self} does not lie below {other}")
        return PurePosixPath(f"/{self.bucket}/{self.key}").relative_to(f"/{other.bucket}/{other.key}")

    def absolute(self) -> BucketPath:
        return self

    def resolve(self) -> BucketPath:
        return self

    def as_posix(self) -> str:
        return str(self)

    # As of pathlib.Path: what is there. There are no links, and folders need not be made.

    def is_symlink(self) -> bool:
        return False

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        pass

    def is_file(self) -> bool:
        return bool(self.key) and self._head() is not None

    def is_dir(self) -> bool:
        import obstore

        prefix = f"{self.key}/" if self.key else None
        return bool(tried(self, lambda client: next(iter(obstore.list(client, prefix, chunk_size=1)), None)))

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def stat(self) -> Status:
        head = self._head()
        if head is None:
            raise FileNotFoundError(2, "No such object", str(self))
        mark = hashlib.blake2b(json.dumps(_version(head)).encode(), digest_size=7).digest()
        return Status(head["size"], int(head["last_modified"].timestamp() * 1e9), int.from_bytes(mark, "big"))

    def iterdir(self) -> Iterator[BucketPath]:
        folders, files = self._inside()
        yield from (self._at(name) for name in sorted({*folders, *files}))

    def folders(self) -> Iterator[BucketPath]:
        """Prefixes that hold objects; some servers still list one for a while when the last object below it has gone."""
        yield from (path for path in map(self._at, self._inside()[0]) if path.is_dir())

    def _inside(self) -> tuple[list[str], list[str]]:
        """Prefixes and objects, not those below the prefixes."""
        import obstore

        prefix = f"{self.key}/" if self.key else None
        found = tried(self, lambda client: obstore.list_with_delimiter(client, prefix))
        return list(found["common_prefixes"]), [meta["path"] for meta in found["objects"]]

    def glob(self, pattern: str) -> Iterator[BucketPath]:
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def sizes(self) -> dict[str, int]:
        """Bytes of all objects below, by their names from here."""
        start = len(self.key) + 1 if self.key else 0
        return {meta["path"][start:]: meta["size"] for meta in self._listed()}

    def read_bytes(self) -> bytes:
        found = self.got()
        if found is None:
            raise FileNotFoundError(2, "No such object", str(self))
        return found[0]

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.read_bytes().decode(encoding, errors)

    def unlink(self, missing_ok: bool = False) -> None:
        self._delete([self.key])

    # The verbs.

    def got(self) -> tuple[bytes, Version] | None:
        """Content and version; None when there is no such object."""
        import obstore

        def fetched(client: Any) -> tuple[bytes, Version]:
            found = obstore.get(client, self.key)
            return bytes(found.bytes()), _version(found.meta)

        try:
            return tried(self, fetched) if self.key else None
        except FileNotFoundError:
            return None

    def part(self, start: int, length: int, version: Version) -> bytes:
        """Some bytes of the object as it was when it had that version.

        Raises
        ------
        BadDataError
            ``E-CHANGED``.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        options: Any = {"range": (start, start + length), "if_match": version["e_tag"]}
        try:
            return tried(self, lambda client: bytes(obstore.get(client, self.key, options=options).bytes()))
        except (PreconditionError, FileNotFoundError):
            raise BadDataError(
                "the input changed while it was read: it was written again, or removed",
                code="E-CHANGED",
                file=self,
                hint="wait until it is finished, then start again",
            ) from None

    def version(self) -> Version | None:
        """State of the object; None when there is none."""
        head = self._head()
        return None if head is None else _version(head)

    def put(self, content: bytes | Path) -> None:
        """Write the object, whatever was there; a file goes in parts where it is large."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, GenericError

        def written(client: Any) -> None:
            try:
                obstore.put(client, self.key, content, use_multipart=None if isinstance(content, Path) else False)
            except AlreadyExistsError as error:  # 409: another one writes it at this moment
                raise GenericError(str(error)) from None

        try:
            tried(self, written)
        except FileNotFoundError:
            raise no_bucket(self) from None

    def create(self, data: bytes) -> Version | None:
        """Write the object if there is none; its version, None when there is another."""
        return self._on_condition(data, None)

    def replace(self, data: bytes, version: Version) -> Version | None:
        """Write the object if it still has a version; the new one, None when it has changed or is gone."""
        return self._on_condition(data, version)

    def _on_condition(self, data: bytes, before: Version | None) -> Version | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = before or "create"
        for left in reversed(range(TRIES)):
            try:
                made = tried(self, lambda client: obstore.put(client, self.key, data, mode=mode, use_multipart=False))
                return _version(made)
            except FileNotFoundError:
                if before is None:
                    raise no_bucket(self) from None
            except (AlreadyExistsError, PreconditionError):
                pass
            # Of a try whose answer was lost the next one finds what it wrote itself.
            found = self.got()
            if found is not None and found[0] == data:
                return found[1]
            # 409: several wrote at once, and none of them may have succeeded.
            if (None if found is None else found[1]) != before or not left:
                return None
            time.sleep(PAUSE)
        return None

    def client(self) -> Any:
        """Object store of obstore whose names begin here."""
        return client_of(str(self), self.scheme)

    def remove_all(self, check: Callable[[], None]) -> None:
        """Remove everything below, what describes the whole first: what is cut short is never taken for complete.

        Parameters
        ----------
        check : callable
            Called before every batch; what it raises ends the removal.
        """
        keys = sorted((meta["path"] for meta in self._listed()), key=lambda key: (key.count("/"), key))
        first = [key for key in keys if key == f"{self.key}/zarr.json"]
        rest = [key for key in keys if key not in first]
        for batch in [first, *(rest[i : i + _BATCH] for i in range(0, len(rest), _BATCH))]:
            check()
            if batch:
                self._delete(batch)

    def copy_all(self, target: BucketPath, check: Callable[[], None]) -> None:
        """Copy everything below to another prefix of the bucket, what describes the whole last; see `remove_all`."""
        import obstore

        assert (self.scheme, self.bucket) == (target.scheme, target.bucket)
        for n, name in enumerate(sorted(self.sizes(), key=lambda name: (name == "zarr.json", name))):
            if n % _BATCH == 0:
                check()
            tried(self, partial(obstore.copy, from_=(self / name).key, to=(target / name).key))

    def _head(self) -> Any:
        import obstore

        try:
            return tried(self, lambda client: obstore.head(client, self.key))
        except FileNotFoundError:
            return None

    def _listed(self) -> list[Any]:
        """All objects below. A list that was cut is asked for again from its beginning: half of it would look whole."""
        import obstore

        prefix = f"{self.key}/" if self.key else None
        return tried(self, lambda client: list(obstore.list(client, prefix).collect()))

    def _delete(self, keys: list[str]) -> None:
        import obstore

        try:
            tried(self, lambda client: obstore.delete(client, keys))
        except FileNotFoundError:
            # Some tell that an object is not there, and leave the rest of the batch.
            for key in keys if len(keys) > 1 else []:
                self._delete([key])


def _version(meta: Any) -> Version:
    """ETag and number of a version, as far as the server tells them."""
    return {name: meta[name] for name in ("e_tag", "version") if meta.get(name)}
