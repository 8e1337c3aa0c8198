"""Rows A1 to A10 of the catalogue, as far as they concern plain text."""

from __future__ import annotations

from tests.corpus.case import ANY_LINE, read, refuse, warn
from tests.corpus.edit import HEADER, LINES, inserted, line_of, removed, replaced, token
from tests.corpus.glass import dump, glass, text

__all__ = ["add_all"]

FRAMES = glass()
PARTS = [text(frame) for frame in FRAMES]
WHOLE = "".join(PARTS)


def add_all(make) -> None:
    """All cases of these rows."""
    _cut(make)
    _half_frames(make)
    _zeros(make)
    _blanks(make)
    _numbers(make)
    _headers(make)


def _cut(make):
    """A1 to A3: the file ends too early."""
    last = len(PARTS[2])
    kept = warn("W-TRUNCATED", FRAMES[:2])
    header = len("".join(PARTS[2].splitlines(keepends=True)[:HEADER]))
    make.add("A1-within-a-line", WHOLE[:-500], kept)
    make.add("A1-at-a-line-end", removed(WHOLE, 3 * LINES), kept)
    make.add("A1-after-one-atom", "".join(PARTS[:2]) + PARTS[2][: header + 30], kept)
    make.add("A1-two-missing-lines", WHOLE[: WHOLE[:-2].rfind("\n", 0, -60) + 1], kept)
    make.add("A1-the-only-frame", PARTS[0][:-500], refuse("E-TRUNCATED", "E-COUNT", line=ANY_LINE))
    make.add("A1-strict", WHOLE[:-500], refuse("E-TRUNCATED", line=2 * LINES + 1), policy=True, strict=True)
    make.add("A2-within-the-last-number", WHOLE[:-4], kept)
    make.add("A2-the-last-newline", WHOLE[:-1], kept)
    for name, there in {
        "A3-in-the-first-word": 9,
        "A3-after-the-timestep": len("ITEM: TIMESTEP\n2000\n"),
        "A3-within-the-count": len("ITEM: TIMESTEP\n2000\nITEM: NUMBER OF ATOMS\n6"),
        "A3-within-the-box": header - len("ITEM: ATOMS id type x y z\n") - 12,
        "A3-within-the-column-names": header - 5,
        "A3-no-atoms": header,
    }.items():
        make.add(name, WHOLE[: there - last], kept)


