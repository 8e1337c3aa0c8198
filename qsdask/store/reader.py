"""Reading a store from a task: each array is opened once, each domain is a slice of rows."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import zarr

from qsdask import schema
from qsdask.store.durable import DurableStore

__all__ = ["StoreReader"]


class StoreReader:
    """Arrays of a store by their path, opened on first use and kept.

    Parameters
    ----------
    path : str or Path
        Root of the store.
    """

    def __init__(self, path: str | Path) -> None:
        self._store = DurableStore(path, read_only=True)
        self._open: dict[str, zarr.Array] = {}

    def __getitem__(self, name: str) -> zarr.Array:
        """Array at a path such as ``"frames/position"``."""
        if name not in self._open:
            self._open[name] = zarr.open_array(self._store, path=name, mode="r")
        return self._open[name]

    def group(self, group: str) -> dict[str, zarr.Array]:
        """All registered arrays of a group, by name."""
        return {variable.name: self[f"{group}/{variable.name}"] for variable in schema.variables_of(group)}

    def names(self, name: str) -> list[str]:
        """Content of an array of strings."""
        return [str(text) for text in self[name][:].tolist()]

    @cached_property
    def domain_rows(self) -> np.ndarray:
        """First row of every domain and the row after its last, int64, shape (n_domain, 2)."""
        return self["domains/row"][:]

    @property
    def n_domain(self) -> int:
        """Number of domains."""
        return len(self.domain_rows)

    def rows(self, domain: int) -> slice:
        """Rows of one domain."""
        first, stop = self.domain_rows[domain].tolist()
        return slice(first, stop)
