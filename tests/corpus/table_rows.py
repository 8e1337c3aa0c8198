"""Rows A11 to A18: columns, lines, counts, boxes, boundaries, files."""

from __future__ import annotations

import numpy as np

from tests.corpus.case import ANY_LINE, read, refuse, warn
from tests.corpus.edit import HEADER, LINES, inserted, removed, replaced, token
from tests.corpus.glass import dump, glass, text

__all__ = ["add_all"]

FRAMES = glass()
PARTS = [text(frame) for frame in FRAMES]
WHOLE = "".join(PARTS)
MIDDLE = LINES + 30  # an atom in the second frame


def add_all(make) -> None:
    """All cases of these rows."""
    _columns(make)
    _lines_and_counts(make)
    _broken_boxes(make)
    _tilted_boxes(make)
    _boundaries(make)
    _several_files(make)


def _columns(make):
    """A11."""
    one, two, three = FRAMES
    charge = {"q": ["0.5"] * len(one.id)}
    make.add("A11-other-order", text(one) + text(two, "z id y type x") + text(three, "type x y z id"), read(FRAMES))
    make.add("A11-more-columns", dump(FRAMES, "id q type x q2 y z", more=charge | {"q2": charge["q"]}), read(FRAMES))
    make.add(
        "A11-column-appears",
        PARTS[0] + text(two, "id type x y z q", more=charge) + PARTS[2],
        warn("W-COLUMNS", FRAMES),
        policy=True,
    )
    make.add(
        "A11-column-disappears",
        text(one, "id q type x y z", more=charge) + PARTS[1] + PARTS[2],
        warn("W-COLUMNS", FRAMES),
        policy=True,
    )
    make.add(
        "A11-z-disappears",
        PARTS[0] + text(two, "id type x y") + PARTS[2],
        refuse("E-COLUMN", "E-2D", line=LINES + HEADER),
    )
    make.add(
        "A11-x-renamed",
        PARTS[0] + PARTS[1].replace(" x y z", " pos_x y z") + PARTS[2],
        refuse("E-COLUMN", line=LINES + HEADER),
    )
    make.add("A11-x-twice", WHOLE.replace(" x y z", " x x z"), refuse("E-COLUMN", "E-2D", line=HEADER))
    make.add("A11-id-twice", WHOLE.replace("id type", "id id"), refuse("E-COLUMN", line=HEADER))
    make.add(
        "A11-no-names",
        WHOLE.replace("ITEM: ATOMS id type x y z", "ITEM: ATOMS"),
        refuse("E-COLUMN", "E-2D", "E-HEADER", line=HEADER),
    )
    make.add("A11-no-coordinates", WHOLE.replace(" x y z", " vx vy vz"), refuse("E-COLUMN", "E-2D", line=HEADER))
    make.add(
        "A11-ids-as-floats", text(one, more={"id": [f"{i}.0" for i in one.id]}), refuse("E-NUMBER", line=HEADER + 1)
    )
    make.add(
        "A11-types-as-names",
        text(one, more={"type": ["Cu"] * len(one.id)}),
        refuse("E-NUMBER", line=HEADER + 1),
        blind=("MDAnalysis", "ASE", "OVITO"),
    )
    whole_numbers = [frame.but(position=np.rint(frame.position)) for frame in FRAMES]
    make.add("A11-whole-numbers", dump(FRAMES, number="{:.0f}".format), warn("W-ROUNDING", whole_numbers), policy=True)


