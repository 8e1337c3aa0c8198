"""Rows B1 to B14 and C1 to C7: identity of atoms, what makes frames one trajectory, geometry."""

from __future__ import annotations

import numpy as np

from tests.corpus.case import ANY_LINE, read, refuse, warn
from tests.corpus.edit import HEADER, LINES, replaced, token
from tests.corpus.glass import NAMES, Picture, dump, glass, text

__all__ = ["add_all"]

FRAMES = glass()
ONE, TWO, THREE = FRAMES
PARTS = [text(frame) for frame in FRAMES]
WHOLE = "".join(PARTS)
MIDDLE = LINES + 30
SPECIES = {1: "Cu", 2: "Zr"}


def add_all(make) -> None:
    """All cases of these rows."""
    _ids(make)
    _lost_atoms(make)
    _numbers(make)
    _species(make)
    _steps(make)
    _conventions(make)
    _places(make)
    _geometry(make)


def _sorted(frame):
    return frame.only(np.argsort(frame.id))


def _ids(make):
    """B1 to B4."""
    make.add("B1-shuffled", WHOLE, read(FRAMES))
    make.add("B1-sorted", dump([_sorted(f) for f in FRAMES]), read(FRAMES))
    make.add("B1-reversed", dump([_sorted(f).only(slice(None, None, -1)) for f in FRAMES]), read(FRAMES))
    in_order = [_sorted(f) for f in FRAMES]
    make.add("B2-one-frame", text(in_order[0], "type x y z"), read(in_order[:1]), policy=True)
    make.add("B2-trajectory", dump(in_order, "type x y z"), refuse("E-NO-ID", line=ANY_LINE), policy=True)
    make.add(
        "B2-assume-order",
        dump(in_order, "type x y z"),
        warn("W-ASSUMED-ORDER", in_order),
        policy=True,
        assume_order=True,
    )
    other = WHOLE.splitlines()[MIDDLE - 6].split()[0]
    make.add("B3-id-twice", token(WHOLE, MIDDLE, 0, other), refuse("E-DUP-ID", line=MIDDLE))
    make.add("B3-atom-twice", text(ONE.only([*range(64), 5])), refuse("E-DUP-ID", line=LINES + 1))
    make.add("B3-all-ids-one", dump([f.but(id=np.ones(64, int)) for f in FRAMES]), refuse("E-DUP-ID", line=HEADER + 2))
    for name, change in {
        "gaps": lambda i: 7 * i + 1000,
        "from-zero": lambda i: i - 1,
        "beyond-2-31": lambda i: i + 2**31,
        "beyond-2-53": lambda i: i + 2**53,  # neighbours are one double
        "up-to-2-63": lambda i: 2**63 - 1 - i,
    }.items():
        changed = [f.but(id=np.array([change(int(i)) for i in f.id])) for f in FRAMES]
        make.add(f"B4-{name}", dump(changed), read(changed))
    make.add("B4-beyond-2-63", token(WHOLE, MIDDLE, 0, str(2**63)), refuse("E-NUMBER", line=MIDDLE))
    make.add("B4-beyond-2-64", token(WHOLE, MIDDLE, 0, str(2**64 + 5)), refuse("E-NUMBER", line=MIDDLE))


def _lost_atoms(make):
    """B5."""
    lost = TWO.only(slice(0, 61))
    due = refuse("E-LOST-ATOMS")
    make.add(
        "B5-three-lost",
        PARTS[0] + text(lost) + text(THREE.only(np.isin(THREE.id, lost.id))),
        due,
        policy=True,
        stored=True,
    )
    make.add("B5-lost-and-back", PARTS[0] + text(lost) + PARTS[2], due, policy=True, stored=True)
    make.add(
        "B5-lost-masked",
        PARTS[0] + text(lost) + PARTS[2],
        warn("W-LOST-ATOMS", [ONE, lost, THREE], "W-ATOMS-BACK"),
        policy=True,
        stored=True,
        lost_atoms="mask",
    )
    make.add("B5-one-added", text(ONE.only(ONE.id != 9)) + PARTS[1], due, policy=True, stored=True)
    renamed = TWO.but(id=np.where(TWO.id == 9, 99, TWO.id))
    make.add("B5-one-lost-and-one-new", PARTS[0] + text(renamed), due, policy=True, stored=True)
    make.add(
        "B5-one-lost-and-one-new-masked", PARTS[0] + text(renamed), due, policy=True, stored=True, lost_atoms="mask"
    )


def _numbers(make):
    """B6."""
    for bad in ("nan", "-nan", "NaN", "inf", "-inf", "Infinity", "1e999", "1.0e+309", "1e300", "-1e30", "1.1e9"):
        name = f"B6-{bad.replace('-', 'minus-').replace('+', '')}" if bad != "NaN" else "B6-capital-nan"
        make.add(name, token(WHOLE, MIDDLE, 3, bad), refuse("E-NUMBER", line=MIDDLE))
    nowhere = {axis: ["nan"] * 64 for axis in "xyz"}
    make.add("B6-all-nan", PARTS[0] + text(TWO, more=nowhere), refuse("E-NUMBER", line=LINES + HEADER + 1))


