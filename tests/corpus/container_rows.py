"""Rows A5, A20 and A21: compressed files, files that are no dumps, and hostile ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

from tests.corpus.case import ANY_LINE, Case, read, refuse, warn
from tests.corpus.edit import HEADER, replaced, token
from tests.corpus.glass import NAMES, glass, text

__all__ = ["add_all"]

FRAMES = glass()
PARTS = [text(frame) for frame in FRAMES]
WHOLE = "".join(PARTS).encode()


def add_all(make) -> None:
    """All cases of these rows."""
    _gzip(make)
    _other_containers(make)
    _no_dumps(make)
    _hostile(make)


def _packed(data):
    return gzip.compress(data, mtime=0)


def _flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def _gzip(make):
    packed, due = _packed(WHOLE), refuse("E-GZIP")
    make.add("A5-gzip", packed, read(FRAMES), file="in.dump.gz")
    make.add("A5-gzip-in-members", b"".join(_packed(p.encode()) for p in PARTS), read(FRAMES), file="in.dump.gz")
    make.add("A5-gzip-without-its-name", packed, read(FRAMES), policy=True)
    make.add("A5-plain-named-gz", WHOLE, read(FRAMES), file="in.dump.gz", policy=True)
    make.add("A5-gzip-cut", packed[: len(packed) * 2 // 3], due, file="in.dump.gz")
    make.add("A5-gzip-cut-in-its-header", packed[:7], due, file="in.dump.gz")
    make.add("A5-gzip-without-checksum", packed[:-8], due, file="in.dump.gz")
    make.add("A5-gzip-wrong-checksum", _flipped(packed, len(packed) - 6), due, file="in.dump.gz")
    make.add(
        "A5-gzip-bit-flipped",
        _flipped(packed, len(packed) // 2),
        refuse("E-GZIP", "E-NUMBER", "E-LINE"),
        file="in.dump.gz",
    )
    make.add("A5-gzip-second-member-cut", _packed(WHOLE) + _packed(WHOLE)[:40], due, file="in.dump.gz")
    make.add("A5-gzip-garbage-behind", packed + b"and more", due, file="in.dump.gz")
    make.add("A5-gzip-of-a-cut-dump", _packed(WHOLE[:-1] + b"9"), warn("W-TRUNCATED", FRAMES[:2]), file="in.dump.gz")


def _other_containers(make):
    packed = bz2.compress(WHOLE)
    make.add("A5-bzip2", packed, read(FRAMES), file="in.dump.bz2")
    make.add("A5-bzip2-cut", packed[: len(packed) // 2], refuse("E-BZIP2"), file="in.dump.bz2")
    make.add("A5-bzip2-bit-flipped", _flipped(packed, len(packed) // 2), refuse("E-BZIP2"), file="in.dump.bz2")
    try:
        import zstandard
    except ImportError:
        return
    pack = zstandard.ZstdCompressor(write_checksum=True).compress
    packed = pack(WHOLE)
    make.add("A5-zstd", packed, read(FRAMES), file="in.dump.zst")
    make.add("A5-zstd-in-frames", b"".join(pack(p.encode()) for p in PARTS), read(FRAMES), file="in.dump.zst")
    make.add("A5-zstd-cut", packed[: len(packed) // 2], refuse("E-ZSTD"), file="in.dump.zst")
    make.add("A5-zstd-without-checksum", packed[:-4], refuse("E-ZSTD"), file="in.dump.zst")
    make.add("A5-zstd-wrong-checksum", _flipped(packed, len(packed) - 2), refuse("E-ZSTD"), file="in.dump.zst")


def _no_dumps(make):
    due = refuse("E-FORMAT")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("in.dump"), WHOLE)
    rows = "".join(f"Cu {x} {y} {z}\n" for x, y, z in FRAMES[0].position)
    for name, data in {
        "empty": b"",
        "one-newline": b"\n",
        "comments-only": b"# nothing\n# here\n",
        "html": b"<!DOCTYPE html>\n<html><body>503 Service Unavailable</body></html>\n",
        "xyz": f"64\na glass\n{rows}".encode(),
        "log": b"LAMMPS (29 Aug 2024)\nReading data file ...\n",
        "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
        "random": bytes((k * k * 31 + 17 * k) % 251 for k in range(5000)),
        "utf-16": WHOLE.decode().encode("utf-16"),
        "zip": archive.getvalue(),
        "xz": lzma.compress(WHOLE),
    }.items():
        make.add(f"A20-{name}", data, due)
    data = b"LAMMPS data file\n\n64 atoms\n2 atom types\n\n0 11 xlo xhi\n"
    make.add("A20-data-file", data, refuse("E-TRUNCATED", line=7))
    local = b"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ENTRIES\n1\nITEM: ENTRIES c_1\n5\n"
    make.add("A20-other-dump", local, refuse("E-FORMAT"))
    (make.folder / "A20-folder" / "in.dump").mkdir(parents=True)
    for name in ("folder", "not-there"):
        files = (make.folder / f"A20-{name}" / "in.dump",)
        make.cases.append(Case(f"A20-{name}", files, refuse("E-NO-FILE")))


def _hostile(make):
    """A21: what must not take memory, time, or the terminal."""
    part, atoms = PARTS[0], "ITEM: ATOMS id type x y z"
    make.add("A21-endless-first-line", b"ITEM: TIMESTEP" + b" " * (8 << 20), refuse("E-FORMAT", "E-TRUNCATED"))
    make.add("A21-endless-atom-line", replaced(part, 30, "1 " * (2 << 20)), refuse("E-LINE", "E-FORMAT", line=30))
    many = " ".join(f"c{k}" for k in range(4000))
    make.add("A21-too-many-columns", part.replace(atoms, f"{atoms} {many}"), refuse("E-COLUMN", line=HEADER))
    for name, letter in {"blank-lines": b"\n", "comments": b"#\n"}.items():
        make.add(f"A21-{name}", WHOLE + letter * (1 << 22), refuse("E-FORMAT", line=ANY_LINE), policy=True)
    make.add(
        "A21-bzip2-bomb",
        bz2.compress(b"ITEM: TIMESTEP\n0\n" + bytes(1 << 28)),
        refuse("E-FORMAT", "E-NUL"),
        file="in.dump.bz2",
    )
    make.add("A21-bomb-of-letters", _bomb(b"a"), refuse("E-FORMAT", "E-GZIP"), file="in.dump.gz")
    make.add("A21-bomb-of-zeros", _bomb(b"\0"), refuse("E-FORMAT", "E-NUL"), file="in.dump.gz")
    make.add(
        "A21-bomb-behind-a-frame",
        _packed(WHOLE) + _bomb(b"a"),
        refuse("E-FORMAT", "E-COUNT", line=ANY_LINE),
        file="in.dump.gz",
    )
    make.add(
        "A21-bomb-of-blank-lines",
        _packed(WHOLE) + _bomb(b"\n"),
        refuse("E-FORMAT", "E-COUNT", line=ANY_LINE),
        file="in.dump.gz",
    )
    rows = b"1 1 0.5 0.5 0.5\n" * 10**6
    counted = WHOLE + PARTS[0].replace("\n64\n", "\n1000000\n", 1).encode().partition(b"z\n")[0] + b"z\n" + rows
    make.add("A21-bomb-of-atoms", bz2.compress(counted), refuse("E-COUNT", line=ANY_LINE), file="in.dump.bz2")
    steer = "\x1b[2J\x1b[31m"
    make.add(
        "A21-terminal-escape-in-a-column",
        part.replace(" x y", f" {steer} y"),
        refuse("E-COLUMN", "E-HEADER", line=HEADER),
    )
    make.add("A21-terminal-escape-in-an-item", part.replace("BOX BOUNDS", steer), refuse("E-HEADER", "E-BOX", line=5))
    make.add("A21-terminal-escape-in-a-number", token(part, 30, 2, steer), refuse("E-NUMBER", line=30))
    make.add(
        "A21-terminal-escape-in-a-file-name",
        token(part, 30, 2, "word"),
        refuse("E-NUMBER", line=30),
        file=f"{steer}.dump",
    )
    named = {"element": [NAMES[t - 1] for t in FRAMES[0].type]}
    named["element"][3] = "Unobtainium"
    make.add(
        "A21-long-element",
        text(FRAMES[0], "id element x y z", more=named),
        refuse("E-NAME", "E-SPECIES", line=HEADER + 4),
        blind=("MDAnalysis",),
    )


def _bomb(byte):
    """256 MiB of one byte, in a quarter of a megabyte of gzip."""
    return 256 * _packed(byte * (1 << 20))
