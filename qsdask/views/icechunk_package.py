"""A store as a snapshot of an Icechunk repository, for those who keep their data there; the one file that imports `icechunk`."""

from __future__ import annotations

import json
import os
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import xarray as xr

from qsdask.errors import CannotCreateError, UsageError
from qsdask.files.location import in_bucket, located
from qsdask.files.taken import refuse_in_store
from qsdask.store import ledger
from qsdask.store.open import open_store

__all__ = ["export_icechunk"]


def export_icechunk(store: str | Path, repository: str | Path, *, overwrite: bool = False) -> str:
    """Write all complete stages of a store into an Icechunk repository, as one snapshot of its branch ``main``.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    repository : str or Path
        Folder of this machine, or prefix in a bucket of ``s3://`` or ``gs://``; made when it is not there.
    overwrite : bool
        Add a snapshot to a repository that is there already: it holds what the store has now, and no more. Earlier snapshots
        stay as they are.

    Returns
    -------
    str
        Id of the snapshot. `xarray.open_zarr` of ``repo.readonly_session("main").store`` with a group opens it.

    Raises
    ------
    UsageError
        ``E-EXTRA`` without icechunk; ``E-BUCKET`` for a bucket of Azure.
    CannotCreateError
        ``E-EXISTS`` when there is a repository, or a folder with something else; ``E-IN-STORE``.

    Notes
    -----
    The numbers, names and attributes are those of `qsdask.open_store`. The repository has neither ledger nor receipts: `verify`,
    `repair` and stages work on stores.
    """
    try:
        import icechunk
    except ImportError:
        raise UsageError(
            "the package icechunk is not installed",
            code="E-EXTRA",
            file=repository,
            hint="python -m pip install 'qsdask[icechunk]'",
        ) from None
    records = [record for record in ledger.records(located(store)) if record.complete]
    tree = open_store(store)
    place = located(repository)
    refuse_in_store(place)
    storage = _storage(icechunk, place)
    try:
        if not icechunk.Repository.exists(storage) and place.exists() and any(place.iterdir()):
            raise CannotCreateError("something else is here", code="E-EXISTS", file=place, hint="choose another place")
        repo = icechunk.Repository.open_or_create(storage)
        # The first snapshot is that of an empty repository, also where an earlier try was cut short.
        if not overwrite and len(list(islice(repo.ancestry(branch="main"), 2))) > 1:
            raise CannotCreateError(
                "a repository is here already",
                code="E-EXISTS",
                file=place,
                hint="--overwrite adds a snapshot; earlier ones stay",
            )
        session = repo.writable_session("main")
        with warnings.catch_warnings():
            # Zarr v3 has not laid down yet how texts of one length are called; every Zarr-Python 3 reads them.
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
            for node in tree.subtree:
                _put(session.store, node.path, node.to_dataset(inherit=False))
        stages = {record.key: record.digest for record in records}
        name = located(store).stem
        return str(session.commit(f"qsdask: {name}", metadata={"qsdask": json.dumps(stages)}))
    except icechunk.IcechunkError as error:
        raise CannotCreateError(
            f"Icechunk refuses this: {str(error).strip().splitlines()[0][:300]}", code="E-ICECHUNK", file=repository
        ) from None


def _put(store: Any, path: str, group: xr.Dataset) -> None:
    """Write a group, in place of whatever was there."""
    for array in group.variables.values():
        array.encoding = {}
    written = group.to_zarr(
        store, group=path, mode="w" if path == "/" else "a", zarr_format=3, consolidated=False, compute=False
    )
    # In threads of this process: what other processes write into a session must come back from each of them.
    written.compute(scheduler="threads")


def _storage(icechunk: Any, place: Path) -> Any:
    """Storage of a repository, with credentials of the environment."""
    bucket = in_bucket(place)
    if bucket is None:
        return icechunk.local_filesystem_storage(str(place.absolute()))
    if bucket.scheme == "gs":
        return icechunk.gcs_storage(bucket=bucket.bucket, prefix=bucket.key, from_env=True)
    if bucket.scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        return icechunk.s3_storage(
            bucket=bucket.bucket,
            prefix=bucket.key,
            region=os.environ.get("AWS_REGION", "us-east-1"),
            endpoint_url=endpoint,
            allow_http=(endpoint or "").startswith("http://"),
            force_path_style=endpoint is not None,
            from_env=True,
        )
    raise UsageError(
        "a repository in Azure is not written from here", code="E-BUCKET", file=place, hint="a folder, s3:// or gs://"
    )
