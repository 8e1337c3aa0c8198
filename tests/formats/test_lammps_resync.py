"""Behind a bad frame the next good one is found, with all its numbers."""

from __future__ import annotations

import gzip

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.errors import BadDataError
from qsdask.formats.index import index_frames
from qsdask.formats.rows import read_frames

N = 6


def frame(step, head=""):
    rows = "".join(f"{i} 1 {i}.25 {step}.5 {0.125 * i}\n" for i in range(1, N + 1))
    return (
        f"{head}ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{N}\nITEM: BOX BOUNDS pp pp pp\n"
        f"0 100\n0 1000\n0 100\nITEM: ATOMS id type x y z\n{rows}"
    )


def digest_of(step, tmp_path, **options):
    path = tmp_path / "alone.dump"
    path.write_text(frame(step, **options))
    return next(read_frames(index_frames(path)[0])).digest


def survivors(path, block=1 << 18):
    """Good frames and all errors, of index and content."""
    bad = []
    places, warnings = index_frames(path, on_bad=bad.append, block=block)
    good = list(read_frames(places, on_bad=bad.append))
    return good, bad, warnings


BAD = {
    "wrong step": lambda t: t.replace("TIMESTEP\n1", "TIMESTEP\none"),
    "no count": lambda t: t.replace(f"ITEM: NUMBER OF ATOMS\n{N}\n", ""),
    "count too small": lambda t: t.replace(f"ATOMS\n{N}\n", f"ATOMS\n{N - 1}\n"),
    "count too large": lambda t: t.replace(f"ATOMS\n{N}\n", f"ATOMS\n{N + 1}\n"),
    "count absurd": lambda t: t.replace(f"ATOMS\n{N}\n", "ATOMS\n1000000000000\n"),
    "inverted box": lambda t: t.replace("0 1000", "1000 0"),
    "no z": lambda t: t.replace("x y z", "x y c"),
    "an unknown item": lambda t: t.replace("BOX BOUNDS", "BOX BONDS"),
    "half": lambda t: t[: len(t) // 2].rpartition("\n")[0] + "\n",
    "zeros in the header": lambda t: t.replace("BOUNDS pp", "\0\0\0\0\0\0\0\0\0"),
    "zeros for the header": lambda t: "\0" * 90 + "\n" + t[91:],
    "only zeros": lambda t: "\0" * len(t) + "\n",
    "a page of zeros without end": lambda t: t[:150] + "\0" * 70_000 + "\n",
    "header twice": lambda t: "ITEM: TIMESTEP\n1\nITEM: NUMBER OF ATOMS\n" + t.replace("x y z", "x y"),
}


@pytest.mark.parametrize("damage", BAD)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("block", [64, 1 << 18])
def test_good_frames_around_a_bad_one(tmp_path, damage, pack, block):
    path = tmp_path / "in.dump"
    path.write_bytes(pack((frame(0) + BAD[damage](frame(1)) + frame(2) + frame(3)).encode()))
    with pytest.raises(BadDataError) as info:
        index_frames(path, block=block)
    bad = []
    places, warnings = index_frames(path, on_bad=bad.append, block=block)
    assert bad[0].render() == info.value.render()
    assert bad[0].frame == 1
    assert warnings == []
    assert [place.timestep for place in places] == [0, 2, 3]
    if damage != "header twice":
        assert len(bad) == 1
        assert [place.ordinal for place in places] == [0, 2, 3]
    for got in read_frames(places):
        assert got.digest == digest_of(got.timestep, tmp_path)


@pytest.mark.parametrize("head", ["", "ITEM: TIME\n0.5\n", "ITEM: UNITS\nmetal\nITEM: TIME\n0.5\n"])
@pytest.mark.parametrize("block", [64, 1 << 18])
def test_a_killed_run_and_append_at_every_byte(tmp_path, head, block):
    """Cut anywhere, with and without a line end: what was appended is whole, what was cut never counts."""
    path = tmp_path / "in.dump"
    wanted = {step: digest_of(step, tmp_path, head=head) for step in (0, 2, 3)}
    cut = frame(1, head=head)
    for n in range(1, len(cut), 1 if block > 64 else 5):
        for glue in ("", "\n"):
            if glue and n > cut.rindex(" ") + 1:
                continue  # see the next test
            part = cut[:n] + glue
            path.write_text(frame(0, head=head) + part + frame(2, head=head) + frame(3, head=head))
            good, bad, warnings = survivors(path, block)
            assert bad, part
            assert not warnings
            assert {f.timestep: f.digest for f in good} == wanted, part


def test_the_last_number_cut_and_a_line_end_is_all_that_is_not_seen(tmp_path):
    """Kept apart from the above so that it is known: ``0.75`` cut to ``0.7``, then a newline."""
    path = tmp_path / "in.dump"
    path.write_text(frame(0)[:-2] + "\n" + frame(1))
    good, bad, _ = survivors(path)
    assert ([f.timestep for f in good], bad) == ([0, 1], [])


def test_a_cut_last_frame_after_bad_ones(tmp_path):
    path = tmp_path / "in.dump"
    path.write_text(frame(0) + BAD["inverted box"](frame(1)) + frame(2) + frame(3)[:-1])
    good, bad, warnings = survivors(path)
    assert [f.timestep for f in good] == [0, 2]
    assert [error.code for error in bad] == ["E-BOX"]
    assert warnings[0].code == "W-TRUNCATED"
    assert "frame 3 is cut" in warnings[0].text


def test_no_good_frame_at_all(tmp_path):
    path = tmp_path / "in.dump"
    path.write_text(BAD["inverted box"](frame(1)) * 3)
    bad = []
    with pytest.raises(BadDataError, match="E-BOX") as info:
        index_frames(path, on_bad=bad.append)
    assert [error.frame for error in bad] == [0, 1, 2]
    assert info.value is bad[0]


def test_text_between_frames_costs_no_good_frame(tmp_path):
    path = tmp_path / "in.dump"
    path.write_text(frame(0) + "WARNING: lost atoms\nsecond line\n" + frame(1))
    good, bad, _ = survivors(path)
    assert [f.timestep for f in good] == [0, 1]
    assert [error.code for error in bad] == ["E-HEADER"]


#: Each of these is one bad frame wherever it stands; zeros behind a bad frame belong to it.
ONE_EACH = sorted(set(BAD) - {"header twice", "only zeros", "zeros for the header"})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.sampled_from(ONE_EACH)), max_size=8), st.sampled_from([64, 100, 1 << 18]))
def test_any_mixture(tmp_path_factory, damages, block):
    """Every good frame is found, every bad one reported once, ordinals count both."""
    path = tmp_path_factory.mktemp("mixture") / "in.dump"
    parts = [frame(1) if damage is None else BAD[damage](frame(1)) for damage in damages]
    path.write_text(frame(1) + "".join(parts))
    bad = []
    places, warnings = index_frames(path, on_bad=bad.append, block=block)
    assert [place.ordinal for place in places] == [0, *(k for k, d in enumerate(damages, 1) if d is None)]
    assert len(bad) + len(warnings) == sum(map(bool, damages))
    assert {f.digest for f in read_frames(places)} == {digest_of(1, path.parent)}
