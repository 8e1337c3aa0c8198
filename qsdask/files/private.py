"""Folders that nobody else reads, for as long as they are needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["private_folder"]


@contextmanager
def private_folder(path: Path) -> Iterator[Path]:
    """A new folder that is ours alone, removed afterwards with all that is in it.

    Parameters
    ----------
    path : Path
        There must be none yet: what somebody else made could be exchanged by him.

    Yields
    ------
    Path
        The folder; only its owner may look into it.

    Raises
    ------
    FileExistsError
        When it is there.
    """
    os.makedirs(path.parent, exist_ok=True)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        # Whoever reads from it on another machine may leave the file system's own traces.
        shutil.rmtree(path, ignore_errors=True)
