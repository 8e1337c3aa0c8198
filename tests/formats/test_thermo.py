"""Logs of LAMMPS, averages over time, and tables of text: their columns, and where they are wrong."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from qsdask.errors import BadDataError, NoInputError
from qsdask.formats.thermo import thermo_table

LOG = """LAMMPS (29 Aug 2024)
units  metal   # bar
thermo_style custom step temp pzz
Per MPI rank memory allocation (min/avg/max) = 4.3 | 4.3 | 4.3 Mbytes
   Step          Temp          Pzz
         0   50            1200.5
       100   50.25        -1.5e3
Loop time of 1.2 on 1 procs for 100 steps with 4000 atoms
12 34 of no table
   Step          Temp          Pxx          Pzz
       100   50.25         7           -1500
WARNING: something of no account
       200   50.5          8           2
"""


def written(tmp_path, text, name="table"):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())], ids=["plain", "gzip"])
def test_all_runs_of_a_log_stand_behind_each_other(tmp_path, pack):
    table = thermo_table(written(tmp_path, pack(LOG)))
    assert table.units == "metal"
    assert table.columns["Step"].tolist() == [0, 100, 100, 200]
    assert table.columns["Pzz"].tolist() == [1200.5, -1500, -1500, 2]
    np.testing.assert_array_equal(table.columns["Pxx"], [np.nan, np.nan, 7, 8])


def test_half_a_line_of_a_killed_run_is_no_row(tmp_path):
    assert thermo_table(written(tmp_path, LOG + "       300   50.5          8           2.5")).columns["Step"].size == 4


@pytest.mark.parametrize(
    ("text", "names", "last"),
    [
        ("timestep,stress_zz_gpa\n0,0.5\n2,\n4,1.5\n", ["timestep", "stress_zz_gpa"], 1.5),
        ("strain;sigma\r\n0;0.5\r\n0.1;2\r\n", ["strain", "sigma"], 2.0),
        ("Step\tPzz\n0\t0.5\n10\t7\n", ["Step", "Pzz"], 7.0),
        ("# Time-averaged data for fix av\n# TimeStep c_p[3]\n0 0.5\n10 -7\n", ["TimeStep", "c_p[3]"], -7.0),
        ("\ufeffStep  Pzz\n\n0 0.5\n10 7\n", ["Step", "Pzz"], 7.0),
    ],
)
def test_tables_of_text_are_divided_in_any_way(tmp_path, text, names, last):
    table = thermo_table(written(tmp_path, text))
    assert list(table.columns) == names
    assert table.columns[names[1]][[0, -1]].tolist() == [0.5, last]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "E-HEADER", None),
        ("Step Pzz\n", "E-HEADER", None),
        ("0 1\n2 3\n", "E-HEADER", 1),
        ("Step Pzz\n0 1\n2\n", "E-LINE", 3),
        ("Step Pzz Pzz\n0 1 2\n", "E-HEADER", 1),
        ("Step Pzz\n0 1\n2 x\n", "E-NUMBER", 3),
        ("Step,Pzz\n0,1\n2,inf\n", "E-NUMBER", 3),
        (LOG.replace("8           2", "8           2 9"), "E-LINE", 13),
        (LOG.replace("1200.5", "1,2"), "E-NUMBER", 6),
        ("LAMMPS (29 Aug 2024)\nunits metal\n", "E-HEADER", None),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, code, line):
    with pytest.raises(BadDataError) as refusal:
        thermo_table(written(tmp_path, text))
    assert (refusal.value.code, refusal.value.line) == (code, line)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NoInputError, match="E-NO-FILE"):
        thermo_table(tmp_path / "none")