def _species(make):
    """B7 and C7."""
    columns = "id type element x y z"
    make.add("B7-element-column", dump(FRAMES, "id element x y z"), read(FRAMES), policy=True, species=None)
    make.add("B7-both-agree", dump(FRAMES, columns), read(FRAMES))
    make.add(
        "B7-both-disagree",
        dump(FRAMES, columns),
        refuse("E-SPECIES"),
        policy=True,
        stored=True,
        species={1: "Zr", 2: "Cu"},
    )
    make.add("B7-no-map", WHOLE, refuse("E-SPECIES"), policy=True, stored=True, species=None)
    make.add("B7-half-a-map", WHOLE, refuse("E-SPECIES"), policy=True, stored=True, species={1: "Cu"})
    types = ("MDAnalysis", "ASE")
    make.add("B7-type-zero", token(WHOLE, MIDDLE, 1, "0"), refuse("E-TYPE", line=MIDDLE), blind=types)
    make.add("B7-type-negative", token(WHOLE, MIDDLE, 1, "-1"), refuse("E-TYPE", line=MIDDLE), blind=types)
    make.add("B7-type-real", token(WHOLE, MIDDLE, 1, "1.5"), refuse("E-NUMBER", line=MIDDLE), blind=types)
    other = TWO.but(type=np.where(TWO.id == 9, 3 - TWO.type, TWO.type))
    make.add("B7-type-changes", PARTS[0] + text(other) + PARTS[2], refuse("E-TYPE-CHANGE"), policy=True, stored=True)
    make.add(
        "B7-element-changes",
        text(ONE, columns) + text(TWO, columns, more={"element": [NAMES[t - 1] for t in other.type]}),
        refuse("E-TYPE-CHANGE", "E-SPECIES"),
        policy=True,
        stored=True,
    )
    make.add(
        "C7-unknown-element",
        WHOLE,
        refuse("E-RADIUS", "E-SPECIES"),
        policy=True,
        stored=True,
        species={1: "Cu", 2: "Xx"},
    )


def _steps(make):
    """B8."""
    again = PARTS[0] + PARTS[1] + PARTS[1] + PARTS[2]
    make.add("B8-written-twice", again, warn("W-DUP-STEP", FRAMES), policy=True)
    make.add("B8-last-written-twice", WHOLE + PARTS[2], warn("W-DUP-STEP", FRAMES), policy=True)
    other = TWO.but(position=TWO.position + 0.25).rounded(6)
    make.add(
        "B8-same-step-other-data",
        PARTS[0] + PARTS[1] + text(other) + PARTS[2],
        refuse("E-STEP-ORDER", line=2 * LINES + 1),
        policy=True,
    )
    for name, (first, second) in {
        "boundary": (TWO, TWO.but(boundary=("pp", "pp", "ff"))),
        "side": (TWO.but(boundary=("pp", "pp", "fs")), TWO.but(boundary=("pp", "pp", "ss"))),
    }.items():
        make.add(
            f"B8-same-step-other-{name}",
            text(first) + text(second),
            refuse("E-STEP-ORDER", line=LINES + 1),
            policy=True,
        )
    styles = [text(TWO, head=f"ITEM: UNITS\n{style}\n") for style in ("metal", "real")]
    make.add(
        "B8-same-step-other-units", "".join(styles), refuse("E-STEP-ORDER", "E-UNITS", line=LINES + 3), policy=True
    )
    make.add("B8-goes-back", PARTS[0] + PARTS[2] + PARTS[1], refuse("E-STEP-ORDER", line=2 * LINES + 1), policy=True)
    make.add(
        "B8-all-steps-zero",
        dump([f.but(timestep=0) for f in FRAMES]),
        refuse("E-STEP-ORDER", line=LINES + 1),
        policy=True,
    )
    last = THREE.but(timestep=3000)
    make.add(
        "B8-restart",
        PARTS[0] + PARTS[1] + PARTS[2] + text(other) + text(THREE.but(position=THREE.position)) + text(last),
        warn("W-OVERLAP", [ONE, other, THREE, last]),
        policy=True,
        restart_overlap="last",
    )
    make.add(
        "B8-restart-in-two-files",
        {"a.dump": WHOLE, "b.dump": text(other) + text(THREE.but(timestep=2500))},
        warn("W-OVERLAP", [ONE, other, THREE.but(timestep=2500)]),
        policy=True,
        restart_overlap="last",
    )
    make.add(
        "B8-restart-unasked",
        {"a.dump": WHOLE, "b.dump": text(other) + text(last)},
        refuse("E-STEP-ORDER", line=ANY_LINE),
        policy=True,
    )
    far = [f.but(timestep=2**40 + f.timestep) for f in FRAMES]
    make.add("B8-large-steps", dump(far), read(far))


