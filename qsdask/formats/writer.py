"""What every file of atoms has in common while it is written: names, counts, packing, and that it is whole or not there."""

from __future__ import annotations

import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.errors import CannotCreateError, UsageError
from qsdask.files.durable import give_name

__all__ = ["TextWriter", "Writer", "reals"]

_ROWS = 65536  # rows made into text at a time
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_\[\].-]*\Z")


class Writer(ABC):
    """Frames being written, atoms chunk by chunk; the file appears under its name when all atoms are there.

    Parameters
    ----------
    path : path-like
    natoms : int
        Atoms that will be written of every frame.
    species : sequence of str
        Names; the chunks carry indices into it.
    columns : mapping of str to dtype
        Columns besides id, species and position, in order: float, int or bool.
    cell, origin, periodic
        As in `qsdask.formats.frame.Frame`.
    boundary : tuple of str, optional
        Two letters of ``pfsm`` per axis; ``pp`` and ``ff`` from ``periodic`` by default.
    timestep : int
    units : str, optional
        Unit style of the lengths, to be named in the file; needed where it is not the angstrom.
    frame : int, optional
        Number of the frame, where there will be several: tables have a column ``frame`` then.
    pack : callable, optional
        From an open binary file to one that packs what is written into it.

    Raises
    ------
    UsageError
        ``E-COLUMN``: a column name that the format cannot hold, or that is taken.
    CannotCreateError
        ``E-CREATE``: the file cannot be written.
    """

    _TAKEN: frozenset[str] = frozenset()

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        natoms: int,
        cell: np.ndarray,
        origin: np.ndarray,
        periodic: np.ndarray,
        species: Sequence[str],
        columns: Mapping[str, Any] | None = None,
        boundary: tuple[str, str, str] | None = None,
        timestep: int = 0,
        units: str | None = None,
        frame: int | None = None,
        pack: Callable | None = None,
    ) -> None:
        self.path, self.units, self.frame = os.fspath(path), units, frame
        self.natoms, self.timestep = int(natoms), int(timestep)
        self.species = tuple(species)
        self.cell = np.asarray(cell, np.float64)
        self.origin = np.asarray(origin, np.float64)
        self.periodic = np.asarray(periodic, bool)
        self.boundary = boundary or tuple("pp" if p else "ff" for p in self.periodic)
        self.columns = {name: np.dtype(kind) for name, kind in (columns or {}).items()}
        self._check_names()
        self.written = 0
        place = Path(self.path)
        self._temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
        with self._telling():
            self._raw = self._temporary.open("xb")
        self._file: Any = self._raw
        try:
            with self._telling():
                self._file = pack(self._raw) if pack else self._raw
                self._open()
                self._begin()
        except BaseException:
            self.abandon()
            raise

    def _check_names(self) -> None:
        for name, dtype in self.columns.items():
            if not _COLUMN.match(name) or name in self._TAKEN or dtype.kind not in "fiub":
                raise UsageError(
                    f"column {name!r} ({dtype.kind}) cannot be written",
                    code="E-COLUMN",
                    why=f"values are numbers; names are of letters, digits, _, and not {sorted(self._TAKEN)}",
                )
        for name in self.species:
            if not name or any(c.isspace() for c in name):
                raise UsageError(f"species name {name!r} cannot be written", code="E-COLUMN")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _open(self) -> None:  # noqa: B027 - most formats begin with their first frame
        """Write what stands before the first frame."""

    @abstractmethod
    def _begin(self) -> None:
        """Write what stands before the atoms of a frame."""

    @abstractmethod
    def _append(self, identity, species, position, columns) -> None:
        """Write atoms."""

    def _end(self) -> None:  # noqa: B027 - most formats end with their last atom
        """Write what stands behind the last frame."""

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """``E-CREATE`` for what the file system says."""
        try:
            yield
        except OSError as error:
            raise CannotCreateError(
                f"cannot write: {error.strerror or error}", code="E-CREATE", file=self.path
            ) from error

    def next_frame(self, *, cell: np.ndarray, origin: np.ndarray, timestep: int, frame: int) -> None:
        """End a frame and begin another one, of the same atoms and columns.

        Raises
        ------
        UsageError
            ``E-COUNT``: not as many atoms of the frame that ends as announced.
        CannotCreateError
            ``E-CREATE``.
        """
        self._check_count()
        self.cell, self.origin = np.asarray(cell, np.float64), np.asarray(origin, np.float64)
        self.timestep, self.frame, self.written = int(timestep), frame, 0
        with self._telling():
            self._begin()

    def write(
        self,
        identity: np.ndarray,
        species: np.ndarray,
        position: np.ndarray,
        columns: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Append atoms.

        Parameters
        ----------
        identity : int array, shape (n,)
        species : int array, shape (n,)
            Index into the names given at the beginning.
        position : float array, shape (n, 3)
            Unit: that of the cell.
        columns : mapping of str to array, each of shape (n,)
            The columns announced at the beginning. NaN is written as ``nan``.

        Raises
        ------
        UsageError
            ``E-COLUMN``: other columns, or other lengths, than announced.
        CannotCreateError
            ``E-CREATE``.
        """
        columns = columns or {}
        n = len(identity)
        sizes = {len(species), len(position), *(len(values) for values in columns.values())}
        if set(columns) != set(self.columns) or sizes != {n}:
            raise UsageError(
                f"columns {sorted(columns)} of {sorted(sizes | {n})} rows; announced: {sorted(self.columns)}",
                code="E-COLUMN",
            )
        with self._telling():
            for k in range(0, n, _ROWS):
                part = slice(k, k + _ROWS)
                some = {name: np.asarray(columns[name][part]) for name in self.columns}
                self._append(identity[part], np.asarray(species[part]), np.asarray(position[part]), some)
        self.written += n

    def _check_count(self) -> None:
        if self.written != self.natoms:
            raise UsageError(
                f"{self.written} atoms were written, {self.natoms} were announced", code="E-COUNT", file=self.path
            )

    def close(self) -> None:
        """Give the file its name.

        Raises
        ------
        UsageError
            ``E-COUNT``: not as many atoms as announced; nothing is left behind.
        CannotCreateError
            ``E-CREATE``.
        """
        try:
            self._check_count()
            with self._telling():
                self._end()
                self._file.close()
                self._raw.close()
        except BaseException:
            self.abandon()
            raise
        give_name(self._temporary, Path(self.path))

    def abandon(self) -> None:
        """Remove what was written."""
        for close in (self._end, self._file.close):
            # What is not closed closes itself later, onto a file that is not there.
            with suppress(OSError, ValueError):
                close()
        self._raw.close()
        self._temporary.unlink(missing_ok=True)


class TextWriter(Writer):
    """A line for every atom."""

    _BOOL = ("0", "1")
    _BETWEEN = " "

    @abstractmethod
    def _header(self) -> str:
        """Text before the first atom of a frame."""

    @abstractmethod
    def _cells(self, identity, species, position) -> Iterator[list[str]]:
        """Cells of the leading columns."""

    def _begin(self):
        self._file.write(self._header().encode())

    def _append(self, identity, species, position, columns):
        cells = chain(
            self._cells(identity, species, position), (self._text(name, values) for name, values in columns.items())
        )
        rows = map(self._BETWEEN.join, zip(*cells, strict=True))
        self._file.write("".join(f"{row}\n" for row in rows).encode())

    def _text(self, name, values):
        kind = self.columns[name].kind
        if kind == "f":
            return reals(values)
        if kind == "b":
            return [self._BOOL[v] for v in values.astype(bool).tolist()]
        return list(map(str, values.astype(np.int64).tolist()))


def reals(values) -> list[str]:
    """The shortest text that reads back to the same double; of a float32, to the same float32."""
    if values.dtype == np.float32:
        return [text.removesuffix(".0") for text in values.astype("U32").tolist()]
    return list(map(repr, values.astype(np.float64).tolist()))