def _lines_and_counts(make):
    """A12 and A13."""
    for name, line in {"": MIDDLE, "-first": HEADER + 1, "-last": 3 * LINES}.items():
        make.add(f"A12-short-line{name}", replaced(WHOLE, line, "3 1 1.0 2.0"), refuse("E-LINE", line=line))
        make.add(f"A12-long-line{name}", replaced(WHOLE, line, "3 1 1.0 2.0 3.0 4.0"), refuse("E-LINE", line=line))
    split = WHOLE.splitlines()[MIDDLE - 1].split()
    make.add(
        "A12-line-split",
        inserted(replaced(WHOLE, MIDDLE, " ".join(split[:3])), MIDDLE + 1, " ".join(split[3:])),
        refuse("E-LINE", "E-COUNT", line=ANY_LINE),
    )
    lines = WHOLE.splitlines()
    joined = removed(replaced(WHOLE, MIDDLE, lines[MIDDLE - 1] + " " + lines[MIDDLE]), MIDDLE + 1)
    make.add("A12-lines-joined", joined, refuse("E-LINE", "E-COUNT", line=ANY_LINE))
    make.add(
        "A12-numbers-run-together",
        replaced(WHOLE, MIDDLE, "3 1 1.000000-2.000000 3.000000"),
        refuse("E-LINE", "E-NUMBER", line=MIDDLE),
    )
    first, middle, last = 4, LINES + 4, 2 * LINES + 4
    n = len(FRAMES[0].id)
    make.add("A13-one-too-many-first", replaced(WHOLE, first, str(n + 1)), refuse("E-COUNT", line=LINES + 1))
    make.add("A13-one-too-many-middle", replaced(WHOLE, middle, str(n + 1)), refuse("E-COUNT", line=2 * LINES + 1))
    make.add("A13-one-too-many-last", replaced(WHOLE, last, str(n + 1)), refuse("E-COUNT", line=ANY_LINE))
    make.add("A13-one-too-few-first", replaced(WHOLE, first, str(n - 1)), refuse("E-COUNT", line=LINES))
    make.add("A13-one-too-few-middle", replaced(WHOLE, middle, str(n - 1)), refuse("E-COUNT", line=2 * LINES))
    make.add("A13-one-too-few-last", replaced(WHOLE, last, str(n - 1)), refuse("E-COUNT", line=3 * LINES))
    make.add(
        "A13-one-too-many-only", replaced(PARTS[0], first, str(n + 1)), refuse("E-COUNT", "E-TRUNCATED", line=ANY_LINE)
    )
    for name, count in {"minus-five": -5, "zero": 0}.items():
        make.add(f"A13-{name}", replaced(WHOLE, middle, str(count)), refuse("E-COUNT", line=middle))
    for name, line in {"first": first, "middle": middle, "last": last}.items():
        make.add(f"A13-billions-{name}", replaced(WHOLE, line, str(10**12)), refuse("E-COUNT", line=ANY_LINE))
    make.add(
        "A13-billions-only", replaced(PARTS[0], first, str(10**12)), refuse("E-COUNT", "E-TRUNCATED", line=ANY_LINE)
    )
    for name, count in {
        "float": "64.0",
        "exponent": "6e1",
        "word": "many",
        "two": "64 64",
        "beyond-int64": "9" * 25,
    }.items():
        make.add(f"A13-{name}", replaced(WHOLE, middle, count), refuse("E-HEADER", "E-COUNT", line=middle))
    make.add("A13-timestep-is-no-number", replaced(WHOLE, LINES + 2, "1000.5"), refuse("E-HEADER", line=LINES + 2))


def _broken_boxes(make):
    """A14."""
    box = LINES + 5
    make.add(
        "A14-no-box",
        "\n".join(WHOLE.splitlines()[: box - 1] + WHOLE.splitlines()[box + 3 :]) + "\n",
        refuse("E-BOX", line=ANY_LINE),
    )
    for name, bounds in {
        "zero": "5.0 5.0",
        "inverted": "11.0 0.0",
        "nan": "0.0 nan",
        "infinite": "-inf inf",
        "one-number": "11.0",
        "three-numbers": "0.0 11.0 0.0",
        "word": "0.0 ten",
        "overflow": "0.0 1e999",
        "comma": "0,0 11,0",
        "edge-that-overflows": "-1.7e308 1.7e308",
        "beyond-all-measure": "0.0 1e30",
        "a-little-beyond": "-1.1e9 0.0",
        "thin": "0.0 1e-6",
    }.items():
        make.add(f"A14-{name}", replaced(WHOLE, box + 1, bounds), refuse("E-BOX", line=box + 1))
    make.add("A14-two-lines", removed(WHOLE, box + 3), refuse("E-BOX", line=ANY_LINE))
    make.add(
        "A14-box-twice",
        inserted(
            inserted(inserted(inserted(WHOLE, box, "0 11"), box, "0 11"), box, "0 11"), box, "ITEM: BOX BOUNDS pp pp pp"
        ),
        refuse("E-HEADER", "E-BOX", line=box + 4),
    )


