"""Formats that are known and not read: what each is called, and how it becomes one that is."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from qsdask.errors import BadDataError

__all__ = ["READ", "UNREAD", "Unread", "refuse_unread"]

#: What to give instead of a file of no known format.
READ = (
    "give a trajectory: a LAMMPS dump or data file, GSD; or by the ending of its name .extxyz, .xyz, XDATCAR, POSCAR, .cif, or what "
    "MDAnalysis reads (.dcd, .xtc, .nc, with --topology); 'qsdask docs your-dump'"
)

_TRAJECTORY = "give the trajectory itself: a LAMMPS dump, extended XYZ or another of 'qsdask docs your-dump'"
_OVITO = "open it in OVITO and export a LAMMPS dump with identifier, type and position"


class Unread(NamedTuple):
    """A format that is not read.

    Attributes
    ----------
    what : str
        Its name.
    begins : bytes
        Regular expression for how such a file begins, searched in its first 4096 bytes.
    hint : str
        How to convert it; ``{file}`` is the file.
    why : str or None
        Why it is not read.
    topology : bool
        Refused also where a topology is given beside it.
    """

    what: str
    begins: bytes
    hint: str
    why: str | None = None
    topology: bool = False


#: The first that matches counts.
UNREAD = (
    Unread(
        "a LAMMPS dump of style local",
        rb"\A(?:.*\n)*?ITEM: (?:NUMBER OF ENTRIES|ENTRIES)",
        "dump the atoms: 'dump 1 all custom N file id type x y z'",
        "it holds bonds, pairs or the like, not atoms",
    ),
    Unread(
        "a LAMMPS dump of style grid",
        rb"\A(?:.*\n)*?ITEM: GRID",
        "dump the atoms: 'dump 1 all custom N file id type x y z'",
        "it holds the cells of a grid, not atoms",
    ),
    Unread(
        "a LAMMPS restart file",
        rb"\ALammpS RestartT",
        "'lmp -restart2data {file} glass.data' makes a data file of it",
        "its form changes with every version of LAMMPS",
    ),
    Unread("a log of LAMMPS", rb"\ALAMMPS \(\d", "give the dump that this run wrote"),
    Unread(
        "a LAMMPS dump of style netcdf",
        rb"\A(?:CDF[\x01\x02\x05]|\x89HDF)[\s\S]*LAMMPS",
        f"dump with style custom instead; or {_OVITO}",
        "its atoms change their order from frame to frame, and MDAnalysis does not read their ids",
        topology=True,
    ),
    Unread(
        "netCDF",
        rb"\ACDF[\x01\x02\x05]",
        f"if it is a trajectory of AMBER, give the topology beside it with --topology; else {_OVITO}",
        "it does not name its atoms",
    ),
    Unread(
        "HDF5, which is H5MD, netCDF-4 or something else",
        rb"\A\x89HDF",
        f"if it is H5MD, give the topology beside it with --topology; else {_OVITO}",
        "it does not name its atoms",
    ),
    Unread("a trajectory of ASE", rb"\A- of UlmASE-Traj", "'ase convert {file} run.extxyz' makes extended XYZ of it"),
    Unread(
        "a configuration of RMC, version 3",
        rb"\A\s*\(Version 3",
        "'data2config -rmc6f {file}' of RMCProfile converts it",
    ),
    Unread("a configuration of MLIP", rb"\A\s*BEGIN_CFG", "write extended XYZ or a LAMMPS dump with ids instead"),
    Unread("VTK", rb"\A(?:# vtk DataFile|<\?xml[^>]*>\s*<VTKFile|<VTKFile)", "dump with style custom instead"),
    Unread(
        "output of VASP",
        rb"\A(?:\s*<\?xml[^>]*>\s*<modeling>|\s*vasp\.\d)",
        "give the XDATCAR of this run; or 'ase convert {file} run.extxyz'",
    ),
    Unread("IMD", rb"\A#F [AB] ", _OVITO),
    Unread("a picture", rb"\A(?:\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0{4}|RIFF.{4}WEBP|II\*\0|MM\0\*)", _TRAJECTORY),
    Unread("a document", rb"\A(?:%PDF-|%!PS|\{\\rtf|\xd0\xcf\x11\xe0)", _TRAJECTORY),
    Unread("a program", rb"\A(?:\x7fELF|MZ|\xfe\xed\xfa|#!/)", _TRAJECTORY),
    Unread("a table of Parquet", rb"\APAR1", "write it as extended XYZ or a LAMMPS dump, which have the cell too"),
    Unread("a pickle of Python, which could run code", rb"\A\x80[\x02-\x05]", "write extended XYZ or a LAMMPS dump"),
    Unread("a session of OVITO", rb"\AOVIT", "export a LAMMPS dump with identifier, type and position from it"),
    Unread("an array of NumPy", rb"\A\x93NUMPY", "write it as extended XYZ, which has the cell and the species too"),
    Unread(
        "YAML, but not a LAMMPS dump of style yaml",
        rb"\A---[ \t]*\r?\n(?!creator: LAMMPS)",
        "dump with style custom or yaml",
        "such a dump begins with '---' and 'creator: LAMMPS'",
    ),
)


def refuse_unread(path: str | os.PathLike, head: bytes, *, topology: bool = False) -> None:
    """Refuse a file of a format that is known and not read.

    Parameters
    ----------
    path : path-like
    head : bytes
        How it begins.
    topology : bool
        A topology is given beside it.

    Raises
    ------
    BadDataError
        ``E-FORMAT`` with the name of the format and the way to convert it.
    """
    for form in UNREAD:
        if (form.topology or not topology) and re.search(form.begins, head):
            raise BadDataError(
                f"the file is {form.what}, which is not read",
                code="E-FORMAT",
                file=path,
                why=form.why,
                hint=form.hint.format(file=os.path.basename(os.fspath(path))),
            )