def _half_frames(make):
    """A4: a run was killed, and the next one appended."""
    half = PARTS[1][: len(PARTS[1]) // 2]
    at_end = half[: half.rfind("\n") + 1]
    n = LINES + at_end.count("\n") + 1
    make.add("A4-half-frame-at-a-line-end", PARTS[0] + at_end + PARTS[2], refuse("E-COUNT", line=n))
    # The new run goes on in the middle of the old line: its first line is part of it.
    make.add("A4-half-frame-within-a-line", PARTS[0] + half + PARTS[2], refuse("E-COUNT", line=ANY_LINE))
    make.add(
        "A4-header-only",
        PARTS[0] + "ITEM: TIMESTEP\n1000\nITEM: NUMBER OF ATOMS\n" + PARTS[2],
        refuse("E-HEADER", "E-COUNT", line=ANY_LINE),
    )
    make.add("A4-written-again", PARTS[0] + at_end + PARTS[1] + PARTS[2], refuse("E-COUNT", line=n))
    for name, damaged in {"": at_end, "-within-a-line": half}.items():
        make.add(
            f"A4-skip-half-frame{name}",
            PARTS[0] + damaged + PARTS[2] + text(FRAMES[2].but(timestep=3000)),
            warn("W-BAD-FRAME", [FRAMES[0], FRAMES[2], FRAMES[2].but(timestep=3000)]),
            policy=True,
            skip_bad_frames=True,
        )
    make.add(
        "A4-skip-bad-number",
        token(WHOLE, LINES + 30, 2, "nan"),
        warn("W-BAD-FRAME", [FRAMES[0], FRAMES[2]]),
        policy=True,
        skip_bad_frames=True,
    )


def _zeros(make):
    """A6: a node died, and the file system kept the length but not the data."""

    def zeroed(first, size):
        data = WHOLE.encode()
        return data[:first] + bytes(size) + data[first + size :]

    inside = len(PARTS[0]) + 1200
    make.add("A6-page-among-atoms", zeroed(inside, 512), refuse("E-NUL", line=line_of(WHOLE, inside)))
    make.add("A6-one-byte-in-a-number", zeroed(inside, 1), refuse("E-NUL", line=line_of(WHOLE, inside)))
    make.add("A6-over-a-header", zeroed(len(PARTS[0]), 300), refuse("E-NUL", line=LINES + 1))
    make.add("A6-over-the-end", zeroed(len(WHOLE) - 700, 700), refuse("E-NUL", line=ANY_LINE))
    make.add("A6-behind-the-end", WHOLE.encode() + bytes(4096), refuse("E-NUL", line=3 * LINES + 1))
    title = WHOLE.index("ITEM: ATOMS", len(PARTS[0])) + len("ITEM: ATOMS id typ")
    make.add("A6-in-a-column-name", zeroed(title, 1), refuse("E-NUL", "E-HEADER", "E-COLUMN", line=LINES + HEADER))
    make.add("A6-all", bytes(20000), refuse("E-FORMAT", "E-NUL"))


def _blanks(make):
    """A7 and A8: line ends, byte order mark, blanks, comments."""
    make.add("A7-crlf", WHOLE.replace("\n", "\r\n"), read(FRAMES))
    make.add("A7-bom", b"\xef\xbb\xbf" + WHOLE.encode(), read(FRAMES))
    make.add("A7-trailing-blanks", WHOLE.replace("\n", " \t \n"), read(FRAMES))
    make.add(
        "A7-tabs",
        WHOLE.replace("ITEM: ", "ITEM:@")
        .replace(" ", "\t")
        .replace("@", " ")
        .replace("NUMBER\tOF\tATOMS", "NUMBER OF ATOMS")
        .replace("BOX\tBOUNDS\t", "BOX BOUNDS ")
        .replace("ATOMS\tid", "ATOMS id"),
        read(FRAMES),
    )
    make.add(
        "A7-leading-blanks",
        "".join(
            part[: part.index("z\n") + 2]
            + "".join("   " + row + "\n" for row in part[part.index("z\n") + 2 :].splitlines())
            for part in PARTS
        ),
        read(FRAMES),
    )
    make.add("A7-lone-cr", WHOLE.replace("\n", "\r"), refuse("E-FORMAT", "E-HEADER", "E-TRUNCATED"))
    make.add("A8-blank-between", "\n\n".join(PARTS) + "\n", read(FRAMES))
    make.add("A8-comments-between", "# one\n" + "# two\n\n#three\n".join(PARTS) + "# end", read(FRAMES))
    make.add("A8-blank-among-atoms", inserted(WHOLE, LINES + 30, ""), refuse("E-LINE", "E-COUNT", line=ANY_LINE))
    make.add(
        "A8-comment-among-atoms",
        inserted(WHOLE, LINES + 30, "# restarted here"),
        refuse("E-LINE", "E-NUMBER", "E-COUNT", line=ANY_LINE),
    )
    make.add(
        "A8-atom-commented-out",
        replaced(WHOLE, LINES + 30, "# 1 1 1.0 1.0 1.0"),
        refuse("E-LINE", "E-NUMBER", line=LINES + 30),
    )


def _numbers(make):
    """A9: other ways to write a number."""
    exact = [frame.but(position=frame.position) for frame in FRAMES]
    make.add("A9-scientific", dump(FRAMES, number="{:.9e}".format), read(exact))
    make.add("A9-capital-exponent", dump(FRAMES, number="{:.9E}".format), read(exact))
    make.add("A9-all-digits", dump(FRAMES, number="{:.30f}".format), read(exact))
    make.add("A9-signs-and-bare-points", dump(FRAMES, number=_odd_number), read(exact))
    line = LINES + 30
    for name, bad in {
        "fortran-exponent": "1.2D+01",
        "fortran-overflow": "**********",
        "decimal-comma": "1,25",
        "windows-nan": "1.#IND",
        "two-points": "1.2.3",
        "hexadecimal": "0x1A",
        "underscore": "1_000",
        "lost-exponent": "1.5e",
        "arabic-digits": "١.٥",
        "lost-letter-e": "1.5-03",
    }.items():
        make.add(f"A9-{name}", token(WHOLE, line, 2, bad), refuse("E-NUMBER", line=line))
    make.add(
        "A9-comma-for-all-points",
        dump(FRAMES, number=lambda x: f"{x:.6f}".replace(".", ",")),
        refuse("E-NUMBER", line=HEADER + 1),
    )
    make.add(
        "A9-fortran-exponent-everywhere",
        dump(FRAMES, number=lambda x: f"{x:.9e}".replace("e", "D")),
        refuse("E-NUMBER", line=HEADER + 1),
    )


def _odd_number(x):
    """The same number with a sign, or without the digit before or behind the point, where that is possible."""
    plain = f"{x:.6f}".rstrip("0")
    return "+" + plain if x >= 1 else plain.removeprefix("0")


def _headers(make):
    """A10: units and time."""
    head = "ITEM: UNITS\nmetal\nITEM: TIME\n0.5\n"
    make.add("A10-units-and-time", text(FRAMES[0], head=head) + PARTS[1] + PARTS[2], read(FRAMES))
    make.add(
        "A10-time-in-every-frame",
        "".join(text(f, head=f"ITEM: TIME\n{f.timestep / 1000}\n") for f in FRAMES),
        read(FRAMES),
    )
    make.add(
        "A10-units-in-every-frame",
        "".join(text(f, head="ITEM: UNITS\nmetal\n") for f in FRAMES),
        read(FRAMES),
        policy=True,
    )
    changed = "".join(
        text(f, head=f"ITEM: UNITS\n{u}\n") for f, u in zip(FRAMES, ("metal", "metal", "lj"), strict=True)
    )
    make.add("A10-units-change", changed, refuse("E-UNITS", line=ANY_LINE))
    make.add("A10-units-unknown", text(FRAMES[0], head="ITEM: UNITS\nmetl\n"), refuse("E-UNITS", "E-HEADER", line=2))
    for style, scale in {"lj": 1.0, "real": 1.0, "electron": 0.529177210903, "micro": 1e4, "nano": 10.0}.items():
        whole = "".join(text(f, head=f"ITEM: UNITS\n{style}\n") for f in FRAMES)
        due = read([f.but(cell=scale * f.cell, position=scale * f.position) for f in FRAMES])
        radii = {"radius": {"Cu": 0.5, "Zr": 0.6}} if style == "lj" else {}
        make.add(f"A10-lengths-of-{style}", whole, due, policy=True, **radii)
        make.add(f"A10-{style}-as-told", WHOLE, due, policy=True, units=style, **radii)
    for style in ("si", "cgs"):
        whole = "".join(text(f, head=f"ITEM: UNITS\n{style}\n") for f in FRAMES)
        make.add(f"A10-a-box-of-11-{style}", whole, refuse("E-BOX", line=8), policy=True)
    make.add(
        "A10-told-otherwise", WHOLE.replace("ITEM", "ITEM: UNITS\nlj\nITEM", 1), refuse("E-UNITS", line=1), units="si"
    )
    for name, head in {"units": "ITEM: UNITS\nme\0tal\n", "time": "ITEM: TIME\n0.5\x0c\n"}.items():
        due = refuse("E-NUL", "E-HEADER", line=2)
        make.add(f"A10-control-byte-in-{name}", text(FRAMES[0], head=head), due, policy=name == "time")
    for name, (old, new, line) in {
        "no-blank-behind-item": ("ITEM: NUMBER", "ITEM:NUMBER", 3),
        "no-blank-behind-the-last-item": ("ITEM: ATOMS", "ITEM:ATOMS", HEADER),
        "two-blanks-behind-item": ("ITEM: BOX", "ITEM:  BOX", 5),
        "words-behind-an-item": ("OF ATOMS\n", "OF ATOMS 64\n", 3),
        "damaged-name": ("ITEM: ATOMS", "ITEM: ATNMS", HEADER),
    }.items():
        due = refuse("E-HEADER", line=LINES + line)
        make.add(f"A10-{name}", PARTS[0] + PARTS[1].replace(old, new), due, policy=name != "damaged-name")
    make.add("A10-time-is-no-number", text(FRAMES[0], head="ITEM: TIME\nnoon\n"), refuse("E-HEADER", line=2))
    make.add("A10-unknown-item", text(FRAMES[0], head="ITEM: MOON\nfull\n"), refuse("E-HEADER", line=1))
