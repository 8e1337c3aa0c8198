"""Frames in pieces: the same numbers as the whole frame, with little memory."""

from __future__ import annotations

import bz2
import gzip
import tracemalloc

import numpy as np
import pytest
import zstandard

from qsdask.errors import BadDataError, UsageError
from qsdask.formats.index import index_frames
from qsdask.formats.rows import lines_of_id, read_frames, read_pieces

PACK = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress, "bzip2": bz2.compress}
NAMES = ["Cu", "Zr", "Al", "Ni"]


def frame(step, n, columns="id type element xs ys zs"):
    """In a tilted cell, ids shuffled, names that come late."""
    rng = np.random.default_rng(step)
    ids = rng.permutation(n) + 10
    rows = "".join(
        f"{i} {i % 3 + 1} {NAMES[min(4 * k // n, 3)]} {x!r} {y!r} {z!r}\n"
        for k, (i, (x, y, z)) in enumerate(zip(ids.tolist(), rng.random((n, 3)).tolist(), strict=True))
    )
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS xy xz yz pp ff pp\n"
        f"0 13 2\n-1 9.7 1\n0 8 0.3\nITEM: ATOMS {columns}\n{rows}"
    )


@pytest.fixture
def put(tmp_path):
    def put(text, pack=bytes):
        path = tmp_path / "in.dump"
        path.write_bytes(pack(text.encode()))
        return path

    return put


