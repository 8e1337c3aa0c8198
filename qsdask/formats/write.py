"""Frames with columns of one's own, as extended XYZ, LAMMPS dump or table, chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import numpy as np

from qsdask.errors import UsageError
from qsdask.formats.compression import PACKERS
from qsdask.formats.tables import CsvWriter, ParquetWriter, parquet_for
from qsdask.formats.writer import TextWriter, Writer, reals

__all__ = ["ENDINGS", "DumpWriter", "ExtxyzWriter", "open_writer", "write_extxyz", "write_lammps_dump", "writer_for"]


def _numbers(values) -> str:
    return " ".join(map(repr, np.asarray(values, np.float64).ravel().tolist()))


class ExtxyzWriter(TextWriter):
    """Extended XYZ: species, pos, id and the further columns; the cell as ``Lattice`` and ``Origin``.

    The arguments are those of `qsdask.formats.writer.Writer`.
    """

    _TAKEN = frozenset({"species", "pos", "id"})
    _BOOL = ("F", "T")

    def _header(self):
        letter = {"f": "R", "i": "I", "u": "I", "b": "L"}
        properties = "species:S:1:pos:R:3:id:I:1" + "".join(
            f":{name}:{letter[dtype.kind]}:1" for name, dtype in self.columns.items()
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
            yield reals(position[:, axis])
        yield list(map(str, np.asarray(identity).tolist()))


class DumpWriter(TextWriter):
    """LAMMPS text dump: ``id type element x y z`` and the further columns.

    Types count from 1 in the order of ``species``. The arguments are those of `qsdask.formats.writer.Writer`.
    """

    _TAKEN = frozenset({"id", "type", "element", "x", "y", "z"})

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
            yield reals(position[:, axis])


_WRITERS: dict[str, type[Writer]] = {
    ".extxyz": ExtxyzWriter,
    ".xyz": ExtxyzWriter,
    ".dump": DumpWriter,
    ".lammpstrj": DumpWriter,
    ".csv": CsvWriter,
    ".parquet": ParquetWriter,
}

#: What can be written, for help and messages.
ENDINGS = f"{', '.join(_WRITERS)}; packed: {', '.join(f'.dump{ending}' for ending in PACKERS)}, ..."


def writer_for(path: str | os.PathLike) -> Callable[..., Writer]:
    """The writer that the ending of a name asks for; it takes the arguments of `qsdask.formats.writer.Writer`.

    Raises
    ------
    UsageError
        ``E-FORMAT``: another ending; ``E-EXTRA``: a package that it needs is not installed.
    """
    plain, ending = os.path.splitext(os.fspath(path).lower())
    pack = PACKERS.get(ending)
    if pack:
        ending = os.path.splitext(plain)[1]
    if ending not in _WRITERS or (pack and ending == ".parquet"):
        name = os.path.basename(os.fspath(path))
        raise UsageError(
            f"{name}: a parquet file is packed already"
            if ending == ".parquet"
            else f"cannot tell the format from the ending of {name!r}",
            code="E-FORMAT",
            file=path,
            hint=f"name it {ENDINGS}",
        )
    if ending == ".parquet":
        parquet_for(path)
    return partial(_WRITERS[ending], pack=pack)


def open_writer(path: str | os.PathLike, **settings) -> Writer:
    """A writer of the format that the ending of the name asks for.

    Parameters
    ----------
    path : path-like
        ``.extxyz`` or ``.xyz``; ``.dump`` or ``.lammpstrj``; ``.csv``; with ``.gz``, ``.zst`` or ``.bz2`` behind that it is
        packed. ``.parquet``.
    **settings
        See `qsdask.formats.writer.Writer`.

    Returns
    -------
    Writer

    Raises
    ------
    UsageError
        ``E-FORMAT``: another ending; ``E-EXTRA``.
    """
    return writer_for(path)(path, **settings)


def write_extxyz(path, *, identity, species, position, columns=None, species_names, **settings) -> None:
    """Write one frame at once as extended XYZ; see `qsdask.formats.writer.Writer` and its ``write``."""
    _write_all(ExtxyzWriter, path, identity, species, position, columns, species_names, settings)


def write_lammps_dump(path, *, identity, species, position, columns=None, species_names, **settings) -> None:
    """Write one frame at once as LAMMPS dump; see `qsdask.formats.writer.Writer` and its ``write``."""
    _write_all(DumpWriter, path, identity, species, position, columns, species_names, settings)


def _write_all(writer, path, identity, species, position, columns, names, settings):
    columns = {name: np.asarray(values) for name, values in (columns or {}).items()}
    kinds = {name: values.dtype for name, values in columns.items()}
    with writer(path, natoms=len(identity), species=names, columns=kinds, **settings) as out:
        out.write(identity, species, position, columns)
