"""Formats that are known and not read are named, with the way to convert them; clusters in extended XYZ are read."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.formats import open_trajectory
from qsdask.formats.unread import UNREAD

BOX = b"ITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n"
HEADS = {
    "a LAMMPS dump of style local": b"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ENTRIES\n9\n" + BOX + b"ITEM: ENTRIES index\n",
    "a LAMMPS dump of style grid": b"ITEM: UNITS\nmetal\nITEM: TIMESTEP\n0\n"
    + BOX
    + b"ITEM: DIMENSION\n3\nITEM: GRID SIZE\n4 4 4\n",
    "a LAMMPS restart file": b"LammpS RestartT\0\1\0\0\0" + bytes(100),
    "a log of LAMMPS": b"LAMMPS (22 Jul 2025)\nunits metal\n",
    "a LAMMPS dump of style netcdf": b"CDF\x02\0\0\0\1" + b"\0\0\0\7program\0\0\0\0\2\0\0\0\6LAMMPS" + bytes(200),
    "netCDF": b"CDF\x01\0\0\0\1" + bytes(200),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(200),
    "a trajectory of ASE": b"- of UlmASE-Trajectory  " + bytes(100),
    "a configuration of RMC, version 3": b" (Version 3 format configuration file)\n",
    "a configuration of MLIP": b"BEGIN_CFG\n Size\n  2\n",
    "VTK": b"# vtk DataFile Version 3.0\n",
    "output of VASP": b"<?xml version='1.0'?>\n<modeling>\n",
    "IMD": b"#F A 1 1 1 3 0 0\n",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a document": b"%PDF-1.7\n",
    "a program": b"\x7fELF\x02\x01\x01" + bytes(100),
    "a table of Parquet": b"PAR1" + bytes(100),
    "a pickle of Python, which could run code": b"\x80\x04\x95" + bytes(100),
    "a session of OVITO": b"OVITO" + bytes(10),
    "an array of NumPy": b"\x93NUMPY\1\0",
    "YAML": b"---\nkeywords: ['Step', 'Temp']\ndata:\n",
}


def test_every_format_has_an_example():
    assert len(HEADS) == len(UNREAD)


@pytest.mark.parametrize("what", HEADS)
@pytest.mark.parametrize("name", ["input", "input.nc", "input.cfg"])
def test_a_format_that_is_not_read_is_named(tmp_path, what, name):
    path = tmp_path / name
    path.write_bytes(HEADS[what])
    with pytest.raises(BadDataError, match=rf"(?s)E-FORMAT: the file is {what}.*which is not read.*try ") as caught:
        open_trajectory(path, boundary="ppp")
    assert caught.value.exit_status == 65


def test_netcdf_of_lammps_is_refused_with_a_topology_too(tmp_path):
    path = tmp_path / "run.nc"
    path.write_bytes(HEADS["a LAMMPS dump of style netcdf"])
    (tmp_path / "glass.data").write_text("")
    with pytest.raises(BadDataError, match="E-FORMAT: the file is a LAMMPS dump of style netcdf"):
        open_trajectory(path, topology=tmp_path / "glass.data", boundary="ppp")


CLUSTER = "3\n{head}Properties=species:S:1:pos:R:3\nCu 0.25 0.5 0.125\nZr 3 0 0\nCu 0 3 1.5\n"


@pytest.mark.parametrize("head", ['pbc="F F F" ', ""])
@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz"])
@pytest.mark.parametrize("boundary", [None, "fff"])
def test_extended_xyz_without_lattice_is_a_cluster(tmp_path, head, name, boundary):
    pytest.importorskip("ase")
    path = tmp_path / name
    path.write_text(CLUSTER.format(head=head))
    (got,) = open_trajectory(path, boundary=boundary).read()
    assert got.boundary == ("ff", "ff", "ff")
    np.testing.assert_array_equal(got.position, [[0.25, 0.5, 0.125], [3, 0, 0], [0, 3, 1.5]])
    np.testing.assert_array_equal(got.origin, [0, 0, 0])
    np.testing.assert_array_equal(got.cell, np.diag([3.0, 3.0, 1.5]))


def test_a_cluster_with_a_period_needs_a_box(tmp_path):
    pytest.importorskip("ase")
    path = tmp_path / "a.xyz"
    path.write_text(CLUSTER.format(head='pbc="T T T" '))
    with pytest.raises(BadDataError, match="E-BOX: the frame has no box"):
        list(open_trajectory(path).read())
    path.write_text(CLUSTER.format(head=""))
    with pytest.raises(BadDataError, match="E-BOX: the frame has no box"):
        list(open_trajectory(path, boundary="ppp").read())
