"""Places that must not be written to: files that somebody else made, and everything inside of a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from qsdask.errors import CannotCreateError
from qsdask.files.location import in_bucket, located

__all__ = ["refuse_bucket", "refuse_in_store", "refuse_taken"]


def refuse_taken(path: Path, *, overwrite: bool = False, ours: Callable[[Path], bool] | None = None) -> None:
    """Refuse to write a file where one is already.

    Parameters
    ----------
    path : Path
        File to be written.
    overwrite : bool
        Whether the user said that it may be replaced.
    ours : callable, optional
        Tells whether a file that is there is one that qsdask wrote and may write again. Without it nobody can tell: a dump
        has no room for a mark, and one that was worked on looks like one that was not.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS``; ``E-IN-STORE`` and, in a bucket, ``E-BUCKET``, whatever the user said.
    """
    refuse_bucket(path)
    refuse_in_store(path)
    if not os.path.lexists(path):
        return
    if path.is_dir():
        raise CannotCreateError("a folder is here", code="E-EXISTS", file=path, hint="choose another file")
    if not overwrite and not (ours is not None and path.is_file() and ours(path)):
        raise CannotCreateError(
            "a file is here already" + ("" if ours is None else ", and qsdask did not write it"),
            code="E-EXISTS",
            file=path,
            hint="choose another file, or add --overwrite",
        )


def refuse_bucket(path: object) -> None:
    """Refuse to write what is no store into a bucket.

    Raises
    ------
    CannotCreateError
        ``E-BUCKET``.
    """
    if (bucket := in_bucket(path)) is not None:
        raise CannotCreateError(
            "this is written to files of this machine only, not into a bucket",
            code="E-BUCKET",
            file=bucket,
            hint="write it here, then copy it; stores alone are made in buckets",
        )


def refuse_in_store(path: Path) -> None:
    """Refuse a place inside of a store, at any depth and also through links.

    Raises
    ------
    CannotCreateError
        ``E-IN-STORE``.
    """
    # The last part need not be there, and a link of that name is replaced, not followed.
    folder = located(path).absolute().parent.resolve()
    for above in (folder, *folder.parents):
        # A store has its metadata from the first stage on, and its ledger even before.
        if (above / "zarr.json").is_file() or (above / "ledger" / "ingest").is_dir():
            raise CannotCreateError(
                "this would be written into a store",
                code="E-IN-STORE",
                file=path,
                why=f"{above} is one, and holds nothing but what its own stages write",
                hint="choose another place",
            )
