"""A store that lies in memory: groups, dtypes and chunks of one on disk, so that the code of a stage works on either.

Nothing outlives it, so it has no ledger and no receipts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsdask import schema
from qsdask.store.reader import StoredArray
from qsdask.units import ANGSTROM, told_in

__all__ = ["StoreInMemory"]


@dataclass(frozen=True)
class HeldArray:
    """An array that answers as a stored one; what is read of it is a copy, as from a file."""

    array: np.ndarray
    chunks: tuple[int, ...]
    fill_value: Any
    attrs: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.array(self.array[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[index] = value


class StoreInMemory:
    """Reader, run of a stage and writer of a task at once; see `StoreReader`, `StageRun` and `TaskWriter`.

    Parameters
    ----------
    rows : int64 array, shape (n_domain, 2)
        First row of every domain and the row after its last.
    length : str
        Unit of all lengths; see `qsdask.units`.
    """

    def __init__(self, rows: np.ndarray, length: str = ANGSTROM) -> None:
        self.domain_rows, self.length = rows, length
        self._chunk = int(rows[0, 1] - rows[0, 0])
        self._held: dict[str, HeldArray] = {}

    def create(self, group: str, sizes: Mapping[str, int]) -> None:
        """Make the arrays of a group, full of fill values; see `qsdask.store.template.create_group`."""
        for variable in schema.variables_of(group):
            shape = tuple(sizes[dim] for dim in variable.dims)
            dtype = object if variable.dtype == "string" else variable.dtype
            chunks = tuple(
                self._chunk if dim == "atom" else size for dim, size in zip(variable.dims, shape, strict=True)
            )
            marks = {"units": told_in(variable.units, self.length), "long_name": variable.long_name}
            array = np.full(shape, variable.fill_value, dtype)
            self._held[f"{group}/{variable.name}"] = HeldArray(array, chunks, variable.fill_value, marks)

    def drop(self, group: str) -> None:
        """Forget the arrays of a group, if they are there."""
        for variable in schema.variables_of(group):
            self._held.pop(f"{group}/{variable.name}", None)

    def put(self, group: str, values: Mapping[str, Any]) -> None:
        """Fill whole arrays of a group."""
        for name, value in values.items():
            self._held[f"{group}/{name}"][...] = value

    def __getitem__(self, name: str) -> StoredArray:
        """Array at a path such as ``"frames/position"``."""
        return self._held[name]

    def group(self, group: str) -> Mapping[str, StoredArray]:
        """All arrays of a group, by name."""
        return {variable.name: self._held[f"{group}/{variable.name}"] for variable in schema.variables_of(group)}

    def names(self, name: str) -> list[str]:
        """Content of an array of strings."""
        return [str(text) for text in self._held[name].array]

    @property
    def n_atom(self) -> int:
        """Number of rows."""
        return int(self.domain_rows[-1, 1])

    @property
    def n_domain(self) -> int:
        """Number of domains."""
        return len(self.domain_rows)

    def rows(self, domain: int) -> slice:
        """Rows of one domain."""
        first, stop = self.domain_rows[domain].tolist()
        return slice(first, stop)

    def reader(self) -> StoreInMemory:
        """What a task reads from."""
        return self

    def own(self) -> StoreInMemory:
        """What the stage has written so far."""
        return self

    def together(self, steps: list[int]) -> list[list[int]]:
        """Steps that are committed at once: one by one."""
        return [[step] for step in steps]

    @contextmanager
    def committing(self, part: int, step: int, domain: int) -> Iterator[StoreInMemory]:
        """What a task writes with."""
        yield self

    def write(self, group: str, name: str, region: tuple[slice | int, ...], value: np.ndarray) -> None:
        """Write one region of an array."""
        self._held[f"{group}/{name}"][region] = value
