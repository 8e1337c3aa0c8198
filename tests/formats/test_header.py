"""Headers of dumps: what LAMMPS writes and nothing else; the line of the first fault is named."""

from __future__ import annotations

import warnings

import pytest

from qsdask.errors import BadDataError
from qsdask.formats.header import check_opening, parse_header
from qsdask.units import LENGTH_UNITS

HEADER = (
    b"ITEM: UNITS\nmetal\nITEM: TIME\n0.5\nITEM: TIMESTEP\n7\nITEM: NUMBER OF ATOMS\n4\n"
    b"ITEM: BOX BOUNDS pp ff fs\n0 10\n0 10\n0 10\nITEM: ATOMS id type x y z\n"
)


def parsed(text: bytes):
    lines = [line + b"\n" for line in text.removesuffix(b"\n").split(b"\n")]
    return parse_header(lines, path="in.dump", frame=0, line=1, boundary=None)


def test_what_lammps_writes():
    header = parsed(HEADER)
    assert (header.units, header.time, header.timestep, header.natoms) == ("metal", 0.5, 7, 4)
    assert header.boundary == ("pp", "ff", "fs")
    assert header.columns == ("id", "type", "x", "y", "z")


@pytest.mark.parametrize(
    "changed",
    [
        HEADER.replace(b"\n", b"\r\n"),
        HEADER.replace(b"\n", b" \t\n"),
        HEADER.replace(b"ITEM:", b" \tITEM:"),
        HEADER.replace(b"0 10", b"\t0  10"),
        HEADER.replace(b"pp ff fs", b"pp\tff \t fs"),
    ],
)
def test_blanks_and_tabs_around_and_one_carriage_return_at_the_end(changed):
    assert parsed(changed).columns == parsed(HEADER).columns
    assert parsed(changed).boundary == ("pp", "ff", "fs")


@pytest.mark.parametrize("byte", [b"\x0b", b"\x0c", b"\x1c", b"\r", b"\x1b"])
@pytest.mark.parametrize(
    ("old", "line"), [(b"metal", 2), (b"0.5", 4), (b"OF ATOMS", 7), (b"0 10\nITEM", 12), (b"id type", 13)]
)
def test_a_control_character_is_no_blank(byte, old, line):
    for new in (byte + old, old.replace(b" ", byte, 1)):
        if new != old:
            with pytest.raises(BadDataError, match="E-HEADER") as refusal:
                parsed(HEADER.replace(old, new))
            assert refusal.value.line == line


@pytest.mark.parametrize(("old", "line"), [(b"etal", 2), (b"MBER", 7), (b"p ff", 9), (b"ype", 13)])
def test_binary_zeros(old, line):
    with pytest.raises(BadDataError, match="E-NUL") as refusal:
        parsed(HEADER.replace(old, b"\0" + old))
    assert refusal.value.line == line


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"ITEM: UNITS", b"ITEM:UNITS", 1),
        (b"ITEM: TIMESTEP", b"ITEM:  TIMESTEP", 5),
        (b"ITEM: TIMESTEP", b"ITEM: TIMESTEPS", 5),
        (b"ITEM: NUMBER", b"ITEM:NUMBER", 7),
        (b"NUMBER OF ATOMS", b"NUMBER  OF ATOMS", 7),
        (b"NUMBER OF ATOMS", b"NUMBER OF ATOMS more", 7),
        (b"TIMESTEP", b"TIMESTEP 7", 5),
        (b"ITEM: BOX", b"ITEM:  BOX", 9),
        (b"BOX BOUNDS", b"BOX\tBOUNDS", 9),
        (b"ITEM: ATOMS", b"ITEM:\tATOMS", 13),
        (b"ITEM: ATOMS", b"ITEM:ATOMS", 13),
        (b"ITEM: ATOMS", b"ITEM: ATOMS,", 13),
        (b"ITEM: ATOMS", b"TEM: ATOMS", 13),
    ],
)
def test_items_are_written_in_one_way(old, new, line):
    with pytest.raises(BadDataError, match="E-HEADER") as refusal:
        parsed(HEADER.replace(old, new))
    assert refusal.value.line == line


@pytest.mark.parametrize("flags", [b"pp s pp", b"p p p", b"ppp", b"p, pp pp", b"pp pf pp", b"pp PP pp"])
def test_boundaries_have_two_letters_per_axis(flags):
    with pytest.raises(BadDataError, match="E-BOX") as refusal:
        parsed(HEADER.replace(b"pp ff fs", flags))
    assert refusal.value.line == 9


def test_unit_styles_are_those_of_lammps():
    for style in LENGTH_UNITS:
        # A box of ten metres is none of atoms.
        small = HEADER.replace(b"0 10\n", b"0 1e-7\n") if style in ("si", "cgs") else HEADER
        assert parsed(small.replace(b"metal", style.encode())).units == style
    for style in (b"metl", b"Metal", b"", b"metal real"):
        with pytest.raises(BadDataError, match="E-UNITS") as refusal:
            parsed(HEADER.replace(b"metal", style))
        assert refusal.value.line == 2


@pytest.mark.parametrize(
    "box",
    [
        (b"", b"-1.7e308 1.7e308\n0 1\n0 1"),
        (b"", b"0 1e300\n0 1e300\n0 1e300"),
        (b"xy xz yz ", b"0 1e308 1.7e308\n0 1 -1.7e308\n0 1 1.7e308"),
        (b"abc origin ", b"1e300 0 0 0\n0 1e300 0 0\n0 0 1e300 0"),
    ],
)
def test_a_box_beyond_all_measure_is_refused_without_a_warning(box):
    title, bounds = box
    text = HEADER.replace(b"BOUNDS ", b"BOUNDS " + title).replace(b"0 10\n0 10\n0 10", bounds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadDataError, match="E-BOX"):
            parsed(text)


def test_a_cut_header_is_one_as_far_as_it_goes():
    lines = HEADER.splitlines(keepends=True)
    for n in range(len(lines)):
        check_opening(lines[:n], path="in.dump", frame=3, line=1)
    for bad in (b"ITEM: ATNMS id\n", b"1 1 0.5 0.5 0.5\n", b"ITEM: TIMESTEP\n", b"ITEM: BOX BOUNDS\0\n"):
        with pytest.raises(BadDataError, match=r"E-HEADER|E-NUL") as refusal:
            check_opening([*lines[:12], bad], path="in.dump", frame=3, line=1)
        assert (refusal.value.line, refusal.value.frame) == (13, 3)
    with pytest.raises(BadDataError, match="E-HEADER") as refusal:
        check_opening([*lines[:5], lines[6]], path="in.dump", frame=3, line=1)
    assert refusal.value.line == 5
