"""The undeformed glass in a file of its own: any format, any timestep, any order of its atoms."""

from __future__ import annotations

import gzip
import re
import shutil

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, UsageError
from qsdask.formats.opening import open_trajectory
from tests.conftest import SPECIES
from tests.intake.test_loading import BOX, TILTED, run_of, sheared, short_tilts, stretched
from tests.store_files import content_of

GRADIENTS = [stretched("y", e) for e in (0, 0.01, 0.03, 0.06)]


def command(*arguments) -> int:
    return main([str(a) for a in (*arguments, "--species", "1=Cu,2=Zr", "--cluster", "threads", "--quiet")])


def frames_of(dump) -> list[str]:
    return ["ITEM: TIMESTEP\n" + text for text in dump.read_text().split("ITEM: TIMESTEP\n")[1:]]


def renumbered(frame: str, step: int) -> str:
    return re.sub(r"(?<=ITEM: TIMESTEP\n)\d+", str(step), frame)


def with_rows(frame: str, change) -> str:
    *head, columns, body = re.split(r"(ITEM: ATOMS .*\n)", frame)
    rows = change([line.split() for line in body.splitlines()])
    text = re.sub(r"(?<=NUMBER OF ATOMS\n)\d+", str(len(rows)), "".join(head))
    return text + columns + "".join(" ".join(row) + "\n" for row in rows)


def as_data(frame: str, file, *, units=None, order=None):
    """A LAMMPS data file of a frame."""
    (first,) = open_trajectory(written(file.with_suffix(".tmp"), frame)).read()
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = first.cell.tolist()
    lines = ["LAMMPS data file, timestep = 990000" + (f", units = {units}" if units else ""), ""]
    lines += [f"{first.natoms} atoms", "2 atom types", "", f"0.0 {lx!r} xlo xhi", f"0.0 {ly!r} ylo yhi"]
    lines += [f"0.0 {lz!r} zlo zhi", *([f"{xy!r} {xz!r} {yz!r} xy xz yz"] if xy or xz or yz else []), ""]
    lines += ["Atoms # atomic", ""]
    rows = zip(first.id.tolist(), first.type.tolist(), (first.position - first.origin).tolist(), strict=True)
    lines += [f"{i} {t} " + " ".join(f"{v:.8f}" for v in x) for i, t, x in rows]
    file.write_text("\n".join(lines) + "\n")
    return file


def as_extxyz(frame: str, file, *, ids=True, pbc='pbc="T T T"', types=None):
    """The same as extended XYZ, elements for types."""
    (first,) = open_trajectory(written(file.with_suffix(".tmp"), frame)).read()
    lattice = " ".join(f"{v!r}" for v in first.cell.ravel().tolist())
    head = f'Lattice="{lattice}" Properties=species:S:1:pos:R:3{":id:I:1" * ids} {pbc}'
    rows = zip(first.id.tolist(), first.type.tolist(), (first.position - first.origin).tolist(), strict=True)
    names = types or {1: "Cu", 2: "Zr"}
    body = [f"{names[t]} " + " ".join(f"{v:.8f}" for v in x) + f" {i}" * ids for i, t, x in rows]
    text = "\n".join([str(first.natoms), head, *body]) + "\n"
    (gzip.open if file.suffix == ".gz" else open)(file, "wt").write(text)
    return file


def written(file, *frames):
    file.write_text("".join(frames))
    return file


@pytest.fixture
def run(tmp_path):
    """Frames of a run, and the store that it makes in one dump."""
    return frames_of(run_of(GRADIENTS, tmp_path / "whole.dump", jump=0.01))


@pytest.fixture
def whole(run, tmp_path, few):
    store = qsdask.ingest(tmp_path / "whole.dump", tmp_path / "whole.zarr", species=SPECIES, chunk=16, run=few)
    return qsdask.respond(store, run=few)