@pytest.mark.parametrize("container", PACK)
@pytest.mark.parametrize("n_atom", [1, 7, 100, 101, 10**9])
def test_pieces_make_the_frame_bit_by_bit(put, container, n_atom):
    path = put(frame(0, 300) + frame(1, 40) + frame(2, 301), PACK[container])
    places = index_frames(path)[0]
    wanted = [places[0], places[2]]
    lines = (frame(0, 300) + frame(1, 40) + frame(2, 301)).splitlines()
    pieces = list(read_pieces(wanted, n_atom))
    for k, whole in enumerate(read_frames(wanted)):
        mine = [piece for index, piece in pieces if index == k]
        assert [piece.id.size for piece in mine[:-1]] == [min(n_atom, whole.natoms)] * (len(mine) - 1)
        assert len(mine) == -(-whole.natoms // n_atom)
        assert [p.digest for p in mine] == [""] * (len(mine) - 1) + [whole.digest]
        for name in ("id", "position", "type"):
            np.testing.assert_array_equal(
                np.concatenate([getattr(p, name) for p in mine]), getattr(whole, name), strict=True
            )
        names = [p.element.name[c] for p in mine for c in p.element.code]
        assert names == [whole.element.name[c] for c in whole.element.code]
        for p in mine:
            assert p.element.name == tuple(sorted({p.element.name[c] for c in p.element.code}))
            assert lines[p.line - 1].split()[0] == str(p.id[0])
            assert whole.id[p.first] == p.id[0]
            np.testing.assert_array_equal(p.header.cell, whole.cell)
            assert (p.header.timestep, p.header.boundary) == (whole.timestep, whole.boundary)
    assert all(piece.digest == "" for _, piece in read_pieces(wanted, n_atom, digest=False))


@pytest.mark.parametrize("container", PACK)
@pytest.mark.parametrize("n_atom", [999, 10**9])
def test_text_longer_than_a_block(put, container, n_atom):
    n = 12_000
    text = frame(0, n)
    assert len(text) > 3 << 18
    (place,), _ = index_frames(put(text, PACK[container]))
    pieces = [piece for _, piece in read_pieces([place], n_atom)]
    rows = [line.split() for line in text.splitlines()[9:]]
    np.testing.assert_array_equal(np.concatenate([p.id for p in pieces]), [int(row[0]) for row in rows])
    header = pieces[0].header
    fractions = np.array([[float(cell) for cell in row[3:]] for row in rows])
    np.testing.assert_allclose(
        np.concatenate([p.position for p in pieces]), header.origin + fractions @ header.cell, atol=1e-14
    )


def test_pieces_need_little_memory(put):
    text = frame(0, 100_000)
    places, _ = index_frames(put(text))
    list(read_pieces(places, 1000))
    tracemalloc.start()
    for _ in read_pieces(places, 1000):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.7 * len(text)  # 2 MB are scratch memory of the parser


@pytest.mark.parametrize("n_atom", [1, 7, 1000])
@pytest.mark.parametrize("row", [0, 6, 7, 299])
def test_errors_name_the_true_line(put, n_atom, row):
    lines = frame(5, 300).splitlines()
    cells = lines[9 + row].split()
    lines[9 + row] = " ".join([*cells[:4], "nan", cells[5]])
    path = put(frame(0, 10) + "\n".join(lines) + "\n")
    places, _ = index_frames(path)
    with pytest.raises(BadDataError, match="E-NUMBER: column 'ys'") as info:
        list(read_pieces(places, n_atom))
    assert (info.value.frame, info.value.timestep, info.value.line) == (1, 5, 19 + 10 + row)


def test_an_id_that_stands_twice(put):
    """Within a piece it is refused; across pieces the caller is told where to look."""
    lines = frame(0, 300).splitlines()
    lines[9 + 250] = lines[9 + 20]
    path = put(frame(1, 10) + "\n".join(lines) + "\n")
    place = index_frames(path)[0][1]
    twice = int(lines[9 + 20].split()[0])
    with pytest.raises(BadDataError, match=rf"E-DUP-ID: atom id {twice} .*line 49\)") as info:
        list(read_pieces([place], 300))
    assert info.value.line == 279
    assert sum((piece.id == twice).sum() for _, piece in read_pieces([place], 200)) == 2
    assert lines_of_id(place, twice) == [49, 279]
    assert lines_of_id(place, 10**6) == []
    assert len(lines_of_id(place, 300)) == 1  # the number of atoms in the header is no id


def test_counted_ids_go_on_from_piece_to_piece(put):
    path = put(frame(0, 30, columns="tag type element xs ys zs"))
    places, _ = index_frames(path)
    ids = np.concatenate([piece.id for _, piece in read_pieces(places, 7)])
    np.testing.assert_array_equal(ids, np.arange(1, 31))


def test_bad_content_is_reported_and_left_out(put):
    texts = [frame(step, 50) for step in range(5)]
    texts[1] = texts[1].replace(" Zr ", " Zr nan", 1)
    texts[3] = texts[3].replace("\n12 ", "\n11 ", 1)
    path = put("".join(texts))
    places, _ = index_frames(path)
    alone = []
    for place in (places[1], places[3]):
        with pytest.raises(BadDataError) as info:
            list(read_frames([place]))
        alone.append(info.value)
    bad = []
    got = list(read_frames(places, on_bad=bad.append))
    assert [f.timestep for f in got] == [0, 2, 4]
    assert [error.code for error in bad] == ["E-NUMBER", "E-DUP-ID"]
    assert [error.render() for error in bad] == [error.render() for error in alone]
    for f in got:
        (whole,) = read_frames([places[f.timestep]])
        assert whole.digest == f.digest


def test_a_file_that_changed_is_an_error_even_where_bad_frames_are_left_out(put):
    path = put(frame(0, 50) + frame(1, 50))
    places, _ = index_frames(path)
    put((frame(0, 50) + frame(1, 50))[:-100])
    bad = []
    with pytest.raises(BadDataError, match="E-CHANGED") as info:
        list(read_frames(places, on_bad=bad.append))
    assert (info.value.frame, bad) == (1, [])


def test_pieces_need_atoms(put):
    with pytest.raises(UsageError, match="pieces of 0 atoms"):
        list(read_pieces(index_frames(put(frame(0, 5)))[0], 0))