def _bounding(picture):
    """Title and bounds of a tilted cell: https://docs.lammps.org/Howto_triclinic.html"""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = picture.cell
    low, tilt = picture.origin, (xy, xz, yz)
    rows = [
        (low[0] + min(0.0, xy, xz, xy + xz), low[0] + lx + max(0.0, xy, xz, xy + xz)),
        (low[1] + min(0.0, yz), low[1] + ly + max(0.0, yz)),
        (low[2], low[2] + lz),
    ]
    bounds = "\n".join(f"{a:.16e} {b:.16e} {t:.16e}" for (a, b), t in zip(rows, tilt, strict=True))
    return {"title": "xy xz yz " + " ".join(picture.boundary), "bounds": bounds}


def _sheared(frame, xy, xz=0.0, yz=0.0, origin=(0.0, 0.0, 0.0)):
    """The frame in a tilted cell, its atoms at the same places in it."""
    cell = frame.cell + np.array([[0, 0, 0], [xy, 0, 0], [xz, yz, 0]])
    moved = np.linalg.solve(frame.cell.T, frame.position.T).T @ cell + origin
    return frame.but(cell=cell, origin=np.array(origin, float), position=moved).rounded(6)


def _tilted_boxes(make):
    """A15. Eighths are exact in binary, so that the bounds come back to the last bit."""
    tilted = [
        _sheared(f.but(cell=np.diag([11.0, 10.5, 10.25])), 1.25 + k, -0.75, 0.5, (-2.0, 3.5, 0.25))
        for k, f in enumerate(FRAMES)
    ]
    whole = "".join(text(f, **_bounding(f)) for f in tilted)
    make.add("A15-triclinic", whole, read(tilted))
    scaled = "".join(
        text(f, "id type xs ys zs", **_bounding(f), number="{:.12f}".format, more=_scaled(f)) for f in tilted
    )
    make.add("A15-triclinic-scaled", scaled, read(tilted), tolerance=1e-9)
    vectors = np.array([[11.0, 1.0, 0.5], [-1.0, 10.0, 0.75], [0.25, -2.0, 9.5]])
    general = [f.but(cell=vectors * (1 + k / 64), origin=np.array([1.0, -2.0, 0.5])) for k, f in enumerate(FRAMES)]
    make.add("A15-general", "".join(text(f, **_vectors(f)) for f in general), read(general))
    left = general[0].but(cell=vectors[[1, 0, 2]])
    make.add("A15-left-handed", text(left, **_vectors(left)), refuse("E-BOX", line=ANY_LINE))
    # Between the last two frames the tilt jumps back by one edge: the lattice is the same.
    base = FRAMES[0].but(cell=np.diag([11.0, 10.5, 10.25]))
    steps = [_sheared(base.but(timestep=1000 * k), xy) for k, xy in enumerate((4.0, 5.25, 6.5))]
    steps[2] = steps[2].but(cell=steps[2].cell - [[0, 0, 0], [11.0, 0, 0], [0, 0, 0]])
    flip = "".join(text(f, **_bounding(f)) for f in steps)
    make.add("A15-box-flip", flip, warn("W-BOX-FLIP", steps), policy=True)
    make.add("A15-tilt-missing", whole.replace(" -7.5000000000000000e-01\n", "\n", 1), refuse("E-BOX", line=7))
    make.add("A15-tilts-without-title", whole.replace("xy xz yz ", "", 1), refuse("E-BOX", line=6))
    make.add("A15-title-of-two", whole.replace("xy xz yz ", "xy xz ", 1), refuse("E-BOX", line=5))


