"""Files of a store by their keys, such as ``frames/position/c/0/0``: listing, reading, moving and removing them.

Zarr writes and reads arrays through `DurableStore` and `CheckedStore`; everything else that is done to a store's files
is done here, so that no other room knows whether they lie in a folder, in a zip file or in a bucket.
Who removes or moves holds the lock of the store.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from qsdask.files.location import located
from qsdask.store.flat import flat
from qsdask.store.verbs import verbs_of

__all__ = ["Place"]


class Place:
    """Where the files of a store are.

    Parameters
    ----------
    root : Path
        Root of the store.
    """

    def __init__(self, root: Path) -> None:
        self._root = located(root)

    def files(self, below: str = "") -> tuple[dict[str, int], list[str]]:
        """Sizes of all plain files, and the keys of what is no plain file: links, pipes, devices.

        Parameters
        ----------
        below : str
            Only what lies below this key.
        """
        packed = flat(self._root)
        if packed is not None:
            return packed.sizes(below), []
        sizes: dict[str, int] = {}
        strange: list[str] = []
        folders = [f"{below}/" if below else ""]
        while folders:
            folder = folders.pop()
            with os.scandir(self._root / folder) as entries:
                for entry in entries:
                    key = f"{folder}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{key}/")
                    elif entry.is_file(follow_symlinks=False):
                        sizes[key] = entry.stat(follow_symlinks=False).st_size
                    else:
                        strange.append(key)
        return sizes, strange

    def folders(self, below: str) -> list[str]:
        """Names of the folders in a folder that hold something; none where it is not, or behind a link."""
        packed = flat(self._root)
        if packed is not None:
            return list(packed.folders(below))
        try:
            with os.scandir(self._root / below) as entries:
                return [e.name for e in entries if e.is_dir(follow_symlinks=False) and any(os.scandir(e.path))]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def size(self, below: str) -> int:
        """Bytes of all files below a key; 0 when there are none."""
        there = flat(self._root) is not None or (self._root / below).is_dir()
        return sum(self.files(below)[0].values()) if there else 0

    def exists(self, key: str) -> bool:
        """Whether there is a file or a folder of this name; a link that points nowhere counts."""
        packed = flat(self._root)
        return os.path.lexists(self._root / key) if packed is None else packed.has(key)

    def read(self, key: str) -> bytes:
        """Bytes of a file."""
        packed = flat(self._root)
        found = self._root / key if packed is None else packed.member(key)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key)
        return found.read_bytes()

    def remove(self, key: str) -> bool:
        """Remove a file, or a link; whether it is gone."""
        (self._root / key).unlink(missing_ok=True)
        return not self.exists(key)

    def remove_all(self, below: str = "") -> None:
        """Remove everything below a key, the folder itself too, as far as the system lets us.

        Raises
        ------
        ResumableError
            ``E-LOCKED``, at any folder, when this process has lost the lock of the store: what is there now is somebody
            else's.
        """
        verbs_of(self._root).remove_all(below)

    def move(self, below: str, to: str, home: Place | None = None) -> None:
        """Give everything below a key another key, in this store or in that of `home`; what was there is removed.

        In a bucket what was moved is still there under its old keys too, until it is removed: a move that was cut short
        begins again.
        """
        (home or self).remove_all(to)
        verbs_of(self._root).move(below, (home or self)._root / to)