def by_id(store) -> dict[str, np.ndarray]:
    """Numbers of a store in the order of the ids."""
    tree = qsdask.open_store(store)
    order = np.argsort(tree["atoms/id"].values)
    names = tree["atoms/species_name"].values
    return {
        "id": tree["atoms/id"].values[order],
        "species": names[tree["atoms/species"].values[order]],
        "position": tree["frames/position"].values[:, order],
        "d2min": tree["response/d2min/d2min"].values[:, order] if "response" in tree else None,
        "cell": tree["frames/cell"].values,
        "strain": tree["frames/strain"].values,
    }


def refusal_of(*arguments, code, capsys) -> str:
    assert command(*arguments) != 0
    said = capsys.readouterr().err
    assert f"error {code}" in said
    return said


@pytest.mark.parametrize("start", [0, 5, 10**6])
def test_timesteps_of_the_reference_do_not_matter(run, whole, tmp_path, few, start, capsys):
    """Equal to, before and behind those of the trajectory: the numbers are those of one dump with the same frames."""
    alone = written(tmp_path / "relaxed.dump", renumbered(run[0], start))
    rest = written(tmp_path / "run.dump", *(renumbered(f, 5 * k) for k, f in enumerate(run[1:])))
    assert main(["check", str(rest), "--reference", str(alone), "--species", "1=Cu,2=Zr", "--quiet"]) == 0
    assert "4 frames of 60 atoms: 0 errors, 0 warnings" in capsys.readouterr().out
    store = tmp_path / "apart.zarr"
    assert command("ingest", rest, store, "--reference", alone, "--chunk", 16) == 0
    qsdask.respond(store, run=few)
    for name, value in by_id(whole).items():
        np.testing.assert_array_equal(by_id(store)[name], value, err_msg=name)
    np.testing.assert_allclose(by_id(store)["strain"], [0, 0.01, 0.03, 0.06], atol=1e-6)
    tree = qsdask.open_store(store)
    assert tree["frames/timestep"].values.tolist() == [start, 0, 5, 10]
    facts = qsdask.info(store)["stages"][0]["provenance"]
    assert facts["input"] == ["relaxed.dump", "run.dump"]
    assert facts["reading"]["reference"] == str(alone)
    assert qsdask.verify(store, progress=False) == []
    # Again changes nothing; a damaged frame is mended with the same reference.
    before = content_of(store)
    qsdask.ingest(rest, store, species=SPECIES, chunk=16, reference=alone, run=few)
    assert content_of(store) == before
    (store / "frames/position/c/0/0/0").write_bytes(b"")
    assert qsdask.repair(store, source=rest, run=few)
    assert content_of(store) == before
    # Also when both files were moved meanwhile; another reference is no source.
    (tmp_path / "moved").mkdir()
    alone, rest = (shutil.move(file, tmp_path / "moved" / file.name) for file in (alone, rest))
    (store / "frames/position/c/0/0/0").write_bytes(b"")
    assert qsdask.repair(store, source=rest, run=few)
    assert qsdask.info(store)["stages"][0]["provenance"] == facts
    assert {k: v for k, v in content_of(store).items() if "/c/" in k} == {k: v for k, v in before.items() if "/c/" in k}
    alone.write_text(renumbered(run[1], start))
    (store / "frames/position/c/0/0/0").write_bytes(b"")
    with pytest.raises(BadDataError, match="E-OTHER-INPUT"):
        qsdask.repair(store, source=rest, run=few)