def _vectors(picture):
    """Title and bounds of a general triclinic cell: its vectors, and the origin behind them."""
    rows = zip(picture.cell.tolist(), picture.origin.tolist(), strict=True)
    return {"title": "abc origin pp pp pp", "bounds": "\n".join(" ".join(map(repr, [*row, low])) for row, low in rows)}


def _scaled(frame):
    s = np.linalg.solve(frame.cell.T, (frame.position - frame.origin).T)
    return {axis + "s": [f"{x:.12f}" for x in row] for axis, row in zip("xyz", s, strict=True)}


def _boundaries(make):
    """A16 and A17."""
    old = WHOLE.replace(" pp pp pp", "")
    make.add("A16-no-flags", old, refuse("E-BOUNDARY-UNKNOWN", line=5), policy=True)
    make.add("A16-no-flags-given", old, read(FRAMES), boundary="ppp")
    for name, flags in {"surface": "ss pp pp", "sides-differ": "fs pp mf"}.items():
        pictures = [f.but(boundary=tuple(flags.split())) for f in FRAMES]
        make.add(f"A17-{name}", dump(pictures), read(pictures))
    free = [f.but(boundary=("ff", "ff", "ff")) for f in FRAMES]
    make.add(
        "A17-free", dump(free), warn("W-NO-STRAIN", free)
    )  # a box without period does not tell how it was strained
    make.add("A17-half-periodic", WHOLE.replace("pp pp pp", "pf pp pp"), refuse("E-BOX", "E-BOUNDARY", line=5))
    make.add("A17-unknown-letter", WHOLE.replace("pp pp pp", "qq pp pp"), refuse("E-BOX", "E-BOUNDARY", line=5))
    make.add("A17-two-flags", WHOLE.replace("pp pp pp", "pp pp"), refuse("E-BOX", "E-BOUNDARY", line=5))
    make.add("A17-lost-letter", WHOLE.replace("pp pp pp", "pp p pp"), refuse("E-BOX", "E-BOUNDARY", line=5))
    make.add(
        "A17-one-letter-per-axis",
        WHOLE.replace("pp pp pp", "p p p"),
        refuse("E-BOX", "E-BOUNDARY", line=5),
        policy=True,
    )
    make.add("A17-comma", WHOLE.replace("pp pp pp", "p, pp pp"), refuse("E-BOX", "E-BOUNDARY", line=5))
    make.add("A17-against-the-user", WHOLE, refuse("E-BOUNDARY", line=5), policy=True, boundary="spp")
    make.add(
        "A17-becomes-free",
        PARTS[0] + PARTS[1] + PARTS[2].replace("pp pp pp", "ff pp pp"),
        refuse("E-BOUNDARY", line=ANY_LINE),
        policy=True,
    )


def _several_files(make):
    """A18."""
    late = FRAMES[2].but(timestep=20000)
    names = {f"dump.{f.timestep}": text(f) for f in (late, FRAMES[0], FRAMES[1])}
    make.add("A18-a-file-per-step", dict(sorted(names.items())), read([FRAMES[0], FRAMES[1], late]))
    pieces = {f"dump.0.{k}": text(FRAMES[0].only(slice(32 * k, 32 * k + 32))) for k in range(2)}
    make.add("A18-a-file-per-processor", pieces, refuse("E-PIECES"), policy=True)
    make.add(
        "A18-a-bad-file-among-good",
        {"dump.0": PARTS[0], "dump.1000": token(PARTS[1], 30, 3, "x"), "dump.2000": PARTS[2]},
        refuse("E-NUMBER", line=30),
    )
