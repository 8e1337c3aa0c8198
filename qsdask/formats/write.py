"""One frame with columns of one's own, as extended XYZ or LAMMPS dump, chunk by chunk."""

from __future__ import annotations

import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.errors import CannotCreateError, UsageError
from qsdask.files.durable import give_name

__all__ = ["DumpWriter", "ExtxyzWriter", "open_writer", "write_extxyz", "write_lammps_dump"]

_ROWS = 65536  # rows made into text at a time
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_\[\].-]*\Z")


class _Writer(ABC):
    """A frame being written; its file appears under its name when all atoms are there."""

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
    ) -> None:
        self.path, self.units = os.fspath(path), units
        self.natoms, self.timestep = int(natoms), int(timestep)
        self.species = tuple(species)
        self.cell = np.asarray(cell, np.float64)
        self.origin = np.asarray(origin, np.float64)
        self.periodic = np.asarray(periodic, bool)
        self.boundary = boundary or tuple("pp" if p else "ff" for p in self.periodic)
        self.columns = {name: np.dtype(kind).kind for name, kind in (columns or {}).items()}
        for name, kind in self.columns.items():
            if not _COLUMN.match(name) or name in self._TAKEN or kind not in "fiub":
                raise UsageError(
                    f"column {name!r} ({kind}) cannot be written",
                    code="E-COLUMN",
                    why=f"values are numbers; names are of letters, digits, _, and not {sorted(self._TAKEN)}",
                )
        for name in self.species:
            if not name or any(c.isspace() for c in name):
                raise UsageError(f"species name {name!r} cannot be written", code="E-COLUMN")
        self.written = 0
        place = Path(self.path)
        self._temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
        try:
            self._file = self._temporary.open("xb")
            self._file.write(self._header().encode())
        except OSError as error:
            raise CannotCreateError(
                f"cannot write: {error.strerror or error}", code="E-CREATE", file=self.path
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self.abandon()

    @abstractmethod
    def _header(self) -> str:
        """Text before the first atom."""

    @abstractmethod
    def _cells(self, identity, species, position) -> Iterator[list[str]]:
        """Cells of the leading columns."""

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
        try:
            for k in range(0, n, _ROWS):
                part = slice(k, k + _ROWS)
                cells = chain(
                    self._cells(identity[part], np.asarray(species[part]), np.asarray(position[part])),
                    (self._text(name, np.asarray(columns[name][part])) for name in self.columns),
                )
                rows = map(" ".join, zip(*cells, strict=True))
                self._file.write(("\n".join(rows) + "\n").encode())
        except OSError as error:
            raise CannotCreateError(
                f"cannot write: {error.strerror or error}", code="E-CREATE", file=self.path
            ) from error
        self.written += n

    def _text(self, name, values):
        kind = self.columns[name]
        if kind == "f":
            return _reals(values)
        if kind == "b":
            return [self._BOOL[v] for v in values.astype(bool).tolist()]
        return list(map(str, values.astype(np.int64).tolist()))

    def close(self) -> None:
        """Give the file its name.

        Raises
        ------
        UsageError
            ``E-COUNT``: not as many atoms as announced; nothing is left behind.
        """
        if self.written != self.natoms:
            self.abandon()
            raise UsageError(
                f"{self.written} atoms were written, {self.natoms} were announced", code="E-COUNT", file=self.path
            )
        self._file.close()
        give_name(self._temporary, Path(self.path))

    def abandon(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def _reals(values) -> list[str]:
    """The shortest text that reads back to the same double; of a float32, to the same float32."""
    if values.dtype == np.float32:
        return [text.removesuffix(".0") for text in values.astype("U32").tolist()]
    return list(map(repr, values.astype(np.float64).tolist()))


def _numbers(values) -> str:
    return " ".join(map(repr, np.asarray(values, np.float64).ravel().tolist()))


class ExtxyzWriter(_Writer):
    """Extended XYZ: species, pos, id and the further columns; the cell as ``Lattice`` and ``Origin``.

    The arguments are those of `DumpWriter`.
    """

    _TAKEN = frozenset({"species", "pos", "id"})
    _BOOL = ("F", "T")

    def _header(self):
        letter = {"f": "R", "i": "I", "u": "I", "b": "L"}
        properties = "species:S:1:pos:R:3:id:I:1" + "".join(
            f":{name}:{letter[kind]}:1" for name, kind in self.columns.items()
        )
        pbc = " ".join("T" if p else "F" for p in self.periodic)
        return (
            f'{self.natoms}\nLattice="{_numbers(self.cell)}" Origin="{_numbers(self.origin)}" '
            f'pbc="{pbc}" Timestep={self.timestep} '
            + f"units={self.units} " * (self.units is not None)
            + f"Properties={properties}\n"
        )

    def _cells(self, identity, species, position):
        yield [self.species[k] for k in species.tolist()]
        for axis in range(3):
            yield _reals(position[:, axis])
        yield list(map(str, np.asarray(identity).tolist()))


class DumpWriter(_Writer):
    """LAMMPS text dump: ``id type element x y z`` and the further columns.

    Types count from 1 in the order of ``species``.

    Parameters
    ----------
    path : path-like
    natoms : int
        Atoms that will be written in all.
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

    Raises
    ------
    UsageError
        ``E-COLUMN``: a column name that the format cannot hold, or that is taken.
    CannotCreateError
        ``E-CREATE``: the file cannot be written.
    """

    _TAKEN = frozenset({"id", "type", "element", "x", "y", "z"})
    _BOOL = ("0", "1")

    def _header(self):
        flags = " ".join(self.boundary)
        cell, low = self.cell, self.origin
        if np.any(np.triu(cell, 1)):
            title = f"abc origin {flags}"
            box = np.column_stack([cell, low])
        else:
            tilt = (xy, xz, yz) = cell[1, 0], cell[2, 0], cell[2, 1]
            high = low + np.diag(cell)
            # LAMMPS dumps give the box that bounds the tilted cell.
            box = np.column_stack(
                [
                    np.add(low, [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]),
                    np.add(high, [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]),
                ]
            )
            title = flags
            if any(tilt):
                title, box = f"xy xz yz {flags}", np.column_stack([box, tilt])
        names = " ".join(["id type element x y z", *self.columns])
        bounds = "".join(f"{_numbers(row)}\n" for row in box)
        units = "" if self.units is None else f"ITEM: UNITS\n{self.units}\n"
        return (
            f"{units}ITEM: TIMESTEP\n{self.timestep}\nITEM: NUMBER OF ATOMS\n{self.natoms}\n"
            f"ITEM: BOX BOUNDS {title}\n{bounds}ITEM: ATOMS {names}\n"
        )

    def _cells(self, identity, species, position):
        codes = species.tolist()
        yield list(map(str, np.asarray(identity).tolist()))
        yield [str(k + 1) for k in codes]
        yield [self.species[k] for k in codes]
        for axis in range(3):
            yield _reals(position[:, axis])


def open_writer(path: str | os.PathLike, **settings) -> ExtxyzWriter | DumpWriter:
    """The writer that the ending of the name asks for.

    Parameters
    ----------
    path : path-like
        ``.extxyz`` or ``.xyz``; ``.dump`` or ``.lammpstrj``.
    **settings
        See `DumpWriter`.

    Returns
    -------
    ExtxyzWriter or DumpWriter

    Raises
    ------
    UsageError
        ``E-FORMAT``: another ending.
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending in (".extxyz", ".xyz"):
        return ExtxyzWriter(path, **settings)
    if ending in (".dump", ".lammpstrj"):
        return DumpWriter(path, **settings)
    raise UsageError(
        f"cannot tell the format from the ending {ending!r}",
        code="E-FORMAT",
        file=path,
        hint="name it .extxyz or .dump",
    )


def write_extxyz(path, *, identity, species, position, columns=None, species_names, **settings) -> None:
    """Write one frame at once as extended XYZ; see `DumpWriter` and its ``write``."""
    _write_all(ExtxyzWriter, path, identity, species, position, columns, species_names, settings)


def write_lammps_dump(path, *, identity, species, position, columns=None, species_names, **settings) -> None:
    """Write one frame at once as LAMMPS dump; see `DumpWriter` and its ``write``."""
    _write_all(DumpWriter, path, identity, species, position, columns, species_names, settings)


def _write_all(writer, path, identity, species, position, columns, names, settings):
    columns = {name: np.asarray(values) for name, values in (columns or {}).items()}
    kinds = {name: values.dtype for name, values in columns.items()}
    with writer(path, natoms=len(identity), species=names, columns=kinds, **settings) as out:
        out.write(identity, species, position, columns)
