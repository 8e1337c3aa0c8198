"""Small valid dumps, and seeded damage of every kind that files meet."""

from __future__ import annotations

import bz2
import gzip
import random
from collections.abc import Callable
from typing import Any

__all__ = ["KINDS", "mutation", "valid_dumps"]

TOKENS = [
    b"nan",
    b"-NaN",
    b"inf",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"-0",
    b"-0.0",
    b"+1",
    b"1_0",
    b"0x10",
    b"0x1p3",
    b"1e",
    b".",
    b"-",
    b"+",
    b"--1",
    b"1.2.3",
    b"1.5D+01",
    b"1,5",
    b"1.#IND",
    b"********",
    b"1e+",
    b"e5",
    b".5",
    b"5.",
    b"5.e1",
    b"1E2",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"99999999999999999999999",
    b"0",
    b"-1",
    b"1",
    b"2",
    b"00000000000000000000000003",
    b"4.35",
    b"0.1e-400",
    b"4.9e-324",
    b"2.2250738585072011e-308",
    b"1.7976931348623157e308",
    b"123456789012345678901234567890.5",
    b"9007199254740993",
    b"0.30000000000000004",
    b"8.5e22",
    b"1e23",
    b"\xd9\xa1\xd9\xa2",
    b"\xef\xbc\x91",
    b"Cu",
    b"Zirconium",
    b"#",
    b"ITEM:",
    b"ITEM: ATOMS",
    b"pp",
    b"p",
    b"ff",
    b"pf",
    b"x",
    b"xs",
    b"xu",
    b"id",
    b"type",
    b"element",
    b"\x00",
    b"\x1b[31m",
    b"\x0b",
    b"\xa0",
    b"\x85",
    b"1\r",
    b"\r",
    b"1000000000000",
    b"7",
    b"8",
    b"9",
    b"16",
    b"4",
]
LINES = [
    b"",
    b" ",
    b"\t",
    b"# comment",
    b"#",
    b"\r",
    b"\x0c",
    b"ITEM: TIMESTEP",
    b"ITEM: TIMESTEP x",
    b"ITEM: NUMBER OF ATOMS",
    b"8",
    b"ITEM: BOX BOUNDS pp pp pp",
    b"ITEM: BOX BOUNDS",
    b"ITEM: ATOMS id type x y z",
    b"ITEM: ATOMS",
    b"ITEM:",
    b"ITEM: TIME",
    b"0.5",
    b"ITEM: UNITS",
    b"metal",
    b"lj",
    b"ITEM: ENTRIES c_1",
    b"0 10",
    b"10 0",
    b"0 0",
    b"nan 1",
    b"3 1 1.0 2.0 3.0",
    b"3 1 1.0 2.0",
    b"3 1 1.0 2.0 3.0 4.0",
    b"\x00" * 16,
    b"  ITEM: TIMESTEP",
    b"1000",
]


def _frame(chance, step, *, columns, title, bounds, head=b"", separator=" ", digits=5, scale=10.0, n=8):
    rows = []
    for atom in chance.sample(range(n), n):
        value = {
            "id": str(3 * atom + 1),
            "type": str(1 + atom % 2),
            "element": ("Cu", "Zr")[atom % 2],
            "vx": f"{chance.gauss(0, 1):g}",
            "ix": str(chance.choice((-1, 0, 1))),
        }
        rows.append(separator.join(value.get(c) or f"{chance.random() * scale:.{digits}f}" for c in columns.split()))
    text = f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS {title}\n{bounds}\nITEM: ATOMS {columns}\n"
    return head + (text + "".join(row + "\n" for row in rows)).encode()


def valid_dumps() -> list[list[bytes]]:
    """Dumps as lists of frames, two each, of all forms that LAMMPS writes.

    They have 8 atoms, but for one of 500, whose text does not fit into the blocks of a fast reader.
    """
    forms: list[dict[str, Any]] = [
        {"columns": "id type x y z", "title": "pp pp pp", "bounds": "0 10\n0 10\n0 10"},
        {
            "columns": "id type element xs ys zs vx",
            "title": "ff pp ss",
            "bounds": "-1.5e+00 10\n0 1.1e1\n-0.25 9.75",
            "scale": 1,
        },
        {"columns": "element id xu yu zu", "title": "xy xz yz pp pp pp", "bounds": "-2 12 2\n-1.5 10 -2\n0 8 -1.5"},
        {
            "columns": "id x y z type ix",
            "title": "abc origin pp pp pp",
            "bounds": "9 1 0.5 -1\n-1 8 1 2\n0.5 -2 7 3",
            "digits": 17,
        },
        {
            "columns": "type id xsu ysu zsu",
            "title": "xy xz yz pp fm pp",
            "bounds": "0 12 2\n-1 9 0\n0 8 0",
            "scale": 1,
            "digits": 3,
        },
        {
            "columns": "id type x y z",
            "title": "pp pp pp",
            "bounds": "0 1e1\n0 1e1\n0 1e1",
            "separator": "\t",
            "digits": 20,
        },
        {"columns": "id type x y z vx", "title": "pp pp ff", "bounds": "0 10\n0 10\n0 10", "n": 500},
    ]
    dumps = []
    for k, form in enumerate(forms):
        chance = random.Random(k)
        frames = []
        for step in (0, 1000):
            head = b""
            if k in (0, 3):
                head = (b"ITEM: UNITS\nmetal\n" if step == 0 else b"") + b"ITEM: TIME\n%d.5\n" % step
            if k == 1 and step:
                head = b"\n# restarted\n"
            frames.append(_frame(chance, step, head=head, **form))
        dumps.append(frames)
    dumps.append([frame.replace(b"\n", b"\r\n") for frame in dumps[0]])
    return dumps


