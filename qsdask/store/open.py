"""Opening a store for reading: lazily, and only what is complete."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from qsdask.store import accessor as _accessor  # noqa: F401  registers `.qs`
from qsdask.store.ledger import records

__all__ = ["open_store"]


def open_store(path: str | Path, *, partial: bool = False) -> xr.DataTree:
    """Open a specimen's store as a lazy tree of datasets.

    Parameters
    ----------
    path : str or Path
        Root of the store.
    partial : bool
        Show unfinished stages too; their missing chunks read as fill values.

    Returns
    -------
    xarray.DataTree
        Groups ``/atoms``, ``/frames``, ``/domains``, ``/shells/*``, ``/features/*``, ``/response/d2min``,
        ``/softness/*`` as far as they are complete, chunked as stored (Dask arrays). Closing the tree closes the files.
        ``tree.qs`` answers what people ask first.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store at `path`.

    Examples
    --------
    >>> tree = qsdask.open_store("glass7.zarr")  # doctest: +SKIP
    >>> tree["features/interstice"].ds["value"].mean("atom").compute()  # doctest: +SKIP
    """
    records(Path(path))
    groups = xr.open_groups(str(path), engine="zarr", chunks={}, consolidated=not partial)
    return xr.DataTree.from_dict(
        {name: group for name, group in groups.items() if not name.startswith("/ledger")}
    )