@pytest.mark.parametrize("cell", [BOX, TILTED], ids=["box", "triclinic"])
@pytest.mark.parametrize("kind", ["data", "extxyz", "extxyz.gz"])
def test_any_format_and_any_order_of_its_atoms(tmp_path, few, cell, kind):
    dump = run_of(GRADIENTS, tmp_path / "whole.dump", cell, jump=0.01)
    run = frames_of(dump)
    whole = qsdask.respond(qsdask.ingest(dump, tmp_path / "w.zarr", species=SPECIES, run=few), run=few)
    shuffled = with_rows(run[0], lambda rows: rows[::-1][7:] + rows[::-1][:7])
    make = as_data if kind == "data" else as_extxyz
    alone = make(shuffled, tmp_path / f"relaxed.{kind}")
    rest = written(tmp_path / "run.dump", *(renumbered(f, k) for k, f in enumerate(run[1:])))
    store = qsdask.ingest(rest, tmp_path / "a.zarr", species=SPECIES, reference=alone, run=few)
    qsdask.respond(store, run=few)
    found, wanted = by_id(store), by_id(whole)
    for name in ("id", "species"):
        np.testing.assert_array_equal(found[name], wanted[name])
    # The origin of the first frame is not that of the dump, and one of these readers has single precision.
    np.testing.assert_array_equal(found["position"][1:], wanted["position"][1:])
    np.testing.assert_allclose(found["cell"], wanted["cell"], atol=2e-5)
    np.testing.assert_allclose(found["strain"], wanted["strain"], atol=1e-5)
    np.testing.assert_allclose(found["d2min"], wanted["d2min"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("flags", ["ff pp pp", "pp ss pp", "pp pp pp"])
def test_the_boundary_is_that_of_the_file_that_tells_it(run, tmp_path, few, flags):
    told = [frame.replace("pp pp pp", flags) for frame in run]
    free = [side == "pp" for side in flags.split()]
    data = as_data(run[0], tmp_path / "relaxed.data")
    rest = written(tmp_path / "run.dump", *told[1:])
    store = qsdask.ingest(rest, tmp_path / "a.zarr", species=SPECIES, reference=data, run=few)
    assert qsdask.open_store(store)["frames/periodic"].values.tolist() == free
    # The other way round: the frames do not tell, the reference does.
    alone = written(tmp_path / "relaxed.dump", told[0])
    for k, frame in enumerate(run[1:]):
        as_data(frame, tmp_path / f"late{k}.data")
    late = tmp_path / "late0.data"
    store = qsdask.ingest(late, tmp_path / "b.zarr", species=SPECIES, reference=alone, run=few)
    assert qsdask.open_store(store)["frames/periodic"].values.tolist() == free
    with pytest.raises(BadDataError, match=r"(?s)E-BOUNDARY-UNKNOWN.*--boundary"):
        qsdask.ingest(late, tmp_path / "c.zarr", species=SPECIES, reference=data, run=few)
    qsdask.ingest(late, tmp_path / "c.zarr", species=SPECIES, reference=data, boundary=flags, run=few)


def in_metres(frame: str) -> str:
    """A frame whose lengths are in ``si`` units, which it does not say."""
    head, bounds, columns, body = re.match(r"(?s)(.*BOX BOUNDS[^\n]*\n)(.*?)(ITEM: ATOMS[^\n]*\n)(.*)", frame).groups()
    box = "".join(" ".join(repr(float(v) * 1e-10) for v in row.split()) + "\n" for row in bounds.splitlines())
    return (
        head
        + box
        + with_rows(columns + body, lambda rows: [[*r[:2], *(repr(float(v) * 1e-10) for v in r[2:])] for r in rows])
    )


@pytest.mark.parametrize("teller", ["reference", "trajectory", "data file"])
def test_units_are_those_of_the_file_that_tells_them_and_lengths_are_converted_once(run, whole, tmp_path, few, teller):
    """In metres a box that is taken for angstrom is none: the file that does not tell its units must not be refused for it."""
    frames = [in_metres(frame) for frame in run]
    if teller == "reference":
        first = written(tmp_path / "relaxed.dump", "ITEM: UNITS\nsi\n" + frames[0])
    elif teller == "trajectory":
        first = written(tmp_path / "relaxed.dump", frames[0])
        frames = ["ITEM: UNITS\nsi\n" + frame for frame in frames]
    else:  # tells units and no boundary, the trajectory a boundary and no units
        first = as_data(run[0], tmp_path / "relaxed.data")
        lines = first.read_text().replace("timestep = 990000", "timestep = 990000, units = si").splitlines()
        number = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
        lines = [lines[0], *(number.sub(lambda v: repr(float(v[0]) * 1e-10), line) for line in lines[1:])]
        first.write_text("\n".join(lines) + "\n")
    rest = written(tmp_path / "run.dump", *frames[1:])
    assert not qsdask.check(rest, reference=first, species=SPECIES).errors
    store = qsdask.ingest(rest, tmp_path / "a.zarr", species=SPECIES, reference=first, chunk=16, run=few)
    found, wanted = by_id(store), by_id(whole)
    np.testing.assert_allclose(found["cell"], wanted["cell"], atol=1e-7)
    np.testing.assert_allclose(found["position"], wanted["position"], atol=1e-6)
    np.testing.assert_allclose(found["strain"], wanted["strain"], atol=1e-9)


def test_contradictions_name_both_files(run, tmp_path, capsys):
    free = written(tmp_path / "free.dump", run[0].replace("pp pp pp", "ff pp pp"))
    rest = written(tmp_path / "run.dump", *run[1:])
    said = refusal_of("ingest", rest, tmp_path / "g.zarr", "--reference", free, code="E-BOUNDARY", capsys=capsys)
    assert "reference is ff pp pp, that of" in said
    assert str(free) in said
    assert str(rest) in said
    units = "ITEM: UNITS\n{}\n"
    metal = written(tmp_path / "metal.dump", units.format("metal") + run[0])
    real = written(tmp_path / "real.dump", *(units.format("real") + frame for frame in run[1:]))
    said = refusal_of("ingest", real, tmp_path / "g.zarr", "--reference", metal, code="E-UNITS", capsys=capsys)
    assert "'metal'" in said
    assert "'real'" in said
    assert str(real) in said
    assert qsdask.check(rest, reference=metal).errors == []  # one of them does not tell
    # Periodic by definition, unless the user says otherwise.
    poscar = tmp_path / "POSCAR"
    ordered = with_rows(run[0], lambda rows: sorted(rows, key=lambda row: row[1]))
    (first,) = open_trajectory(written(tmp_path / "o.dump", ordered)).read()
    counts = np.bincount(first.type)[1:].tolist()
    lines = ["glass", "1.0", *(" ".join(map(repr, v)) for v in first.cell.tolist()), "Cu Zr", "{} {}".format(*counts)]
    lines += ["Cartesian", *(" ".join(map(repr, x)) for x in (first.position - first.origin).tolist())]
    poscar.write_text("\n".join(lines) + "\n")
    rest = written(tmp_path / "run.dump", *(frame.replace("pp pp pp", "ff pp pp") for frame in run[1:]))
    more = ("--reference", poscar, "--assume-order")
    said = refusal_of("ingest", rest, tmp_path / "g.zarr", *more, code="E-BOUNDARY", capsys=capsys)
    assert "--boundary" in said
    # What is left is that atom k of the file is not the one with id k in this run.
    refusal_of("ingest", rest, tmp_path / "g.zarr", *more, "--boundary", "fpp", code="E-SPECIES", capsys=capsys)


def test_atoms_without_ids_are_matched_by_their_order_only_when_the_user_says_so(run, tmp_path, few, capsys):
    numbered = [with_rows(f, lambda rows: [[str(k), *row[1:]] for k, row in enumerate(rows, 1)]) for f in run]
    rest = written(tmp_path / "run.dump", *numbered[1:])
    bare = as_extxyz(numbered[0], tmp_path / "relaxed.extxyz", ids=False)
    said = refusal_of("ingest", rest, tmp_path / "g.zarr", "--reference", bare, code="E-NO-ID", capsys=capsys)
    assert "the reference have no ids" in said
    assert str(bare) in said
    assert "--assume-order" in said
    assert command("ingest", rest, tmp_path / "g.zarr", "--reference", bare, "--assume-order") == 0
    assert "W-ASSUMED-ORDER: the atoms of the reference have no ids" in capsys.readouterr().err
    dump = written(tmp_path / "all.dump", *numbered)
    whole = qsdask.ingest(dump, tmp_path / "w.zarr", species=SPECIES, run=few)
    for store in (whole, tmp_path / "g.zarr"):
        qsdask.respond(store, run=few)
    np.testing.assert_allclose(by_id(tmp_path / "g.zarr")["d2min"], by_id(whole)["d2min"], rtol=1e-4, atol=1e-6)
    # A format without ids keeps an order of its own: alone it needs no word, beside ids it does.
    (first,) = open_trajectory(written(tmp_path / "f.dump", numbered[0])).read()
    counts = " ".join(map(str, np.bincount(first.type)[1:]))
    lattice = [" ".join(map(repr, vector)) for vector in first.cell.tolist()]
    places = [" ".join(map(repr, x)) for x in np.random.default_rng(1).random((60, 3)).tolist()]
    text = "\n".join(["glass", "1.0", *lattice, "Cu Zr", counts, "Direct configuration=     1", *places])
    ordered = written(tmp_path / "XDATCAR", text + "\n")
    assert open_trajectory(ordered).frames[0].has_id
    refusal_of("ingest", rest, tmp_path / "x.zarr", "--reference", ordered, code="E-NO-ID", capsys=capsys)
    with pytest.raises(BadDataError, match="E-NO-ID"):
        open_trajectory([ordered, rest])
    # A dump without ids behind a reference that has some is no better.
    nameless = [with_rows(f.replace("id type", "type"), lambda rows: [row[1:] for row in rows]) for f in numbered]
    late, alone = written(tmp_path / "late.dump", nameless[1]), written(tmp_path / "alone.dump", numbered[0])
    with pytest.raises(BadDataError, match="E-NO-ID: the atoms of the trajectory have no ids"):
        qsdask.ingest(late, tmp_path / "x.zarr", species=SPECIES, reference=alone, run=few)


def test_species_are_those_of_the_file_that_tells_them(run, tmp_path, few):
    named = [with_rows(f.replace("id type", "id type element"), _with_elements) for f in run]
    data = as_data(run[0], tmp_path / "relaxed.data")
    rest = written(tmp_path / "named.dump", *named[1:])
    typed = written(tmp_path / "typed.dump", *run[1:])
    xyz = as_extxyz(run[0], tmp_path / "relaxed.extxyz")
    wanted = qsdask.ingest(tmp_path / "whole.dump", tmp_path / "w.zarr", species=SPECIES, run=few)
    wanted = _species(wanted)
    assert _species(qsdask.ingest(rest, tmp_path / "a.zarr", reference=data, run=few)) == wanted
    assert _species(qsdask.ingest(typed, tmp_path / "b.zarr", reference=xyz, run=few)) == wanted
    # The elements of one and the types of the other are held against what the user says.
    assert _species(qsdask.ingest(typed, tmp_path / "c.zarr", reference=xyz, species=SPECIES, run=few)) == wanted
    with pytest.raises(BadDataError, match=r"E-SPECIES.*--species says Zr, the element column says Cu"):
        qsdask.ingest(typed, tmp_path / "d.zarr", reference=xyz, species={1: "Zr", 2: "Cu"}, run=few)
    assert [e.code for e in qsdask.check(rest, reference=data).errors] == []
    # Neither tells.
    with pytest.raises(BadDataError, match=r"(?s)E-SPECIES.*--species 1=Cu,2=Zr"):
        qsdask.ingest(typed, tmp_path / "e.zarr", reference=data, run=few)
    # An atom that is lost at once is like those of its type.
    fewer = [with_rows(f, lambda rows: rows[3:]) for f in named[1:]]
    some = written(tmp_path / "fewer.dump", *fewer)
    store = qsdask.ingest(some, tmp_path / "f.zarr", reference=data, lost_atoms="mask", run=few)
    assert _species(store) == wanted
    # Types that mean something else in the two files.
    swapped = [with_rows(f, lambda rows: [[r[0], str(3 - int(r[1])), *r[2:]] for r in rows]) for f in run[1:]]
    with pytest.raises(BadDataError, match="E-TYPE-CHANGE"):
        qsdask.ingest(
            written(tmp_path / "s.dump", *swapped), tmp_path / "h.zarr", reference=data, species=SPECIES, run=few
        )


def _with_elements(rows):
    return [[*row[:2], {"1": "Cu", "2": "Zr"}[row[1]], *row[2:]] for row in rows]


def _species(store) -> dict[int, str]:
    atoms = qsdask.open_store(store)["atoms"].ds
    names = atoms["species_name"].values[atoms["species"].values]
    return dict(zip(atoms["id"].values.tolist(), names.tolist(), strict=True))


def test_a_flip_between_the_reference_and_the_first_frame_is_undone(tmp_path, few):
    gradients = [sheared("xy", gamma) for gamma in (0.0, 0.06, 0.12)]
    near = short_tilts(np.array([[9.2, 0, 0], [4.4, 11.4, 0], [0, 0, 13.6]]))
    straight = run_of(gradients, tmp_path / "straight.dump", near, jump=0.01)
    flipped = run_of(gradients, tmp_path / "flipped.dump", near, jump=0.01, flipped=True)
    wanted = qsdask.respond(qsdask.ingest(straight, tmp_path / "s.zarr", species=SPECIES, run=few), run=few)
    first, *late = frames_of(flipped)
    rest = written(tmp_path / "rest.dump", *late)
    for name, make in (("data", as_data), ("extxyz", as_extxyz)):
        alone = make(first, tmp_path / f"relaxed.{name}")
        store = qsdask.ingest(rest, tmp_path / f"{name}.zarr", species=SPECIES, reference=alone, run=few)
        qsdask.respond(store, run=few)
        np.testing.assert_allclose(by_id(store)["strain"], [0, 0.06, 0.12], atol=1e-5)
        np.testing.assert_allclose(by_id(store)["d2min"], by_id(wanted)["d2min"], rtol=1e-3, atol=1e-5)
        codes = [w["code"] for w in qsdask.info(store)["stages"][0]["provenance"]["warnings"]]
        assert "W-BOX-FLIP" in codes


def test_a_reference_that_stands_in_the_trajectory_too_is_a_frame_of_strain_zero(run, tmp_path, few):
    alone = written(tmp_path / "relaxed.dump", run[0])
    store = qsdask.ingest(tmp_path / "whole.dump", tmp_path / "g.zarr", species=SPECIES, reference=alone, run=few)
    qsdask.respond(store, run=few)
    np.testing.assert_allclose(by_id(store)["strain"], [0, 0, 0.01, 0.03, 0.06], atol=1e-6)
    assert np.abs(by_id(store)["d2min"][1]).max() < 1e-20


def test_unwrapped_frames_may_follow_a_wrapped_reference(run, whole, tmp_path, few):
    (*_, last) = run
    cell = next(iter(open_trajectory(tmp_path / "whole.dump").read(3, 4))).cell

    def out(rows):
        turned = (np.array([row[2:] for row in rows], float) + np.arange(len(rows))[:, None] * cell[0]).tolist()
        return [[*row[:2], *(f"{v:.5f}" for v in x)] for row, x in zip(rows, turned, strict=True)]

    apart = with_rows(last, out).replace("x y z", "xu yu zu")
    alone, rest = written(tmp_path / "relaxed.dump", run[0]), written(tmp_path / "run.dump", apart)
    store = qsdask.ingest(rest, tmp_path / "g.zarr", species=SPECIES, reference=alone, run=few)
    qsdask.respond(store, run=few)
    assert qsdask.check(rest, reference=alone).warnings[0].code == "W-CONVENTION"
    np.testing.assert_allclose(by_id(store)["d2min"][1], by_id(whole)["d2min"][3], rtol=1e-3, atol=1e-5)


def test_what_is_no_reference_is_refused(run, tmp_path, few, capsys):
    rest = written(tmp_path / "run.dump", *run[1:])
    both = written(tmp_path / "both.dump", *run[:2])
    said = refusal_of("ingest", rest, tmp_path / "g.zarr", "--reference", both, code="E-REFERENCE", capsys=capsys)
    assert "has 2 frames" in said
    refusal_of("ingest", rest, tmp_path / "g.zarr", "--reference", tmp_path / "no", code="E-NO-FILE", capsys=capsys)
    other = with_rows(run[0], lambda rows: [[str(int(r[0]) + 10**6), *r[1:]] for r in rows])
    alone = written(tmp_path / "other.dump", other)
    more = ("--reference", alone, "--lost-atoms", "mask", "--new-atoms", "ignore")
    said = refusal_of("ingest", rest, tmp_path / "g.zarr", *more, code="E-LOST-ATOMS", capsys=capsys)
    assert "all 60 atoms" in said
    # Timesteps that collide name the way on, and the store that was never made binds nothing.
    alone = written(tmp_path / "relaxed.dump", renumbered(run[0], 10))
    rest = written(tmp_path / "run.dump", *(renumbered(f, 5 * k) for k, f in enumerate(run[1:])))
    said = refusal_of("ingest", alone, rest, tmp_path / "g.zarr", code="E-STEP-ORDER", capsys=capsys)
    assert "--reference" in said
    assert command("ingest", rest, tmp_path / "g.zarr", "--reference", alone) == 0


def test_another_reference_is_another_store(run, whole, tmp_path, few):
    alone = written(tmp_path / "relaxed.dump", run[0])
    rest = written(tmp_path / "run.dump", *run[1:])
    store = qsdask.ingest(rest, tmp_path / "g.zarr", species=SPECIES, reference=alone, run=few)
    moved = written(
        tmp_path / "moved.dump", with_rows(run[0], lambda rows: [[*r[:4], f"{float(r[4]) + 0.01:.5f}"] for r in rows])
    )
    with pytest.raises(Exception, match="E-SETTINGS"):
        qsdask.ingest(rest, store, species=SPECIES, reference=moved, run=few)


def test_recipes_name_it_beside_the_specimen_with_paths_of_their_own(run, tmp_path, few, monkeypatch):
    home = tmp_path / "recipes"
    home.mkdir()
    written(home / "relaxed.dump", renumbered(run[0], 7))
    written(home / "run.dump", *run[1:])
    (home / "strain.txt").write_text("0\n0.01\n0.03\n0.06\n")
    (home / "r.toml").write_text(
        '[[specimen]]\nname = "a"\ntrajectory = "run.dump"\nreference = "relaxed.dump"\nrole = "train"\n'
        '[ingest]\nspecies = {1 = "Cu", 2 = "Zr"}\nstrain_file = "strain.txt"\n'
        "[train]\nstrain = 0.06\nthreshold = 0.001\n"
    )
    monkeypatch.chdir(tmp_path)
    (plans,) = qsdask.plan(home / "r.toml").values()
    assert plans[0].tasks == 4
    with pytest.raises((BadDataError, UsageError)):  # sixty atoms teach nothing; the store is there
        qsdask.run(home / "r.toml", folder=tmp_path / "job", run=few)
    tree = qsdask.open_store(tmp_path / "job" / "a.zarr")
    assert tree["frames/strain"].values.tolist() == [0, 0.01, 0.03, 0.06]
    assert tree["frames/timestep"].values.tolist() == [7, 1, 2, 3]
    shutil.rmtree(tmp_path / "job")