def _somewhere(chance, items):
    return chance.randrange(len(items))


def _list_change(chance, items, fresh):
    """Delete, duplicate, swap, insert or replace one of a list of pieces."""
    k = _somewhere(chance, items)
    how = chance.choice(("delete", "duplicate", "swap", "insert", "replace"))
    if how == "delete":
        del items[k]
    elif how == "duplicate":
        items.insert(_somewhere(chance, items), items[k])
    elif how == "swap":
        j = _somewhere(chance, items)
        items[k], items[j] = items[j], items[k]
    elif how == "insert":
        items.insert(k, fresh)
    else:
        items[k] = fresh
    return items


def bytes_changed(chance: random.Random, frames: list[bytes]) -> bytes:
    """One to three bytes flipped by a bit, replaced, deleted or inserted."""
    data = bytearray(b"".join(frames))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = _somewhere(chance, data)
        how = chance.randrange(4)
        if how == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            data[at] = chance.choice(b"\0\t\n\r #-+.0159eEdDxnI,_\x7f\xff")
        elif how == 2:
            del data[at]
        else:
            data.insert(at, chance.choice(b"\0\t\n\r #-+.0159eExnI,_\x0b\xff"))
    return bytes(data)


def tokens_changed(chance: random.Random, frames: list[bytes]) -> bytes:
    """A token of one or two lines deleted, duplicated, swapped, inserted or replaced."""
    lines = b"".join(frames).split(b"\n")
    for _ in range(chance.choice((1, 1, 2))):
        k = _somewhere(chance, lines)
        words = lines[k].split(b" ")
        lines[k] = b" ".join(_list_change(chance, words, chance.choice(TOKENS)))
    return b"\n".join(lines)


def lines_changed(chance: random.Random, frames: list[bytes]) -> bytes:
    """A line deleted, duplicated, swapped, inserted, replaced, split or joined with the next."""
    data = b"".join(frames)
    if chance.random() < 0.2:
        at = chance.choice([k for k, byte in enumerate(data) if byte in b" \n"])
        return data[:at] + chance.choice((b"\n", b"", b" ", b"\n\n", b"\r")) + data[at + 1 :]
    return b"\n".join(_list_change(chance, data.split(b"\n"), chance.choice(LINES)))


def frames_changed(chance: random.Random, frames: list[bytes]) -> bytes:
    """Whole frames deleted, duplicated, swapped or foreign, or half a frame in the middle."""
    frames = [*frames]
    if chance.random() < 0.4:
        k = _somewhere(chance, frames)
        half = frames[k][: chance.randrange(len(frames[k]))]
        frames.insert(k, half if chance.random() < 0.5 else half[: half.rfind(b"\n") + 1])
        return b"".join(frames)
    return b"".join(_list_change(chance, frames, chance.choice(chance.choice(_DUMPS))))


def cut(chance: random.Random, frames: list[bytes]) -> bytes:
    """The end is missing."""
    data = b"".join(frames)
    return data[: chance.randrange(len(data))]


def zeros(chance: random.Random, frames: list[bytes]) -> bytes:
    """A stretch of binary zeros, in place of the text or added to it."""
    data = b"".join(frames)
    at = chance.randrange(len(data) + 1)
    size = chance.choice((1, 2, 7, 8, 9, 64, 512, 4096))
    return data[:at] + bytes(size) + data[at + chance.choice((0, size)) :]


def blocks_moved(chance: random.Random, frames: list[bytes]) -> bytes:
    """A stretch of the text copied to, or moved to, another place, as by a torn write."""
    data = b"".join(frames)
    a, b = sorted(chance.sample(range(len(data)), 2))
    at = chance.randrange(len(data))
    rest = data if chance.random() < 0.5 else data[:a] + data[b:]
    return rest[:at] + data[a:b] + rest[at:]


def _container(pack):
    def damaged(chance: random.Random, frames: list[bytes]) -> bytes:
        """A compressed file, whole or in several members: bits flipped, cut, zeroed, or with more behind it."""
        members = frames if chance.random() < 0.5 else [b"".join(frames)]
        data = bytearray(b"".join(map(pack, members)))
        how = chance.randrange(5)
        at = _somewhere(chance, data)
        if how == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            del data[at:]
        elif how == 2:
            data[at : at + 16] = bytes(len(data[at : at + 16]))
        elif how == 3:
            data += chance.choice((bytes(512), b"garbage", b"\x1f\x8b", b"\n", bytes(data[:at])))
        else:
            return pack(tokens_changed(chance, frames))
        return bytes(data)

    return damaged


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


#: Kind of damage -> function of (chance, frames).
KINDS: dict[str, Callable[[random.Random, list[bytes]], bytes]] = {
    "bytes": bytes_changed,
    "tokens": tokens_changed,
    "lines": lines_changed,
    "frames": frames_changed,
    "cut": cut,
    "zeros": zeros,
    "blocks moved": blocks_moved,
    "gzip": _container(lambda data: gzip.compress(data, mtime=0)),
    "zstd": _container(_zstd),
    "bzip2": _container(bz2.compress),
}
_DUMPS = valid_dumps()


def mutation(seed: int, number: int) -> tuple[str, bytes]:
    """Damaged file ``number`` of a campaign: the kind of damage and the bytes, the same for ever."""
    chance = random.Random(f"{seed}:{number}")
    kind = list(KINDS)[number % len(KINDS)]
    return kind, KINDS[kind](chance, chance.choice(_DUMPS))
