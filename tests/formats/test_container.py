"""Packed text: told by content, read to its end or not at all, and files that change."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import subprocess
from functools import partial

import numpy as np
import pytest
import zstandard

from qsdask.errors import BadDataError, NoInputError
from qsdask.formats import open_trajectory
from qsdask.formats.compression import CONTAINERS
from qsdask.formats.container import TextFile, TextStream, refuse_changed, sniff, stamp
from qsdask.formats.index import index_frames
from qsdask.formats.rows import read_frames
from qsdask.kernels.words import PADDING

PACK = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bzip2": partial(bz2.compress, compresslevel=1),  # blocks of 100 kB
}
PACKED = sorted(set(PACK) - {"plain"})
CODE = {"gzip": "E-GZIP", "zstd": "E-ZSTD", "bzip2": "E-BZIP2"}


def frame(step, n=9000):
    """Text that does not compress well, so that damage in the middle of the file is in the middle of it."""
    rng = np.random.default_rng(step)
    rows = "".join(f"{i} 1 {x:.5f} {y:.5f} {z:.5f}\n" for i, (x, y, z) in enumerate(rng.random((n, 3)) * 10))
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS pp pp pp\n0 10\n0 10\n0 10\n"
        f"ITEM: ATOMS id type x y z\n{rows}"
    ).encode()


@pytest.fixture
def put(tmp_path):
    def put(data):
        path = tmp_path / "text"
        path.write_bytes(data)
        return path

    return put


@pytest.mark.parametrize("container", PACK)
def test_told_by_content(put, container):
    path = put(PACK[container](frame(3)))
    name, head = sniff(path)
    assert name == container
    assert head == frame(3)[:4096]
    (got,) = open_trajectory(path).read()
    (plain,) = open_trajectory(put(frame(3))).read()
    assert got.digest == plain.digest
    np.testing.assert_array_equal(got.position, plain.position)


@pytest.mark.parametrize("container", PACKED)
def test_streams_one_after_the_other(put, container):
    path = put(b"".join(PACK[container](frame(step)) for step in range(3)))
    assert [f.timestep for f in open_trajectory(path).read()] == [0, 1, 2]


def test_zstd_with_a_skippable_frame_first(put):
    path = put(b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + PACK["zstd"](frame(0)))
    assert sniff(path)[0] == "zstd"
    assert len(open_trajectory(path)) == 1


@pytest.mark.parametrize("container", PACKED)
@pytest.mark.parametrize("cut", [-200000, "in another stream"])
def test_a_cut_names_the_last_whole_frame_and_how_to_keep_it(put, tmp_path, container, cut):
    pack = PACK[container]
    data = pack(frame(0) + frame(1)) + pack(frame(2))[:-9]
    if cut != "in another stream":
        data = pack(frame(0) + frame(1) + frame(2) + frame(3))[:cut]
    path = put(data)
    with pytest.raises(BadDataError, match=rf"{CODE[container]}: the {container} file is cut") as info:
        open_trajectory(path)
    error = info.value
    assert f"frame {error.frame} is the last whole one" in error.message
    reported = []
    frames, _ = index_frames(path, on_bad=reported.append)
    assert [e.render() for e in reported] == [error.render()]
    assert [place.ordinal for place in frames] == list(range(error.frame + 1))
    for got in read_frames(frames):
        (whole,) = open_trajectory(_plain(tmp_path, frame(got.timestep))).read()
        assert got.digest == whole.digest
    command = error.hint.partition(": ")[2].replace("FILE", str(path)).replace("whole.dump", f"{path}2")
    if shutil.which(command.split()[0]):
        subprocess.run(command, shell=True, capture_output=True, check=False)
        # The bzip2 command drops some text before the cut that can still be read.
        assert len(open_trajectory(f"{path}2")) in {error.frame + 1, error.frame + (container != "bzip2")}


@pytest.mark.parametrize("container", PACKED)
@pytest.mark.parametrize("byte", [-150000, -5])
def test_no_frame_of_a_damaged_file_is_trusted(put, container, byte):
    """The check sum stands at the end: until there, wrong text may have passed for right."""
    path = put(_changed(PACK[container](frame(0) + frame(1) + frame(2) + frame(3)), byte))
    for on_bad in (None, [].append):
        with pytest.raises(BadDataError, match=rf"{CODE[container]}: the {container} file is damaged"):
            index_frames(path, on_bad=on_bad)


@pytest.mark.parametrize("container", sorted(set(PACKED) - {"gzip"}))
def test_something_behind_the_last_stream_is_damage(put, container):
    path = put(PACK[container](frame(0)) + b"something")
    with pytest.raises(BadDataError, match=rf"{CODE[container]}: .* is damaged.*frame 0 is the last whole one"):
        open_trajectory(path)


def _changed(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _plain(folder, data):
    path = folder / "plain"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("container", PACKED)
def test_every_cut_is_noticed(put, container):
    data = PACK[container](frame(0, 30) + frame(1, 30))
    for cut in range(8, len(data)):
        with pytest.raises(BadDataError, match=CODE[container]):
            open_trajectory(put(data[:cut]))


@pytest.mark.parametrize("container", PACKED)
def test_bomb_is_refused(put, container):
    """Text of one line without end."""
    with pytest.raises(BadDataError, match=r"E-FORMAT: a line is longer|E-NUL"):
        open_trajectory(put(PACK[container](b"ITEM: TIMESTEP\n" + b"0" * 60_000_000)))


@pytest.mark.parametrize("name", ["zstd", "bzip2"])
def test_little_is_unpacked_at_a_time(put, name):
    """However well it is packed; the text is that of the whole file."""
    (container,) = (c for c in CONTAINERS if c.name == name)
    text = frame(0) + bytes(5_000_000) + frame(1)
    file = container.open(put(PACK[name](text) + PACK[name](b"") + PACK[name](b"more")))
    parts = list(iter(lambda: file.read1(1 << 16), b""))
    file.close()
    assert b"".join(parts) == text + b"more"
    assert max(map(len, parts)) <= 1 << 17


@pytest.mark.parametrize("container", PACK)
@pytest.mark.parametrize("size", [100, 1000, 1 << 18])
def test_blocks_are_whole_lines_of_the_stretch(put, container, size):
    data = frame(0, 300)
    lines = data.splitlines(keepends=True)
    first = sum(map(len, lines[:20]))
    second = sum(map(len, lines[:200]))
    with TextFile(put(PACK[container](data))) as file:
        for begin, end in ((first, second), (second, len(data) - 3)):
            blocks = [block[:-PADDING].tobytes() for block in file.blocks(begin, end - begin, size)]
            assert b"".join(blocks) == data[begin:end]
            assert all(block.endswith(b"\n") for block in blocks[:-1])
            assert max(map(len, blocks)) <= size


def test_stretch_beyond_the_end(put):
    with TextFile(put(b"abc\n")) as file, pytest.raises(BadDataError, match="E-CHANGED: the file is shorter"):
        list(file.blocks(2, 10))


@pytest.mark.parametrize("block", [64, 100, 1 << 18])
def test_stream_goes_back_and_keeps_count(put, block):
    data = b"".join(b"line %d\n" % k for k in range(300)) + b"end"
    with TextStream(put(data), block) as stream:
        stream.skip(250)
        place = stream.offset, stream.line
        line = stream.readline()
        assert line == b"line 250\n"
        for _ in range(3):
            stream.readline()
        assert stream.behind(place[0]) == data[place[0] : stream.offset]
        stream.back_to(place[0])
        assert (stream.offset, stream.line, stream.readline()) == (*place, line)
        while stream.readline():
            pass
        assert stream.offset == len(data)
        stream.back_to(place[0])
        assert (stream.offset, stream.line) == place
        assert [stream.readline() for _ in range(52)][-2:] == [b"end", b""]


def test_a_file_that_changed_is_refused(put, tmp_path):
    path = put(b"abc")
    before = stamp(path)
    refuse_changed(path, before)
    with open(path, "ab") as file:
        file.write(b"d")
    with pytest.raises(BadDataError, match=r"E-CHANGED: the input changed while it was read: it has 4 bytes"):
        refuse_changed(path, before)
    before = stamp(path)
    os.utime(path, ns=(0, before[1] + 1))
    with pytest.raises(BadDataError, match=r"E-CHANGED: .*it was written again"):
        refuse_changed(path, before)
    os.remove(path)
    with pytest.raises(NoInputError, match="E-NO-FILE"):
        refuse_changed(path, before)