def _conventions(make):
    """B9."""
    reduced = {axis + "s": [f"{x:.12f}" for x in ONE.position[:, k] / ONE.cell[k, k]] for k, axis in enumerate("xyz")}
    images = {axis: ["1", "-1"] * 32 for axis in ("ix", "iy", "iz")}
    make.add("B9-unwrapped", dump(FRAMES, "id type xu yu zu"), read(FRAMES))
    make.add("B9-scaled", text(ONE, "id type xs ys zs", more=reduced), read([ONE]), tolerance=1e-9)
    make.add(
        "B9-scaled-beyond-all-measure",
        text(ONE, "id type xs ys zs", more=reduced | {"zs": ["1.7e308"] * 64}),
        refuse("E-NUMBER", line=HEADER + 1),
    )
    make.add(
        "B9-scaled-then-not",
        text(ONE, "id type xs ys zs", more=reduced) + PARTS[1] + PARTS[2],
        warn("W-COLUMNS", FRAMES),
        tolerance=1e-9,
        policy=True,
    )
    make.add(
        "B9-wrapped-then-not",
        PARTS[0] + text(TWO, "id type xu yu zu") + PARTS[2],
        refuse("E-CONVENTION", line=ANY_LINE),
        policy=True,
    )
    make.add("B9-image-flags", dump(FRAMES, "id type x y z ix iy iz", more=images), read(FRAMES))


def _places(make):
    """B10 to B14."""
    shift = np.zeros((64, 3))
    shift[::9] = [0.75, -1.25, 0.5]
    outside = [f.but(position=f.position + shift).rounded(6) for f in FRAMES]
    make.add("B10-a-little-outside", dump(outside), read(outside))
    shift[::9] = [40.0, 0.0, -30.0]
    away = [ONE, TWO.but(position=TWO.position + shift).rounded(6), THREE]
    make.add("B10-boxes-away", dump(away), warn("W-OUTSIDE", away), policy=True)
    coarse = [f.rounded(1) for f in FRAMES]
    make.add("B11-one-decimal", dump(coarse, number="{:.1f}".format), warn("W-ROUNDING", coarse), policy=True)
    make.add(
        "B11-six-digits",
        dump(FRAMES, number="{:g}".format),
        read([f.but(position=np.vectorize(lambda x: float(f"{x:g}"))(f.position)) for f in FRAMES]),
    )
    make.add("B12-no-z", dump(FRAMES, "id type x y"), refuse("E-2D", "E-COLUMN", line=HEADER), policy=True)
    make.add("B12-no-thickness", replaced(WHOLE, 8, "0.0 0.0"), refuse("E-BOX", "E-2D", line=8))
    flat = [
        f.but(position=f.position * [1, 1, 0], cell=np.diag([*np.diag(f.cell)[:2], 1.0]), origin=np.array([0, 0, -0.5]))
        for f in FRAMES
    ]
    make.add("B12-flat", dump(flat), refuse("E-2D"), policy=True)
    make.add(
        "B13-other-strain-than-the-box", WHOLE, warn("W-STRAIN", FRAMES), policy=True, stored=True, strain_step=0.05
    )
    make.add("B13-strain-of-the-box", WHOLE, read(FRAMES), policy=True, stored=True, strain_step=0.01)
    make.add("B14-replicated", text(_replicated(ONE)), warn("W-REPLICATED", [_replicated(ONE)]), policy=True)


def _replicated(frame):
    """Two by one by one copies."""
    return Picture(
        frame.timestep,
        np.append(frame.id, frame.id + 64),
        np.tile(frame.type, 2),
        np.vstack([frame.position, frame.position + [11.0, 0, 0]]),
        frame.cell * [[2], [1], [1]],
        frame.origin,
    ).rounded(6)


def _geometry(make):
    """C1, C2, C4: the text is in order, the places are not, or are unusual."""
    for name, distance in {"same-place": 0.0, "a-millionth-apart": 1e-6}.items():
        twin = ONE.position.copy()
        twin[7] = twin[30] + [distance, 0, 0]
        make.add(f"C1-{name}", text(ONE.but(position=twin)), refuse("E-OVERLAP"), policy=True, stored=True)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    site = np.vstack([grid + corner for corner in ([0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0])]) * 3.6
    fcc = Picture(0, np.arange(256) + 1, 1 + np.arange(256) % 2, site, np.eye(3) * 14.4, np.zeros(3)).rounded(6)
    make.add("C4-perfect-fcc", text(fcc), warn("W-REPLICATED", [fcc]), policy=True, stored=True)
    hollow = ONE.but(cell=np.diag([60.0, 60.0, 60.0]), boundary=("ff", "ff", "ff"))
    make.add("C2-droplet-in-vacuum", text(hollow), read([hollow]), stored=True)
    lonely = hollow.position.copy()
    lonely[5] = [50.0, 50.0, 50.0]
    alone = hollow.but(position=lonely)
    make.add("C2-atom-alone", text(alone), read([alone]), stored=True)
    two = hollow.only(slice(0, 2))
    make.add("C2-two-atoms", text(two), read([two]), stored=True)
    make.add(
        "C2-one-atom",
        replaced(text(two), 4, "1").rpartition("\n")[0].rpartition("\n")[0] + "\n",
        read([two.only(slice(0, 1))]),
        stored=True,
    )
