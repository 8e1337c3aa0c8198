"""Lengths of every unit style: kept in sigma, or converted to angstrom where they are read."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.formats.opening import open_trajectory
from qsdask.formats.write import open_writer
from qsdask.units import LENGTH_UNITS, length_in, renamed, scale_of, stored_length, symbol, told_in

#: Angstrom in the unit of length of each style, from its definition; sigma has none.
FACTOR = {"lj": 1, "real": 1, "metal": 1, "si": 1e10, "cgs": 1e8, "electron": 0.529177210903, "micro": 1e4, "nano": 10}


def test_the_styles_are_those_of_lammps():
    assert {style: scale_of(style) for style in LENGTH_UNITS} == FACTOR
    assert [style for style in LENGTH_UNITS if stored_length(style) == "sigma"] == ["lj"]
    assert (length_in(None), scale_of(None), stored_length(None)) == ("angstrom", 1.0, "angstrom")
    assert [symbol(unit) for unit in ("angstrom", "sigma")] == ["Å", "σ"]
    assert told_in("angstrom^2", "sigma") == "sigma^2"
    assert renamed("threshold_angstrom2", "sigma") == "threshold_sigma2"
    assert renamed("cutoff_angstrom", "sigma") == "cutoff_sigma"
    assert renamed("angstrom", "sigma") == "angstrom"


def dump(style: str, columns: str, named: bool, tilt: bool = False) -> str:
    """Two atoms at (1, 2, 3) and (4, 5, 6) angstrom in a box from (0, 1, 2) to (10, 11, 12), in the unit of a style."""
    f = FACTOR[style]
    corner, edge = np.array([0.0, 1.0, 2.0]), 10.0
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    bounds = "".join(f"{a / f:.17g} {(a + edge) / f:.17g}{' 0' * tilt}\n" for a in corner)
    place = (x - corner) / edge if "xs" in columns.split()[2] else x / f
    rows = "".join(f"{i} 1 " + " ".join(f"{v:.17g}" for v in p) + "\n" for i, p in enumerate(place, start=1))
    head = f"ITEM: UNITS\n{style}\n" if named else ""
    return (
        f"{head}ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS {'xy xz yz ' * tilt}pp pp pp\n{bounds}"
        f"ITEM: ATOMS {columns}\n{rows}"
    )


@pytest.mark.parametrize("columns", ["id type x y z", "id type xu yu zu", "id type xs ys zs"])
@pytest.mark.parametrize("style", FACTOR)
def test_box_and_places_are_in_the_unit_of_stores(style, columns, tmp_path):
    for named, tilt in ((True, False), (False, False), (True, True)):
        file = tmp_path / "in.dump"
        file.write_text(
            dump(style, columns, named, tilt) + dump(style, columns, False, tilt).replace("STEP\n0", "STEP\n1")
        )
        source = open_trajectory(file, units=None if named else style)
        assert source.units == style
        for frame, place in zip(source.read(), source.frames, strict=True):
            np.testing.assert_allclose(frame.position, [[1, 2, 3], [4, 5, 6]], rtol=1e-13)
            np.testing.assert_allclose(frame.cell, np.eye(3) * 10, rtol=1e-13)
            np.testing.assert_array_equal(np.array(place.cell), frame.cell)
            np.testing.assert_allclose(frame.origin, [0, 1, 2], rtol=1e-13)
        (_, piece), *_ = source.pieces([0], 1)
        np.testing.assert_allclose(piece.position, [[1, 2, 3]], rtol=1e-13)


def test_the_step_of_rounding_is_converted_too(tmp_path):
    (tmp_path / "in.dump").write_text(dump("nano", "id type x y z", True).replace("0.5 0.59999999999999998", "0.5 0.6"))
    text = (
        (tmp_path / "in.dump")
        .read_text()
        .replace("0.10000000000000001 0.20000000000000001 0.29999999999999999", "0.1 0.2 0.3")
    )
    (tmp_path / "in.dump").write_text(text.replace("0.40000000000000002", "0.4"))
    assert next(open_trajectory(tmp_path / "in.dump").read()).resolution == pytest.approx(1.0)


@pytest.mark.parametrize(("given", "written"), [("lj", "metal"), ("metal", "lj"), ("si", "cgs")])
def test_the_file_is_not_contradicted(given, written, tmp_path):
    (tmp_path / "in.dump").write_text(dump(written, "id type x y z", True))
    with pytest.raises(BadDataError, match=f"E-UNITS: the units given are '{given}', the file says '{written}'"):
        open_trajectory(tmp_path / "in.dump", units=given)


def test_a_box_of_no_thickness_names_the_unit_and_the_way_on(tmp_path):
    (tmp_path / "in.dump").write_text(dump("si", "id type x y z", False))
    with pytest.raises(
        BadDataError, match=r"(?s)E-BOX: the box is 1e-09 angstrom thick.*metal units, --units names others"
    ):
        open_trajectory(tmp_path / "in.dump")


@pytest.mark.parametrize("ending", ["dump", "extxyz"])
def test_what_is_written_in_sigma_says_so(ending, tmp_path):
    position = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    settings = {
        "natoms": 2,
        "cell": np.eye(3) * 9,
        "origin": np.zeros(3),
        "periodic": np.ones(3, bool),
        "species": ["A1"],
    }
    for units in ("lj", None):
        file = tmp_path / f"{units}.{ending}"
        with open_writer(file, **settings, units=units) as out:
            out.write(np.array([1, 2]), np.zeros(2, int), position)
        source = open_trajectory(file)
        assert source.units == units
        frame = next(source.read())
        np.testing.assert_array_equal(frame.position, position)
        assert frame.element.name == ("A1",)


def test_extended_xyz_has_the_unit_that_is_told(tmp_path):
    text = '2\nLattice="1 0 0 0 1 0 0 0 1" Origin="0.1 0 0" pbc="T T T" units=eV\nCu 0.1 0.2 0.3\nCu 0.4 0.5 0.6\n'
    (tmp_path / "in.extxyz").write_text(text)
    frame = next(open_trajectory(tmp_path / "in.extxyz", units="nano").read())
    np.testing.assert_allclose(frame.position, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(frame.cell, np.eye(3) * 10)
    np.testing.assert_allclose(frame.origin, [1, 0, 0])
    assert open_trajectory(tmp_path / "in.extxyz").units is None
