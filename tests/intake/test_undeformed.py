"""The undeformed frame part by part: the rows of the recursion in memory, however the file and the work are cut."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError
from qsdask.files.durable import write_durable
from qsdask.formats import container, open_trajectory
from qsdask.intake import rowtable, survey, undeformed
from qsdask.intake.rows import atoms_of
from qsdask.intake.undeformed import Passes, once
from qsdask.settings import IngestSettings, ReadingSettings
from qsdask.space import cuts, domains
from qsdask.space.box import Box
from qsdask.space.cuts import Sample, Sizes
from qsdask.space.domains import EXTENTS, REGIONS, bisect
from qsdask.stages import arranging, ingest
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.store_files import content_of

CHUNK = 16
SPECIES = {1: "Cu", 2: "Zr"}
TILTED = np.array([[24.0, 0.0, 0.0], [7.0, 20.0, 0.0], [-5.0, 3.0, 28.0]])


def gas(n: int, cell: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 3)) @ cell


def lattice(cell: np.ndarray) -> np.ndarray:
    """Ties along every axis: more atoms have one coordinate than a part has room for."""
    return (np.stack(np.meshgrid(*[np.arange(9)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) / 9.0) @ cell


CUBE = np.eye(3) * 30.0
FRAMES = {
    "gas": (gas(700, CUBE), CUBE),
    "tilted": (gas(700, TILTED), TILTED),
    "corner": (gas(700, CUBE) * 0.02, CUBE),
    "two corners": (np.concatenate([gas(600, CUBE) * 0.02, 29.0 + gas(100, CUBE, 1) * 0.02]), CUBE),
    "lattice": (lattice(CUBE), CUBE),
    "tilted lattice": (lattice(TILTED), TILTED),
    "plane": (gas(700, CUBE) * [1.0, 1.0, 1e-4], CUBE),
    "line": (gas(700, CUBE) * [1e-3, 1e-3, 1.0], CUBE),
    "few": (gas(5, CUBE), CUBE),
    "one": (gas(1, CUBE), CUBE),
}


def dump_of(
    path: Path, position: np.ndarray, cell: np.ndarray, ids: np.ndarray, order: np.ndarray | None = None
) -> Path:
    """A dump of one frame whose atoms stand in this order; the type follows the id."""
    a, b, c = cell
    tilt = (b[0], c[0], c[1])
    low = [min(0.0, b[0], c[0], b[0] + c[0]), min(0.0, c[1]), 0.0]
    high = [a[0] + max(0.0, b[0], c[0], b[0] + c[0]), b[1] + max(0.0, c[1]), c[2]]
    bounds = [f"{x!r} {y!r} {t!r}" for x, y, t in zip(map(float, low), map(float, high), map(float, tilt), strict=True)]
    head = f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{len(ids)}\nITEM: BOX BOUNDS xy xz yz pp pp pp\n"
    rows = [
        f"{ids[k]} {1 + int(ids[k]) % 2} {' '.join(repr(float(x)) for x in position[k])}"
        for k in (range(len(ids)) if order is None else order)
    ]
    path.write_text(head + "\n".join([*bounds, "ITEM: ATOMS id type x y z", *rows]) + "\n")
    return path


def ids_for(n: int, seed: int = 3) -> np.ndarray:
    """Ids with gaps in no order."""
    return np.random.default_rng(seed).permutation(5 * n)[:n].astype(np.int64) + 1


@pytest.fixture
def small(monkeypatch):
    """Small parts, samples, sections and slices."""

    def make(part: int = 100, sample: int = 120, marked: int = 90, sections: int = 512, slices: int = 150) -> None:
        for room in (cuts, undeformed):
            monkeypatch.setattr(room, "sizes_of", lambda n: Sizes(part, sample))
        monkeypatch.setattr(container, "MARKED", marked)
        monkeypatch.setattr(undeformed, "_SECTIONS", sections)
        for room in (rowtable, undeformed):
            monkeypatch.setattr(room, "SLICE", slices)

    return make


class Rows:
    """What the passes make of a dump, and how many tasks they did."""

    def __init__(self, dump: Path, folder: Path, stop_after: int | None = None) -> None:
        self.folder, self.done = folder, 0
        self._stop = stop_after
        passes = Passes(open_trajectory(dump).portion([0]), folder, CHUNK, REGIONS, None)
        seen = passes.survey(self.each)
        kinds = {pair: pair[0] - 1 for pair in seen.kinds}
        self.arranged = passes.arranged(self.each, seen, kinds)
        self.survey = seen

    def each(self, label, tasks):
        found = []
        for name, *task in tasks:
            if not (self.folder / f"{name}.json").is_file():
                if self.done == self._stop:
                    raise KeyboardInterrupt
                self.done += 1
            found.append(once(str(self.folder), name, *task)[1])
        return found

    @property
    def ids(self) -> np.ndarray:
        return np.concatenate([atoms_of(str(self.folder), p, p.first, p.stop)[0] for p in self.arranged.parts])


def expected(position: np.ndarray, cell: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids in the order of the recursion in memory, and the wrapped reduced coordinates."""
    box = Box(cell, np.zeros(3), np.ones(3, dtype=bool))
    wrapped = box.wrap(position)
    order = bisect(wrapped, ids, box, CHUNK)
    return ids[order], box.reduced(wrapped[order]).astype(np.float32)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("part", [20, 100, 10**6])
def test_the_rows_are_those_of_the_recursion(tmp_path, small, name, part):
    small(part=part)
    position, cell = FRAMES[name]
    ids = ids_for(len(position))
    made = Rows(dump_of(tmp_path / "x.dump", position, cell, ids), tmp_path / "scratch")
    wanted, reduced = expected(position, cell, ids)
    np.testing.assert_array_equal(made.ids, wanted)
    assert len(made.arranged.parts) >= len(ids) // max(part, CHUNK)
    table = made.arranged.table
    row, species = table.found(wanted)
    np.testing.assert_array_equal(row, np.arange(len(ids)))
    np.testing.assert_array_equal(species, wanted % 2)
    for start in range(0, len(ids), CHUNK):
        stop = min(start + CHUNK, len(ids))
        np.testing.assert_array_equal(table.reduced(start, stop), reduced[start:stop])
    assert (table.rows_of(np.setdiff1d(np.arange(-5, 6 * len(ids)), ids)) == -1).all()
    rising = np.concatenate([part for part, _ in table.in_order(40)])
    np.testing.assert_array_equal(rising, np.sort(ids))


@pytest.mark.parametrize("name", ["gas", "tilted", "lattice", "two corners"])
@pytest.mark.parametrize(("marked", "sections"), [(90, 512), (90, 3), (7, 512), (10**6, 1)])
def test_neither_the_order_of_the_file_nor_its_sections_matter(tmp_path, small, name, marked, sections):
    small(marked=marked, sections=sections)
    position, cell = FRAMES[name]
    ids = ids_for(len(position))
    wanted, _ = expected(position, cell, ids)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(ids))
        dump = dump_of(tmp_path / f"{seed}.dump", position, cell, ids, order)
        made = Rows(dump, tmp_path / f"scratch-{seed}")
        np.testing.assert_array_equal(made.ids, wanted)
        assert made.survey.digest == next(iter(open_trajectory(dump).read())).digest


def test_a_sample_that_misleads_is_found_out(tmp_path, small, monkeypatch):
    position, cell = FRAMES["gas"]
    ids = ids_for(len(position))

    def misled(atom_id, length, n_atom):
        chosen = length[:, 0] < 6.0
        return Sample(atom_id[chosen], length[chosen])

    small()
    for room in (survey, domains):
        monkeypatch.setattr(room, "sampled", misled)
    made = Rows(dump_of(tmp_path / "x.dump", position, cell, ids), tmp_path / "scratch")
    np.testing.assert_array_equal(made.ids, expected(position, cell, ids)[0])
    counts = {int(file.name.split("-")[1]) for file in (tmp_path / "scratch").glob("count-*.json")}
    assert len(counts) > 1


def test_without_a_sample_everything_is_counted(tmp_path, small, monkeypatch):
    position, cell = FRAMES["tilted"]
    ids = ids_for(len(position))
    small(slices=10**6)
    for room in (survey, domains):
        monkeypatch.setattr(room, "sampled", lambda atom_id, length, n_atom: Sample(atom_id[:0], length[:0]))
    made = Rows(dump_of(tmp_path / "x.dump", position, cell, ids), tmp_path / "scratch")
    np.testing.assert_array_equal(made.ids, expected(position, cell, ids)[0])


def test_the_sample_is_a_share_of_the_atoms_whoever_reads_them(small):
    small(sample=5000)
    ids = np.arange(100_000)
    length = np.random.default_rng(0).random((len(ids), 3))
    whole = cuts.sampled(ids, length, len(ids))
    assert abs(len(whole.id) - 5000) < 5 * np.sqrt(5000)
    parts = [cuts.sampled(ids[k : k + 777], length[k : k + 777], len(ids)) for k in range(0, len(ids), 777)]
    np.testing.assert_array_equal(np.concatenate([part.id for part in parts]), whole.id)


@pytest.mark.parametrize("name", ["gas", "lattice"])
def test_killed_in_any_pass_it_goes_on(tmp_path, small, name):
    small(marked=250, slices=400)
    position, cell = FRAMES[name]
    ids = ids_for(len(position))
    dump = dump_of(tmp_path / "x.dump", position, cell, ids)
    whole = Rows(dump, tmp_path / "whole")
    for k in range(whole.done):
        scratch = tmp_path / f"scratch-{k}"
        with pytest.raises(KeyboardInterrupt):
            Rows(dump, scratch, stop_after=k)
        resumed = Rows(dump, scratch)
        assert resumed.done == whole.done - k
        np.testing.assert_array_equal(resumed.ids, whole.ids)
        names = sorted(file.name for file in scratch.rglob("*"))
        assert names == sorted(file.name for file in (tmp_path / "whole").rglob("*"))


def test_what_is_left_of_another_file_is_no_use(tmp_path, small):
    small()
    position, cell = FRAMES["gas"]
    ids = ids_for(len(position))
    Rows(dump_of(tmp_path / "x.dump", position, cell, ids), tmp_path / "scratch")
    other = position[::-1].copy()
    made = Rows(dump_of(tmp_path / "x.dump", other, cell, ids), tmp_path / "scratch")
    np.testing.assert_array_equal(made.ids, expected(other, cell, ids)[0])


@pytest.mark.parametrize("part", [100, 10**6])
def test_an_id_that_stands_twice_is_named_with_both_lines(tmp_path, small, part):
    position, cell = FRAMES["gas"]
    ids = ids_for(len(position))
    ids[600] = ids[20]
    small(part=part)
    with pytest.raises(BadDataError, match="E-DUP-ID") as refusal:
        Rows(dump_of(tmp_path / "x.dump", position, cell, ids), tmp_path / "scratch")
    assert (refusal.value.line, refusal.value.atom_id, refusal.value.frame) == (10 + 600, ids[20], 0)
    assert "line 30" in refusal.value.message


@pytest.mark.parametrize("first", [143, 10])
def test_atoms_at_one_place_on_either_side_of_a_cut_are_found(tmp_path, small, first):
    """301 atoms are 19 domains of 16, and the first cut has nine of them, 144 atoms, to its left: it parts atom 143 and its copy."""
    x = np.linspace(0.5, 29.5, 300)
    position = np.stack([x, np.full_like(x, 3.0), np.full_like(x, 4.0)], axis=1) + gas(300, CUBE) * [0.0, 1e-3, 1e-3]
    copies = position[first : first + 1] + [4e-6, 0.0, 0.0]
    both = np.concatenate([position, copies])
    ids = np.arange(len(both))[::-1] + 1
    small(part=30, sample=60)
    with pytest.raises(BadDataError, match="E-OVERLAP") as refusal:
        Rows(dump_of(tmp_path / "x.dump", both, CUBE, ids), tmp_path / "scratch")
    assert "4e-06 angstrom" in refusal.value.message


@pytest.mark.parametrize("part", [100, 10**6])
def test_copies_of_a_cell_are_told_from_a_glass(tmp_path, small, part):
    position, cell = FRAMES["gas"]
    twice = np.concatenate([position, position + cell[0]])
    wide = cell * [[2.0], [1.0], [1.0]]
    # Types follow the ids, and copies have one type.
    ids = np.concatenate([np.arange(700) * 2 + 2, np.arange(700) * 2 + 5000])
    small(part=part)
    made = Rows(dump_of(tmp_path / "x.dump", twice, wide, ids), tmp_path / "scratch")
    assert [note.code for note in made.arranged.warnings] == ["W-REPLICATED"]
    assert "2 x 1 x 1" in made.arranged.warnings[0].text
    glass = Rows(dump_of(tmp_path / "y.dump", position, cell, ids_for(700)), tmp_path / "other")
    assert glass.arranged.warnings == ()


@pytest.mark.parametrize(
    ("line", "code"), [("7 2 nan 1 1", "E-NUMBER"), ("7 0 1 1 1", "E-TYPE"), ("7 2 1 1", "E-LINE")]
)
def test_a_bad_line_behind_a_mark_has_its_number(tmp_path, small, few, monkeypatch, line, code):
    small()
    monkeypatch.setattr(arranging, "MARKED", 0)
    position, cell = FRAMES["gas"]
    dump = dump_of(tmp_path / "x.dump", position, cell, np.arange(700) + 10)
    lines = dump.read_text().splitlines()
    lines[9 + 500] = line
    dump.write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadDataError, match=code) as refusal:
        qsdask.ingest("x.dump", tmp_path / "x.zarr", species=SPECIES, chunk=CHUNK, run=few)
    assert (refusal.value.line, refusal.value.frame, refusal.value.timestep) == (510, 0, 0)
    assert refusal.value.file == "x.dump"
    assert not (tmp_path / "x.zarr").exists()


def test_a_refusal_waits_for_the_tasks_that_go_on(tmp_path, small, few, monkeypatch):
    """Else they would write into the folder that is being removed."""
    small()
    monkeypatch.setattr(arranging, "MARKED", 0)
    position, cell = FRAMES["gas"]
    dump = dump_of(tmp_path / "x.dump", position, cell, np.arange(700) + 10)
    lines = dump.read_text().splitlines()
    lines[9 + 5] = "7 2 nan 1 1"
    dump.write_text("\n".join(lines) + "\n")
    late = []

    def slowly(path, data):
        time.sleep(0.3)
        late.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durable(path, data)

    monkeypatch.setattr(undeformed, "write_durable", slowly)
    with pytest.raises(BadDataError, match="E-NUMBER"):
        qsdask.ingest(dump, tmp_path / "x.zarr", species=SPECIES, chunk=CHUNK, run=few)
    assert late
    assert not (tmp_path / "x.zarr").exists()


def test_a_store_of_many_parts_is_that_of_one_task_after_the_other(tmp_path, small, few, monkeypatch):
    """Sections, slices, and where it is done: the same bytes."""
    position, cell = FRAMES["tilted"]
    ids = ids_for(len(position))
    small()
    dump = dump_of(tmp_path / "x.dump", position, cell, ids)
    stores = [tmp_path / "here.zarr", tmp_path / "there.zarr"]
    qsdask.ingest(dump, stores[0], species=SPECIES, chunk=CHUNK, name="glass", run=few)
    small(marked=33, slices=60)
    monkeypatch.setattr(arranging, "MARKED", 0)
    qsdask.ingest(dump, stores[1], species=SPECIES, chunk=CHUNK, name="glass", run=few)
    assert content_of(stores[0]) == content_of(stores[1])
    np.testing.assert_array_equal(StoreReader(stores[0])["atoms/id"][:], expected(position, cell, ids)[0])
    assert qsdask.verify(stores[0], progress=False) == []
    assert not (stores[0] / ".scratch").exists()


def test_a_store_of_before_keeps_the_order_of_its_rows(tmp_path, few):
    """Its record names no rule: it was cut by the extents of the atoms. It is resumed and mended so."""
    position, cell = FRAMES["two corners"]
    ids = ids_for(len(position))
    dump = dump_of(tmp_path / "glass.dump", position, cell, ids)
    new, old = tmp_path / "new.zarr", tmp_path / "glass.zarr"
    settings, reading = IngestSettings(species=SPECIES, chunk=CHUNK), ReadingSettings()
    ingest._ingested(dump, old, settings, reading, few, EXTENTS)
    qsdask.ingest(dump, new, species=SPECIES, chunk=CHUNK, name="glass", run=few)
    rows = StoreReader(old)["atoms/id"][:]
    assert (rows != StoreReader(new)["atoms/id"][:]).any()
    records = [ledger.read(store, "ingest") for store in (old, new)]
    assert [record.settings.get("rows") for record in records] == [None, REGIONS]
    np.testing.assert_array_equal(
        rows, ids[bisect(position, ids, Box(cell, np.zeros(3), np.ones(3, bool)), CHUNK, EXTENTS)]
    )
    before = content_of(old)
    ledger.reopen(old, records[0], [(0, 0, 0)])
    qsdask.ingest(dump, old, species=SPECIES, chunk=CHUNK, run=few)
    assert content_of(old) == before
    next((old / "atoms" / "id" / "c").iterdir()).write_bytes(b"damaged")
    qsdask.repair(old, source=dump, run=few)
    np.testing.assert_array_equal(StoreReader(old)["atoms/id"][:], rows)
    assert qsdask.verify(old, progress=False) == []
    qsdask.ingest(dump, old, species=SPECIES, chunk=CHUNK, run=replace(few, overwrite=True))
    assert ledger.read(old, "ingest").settings["rows"] == REGIONS


def test_a_reference_whose_species_the_next_frame_tells_is_arranged_too(tmp_path, few):
    position, cell = FRAMES["gas"]
    ids = ids_for(len(position))
    dump = dump_of(tmp_path / "x.dump", position, cell, ids)
    lines = [
        " ".join([w[0], *w[2:]]) if len(w := line.split()) == 5 and w[0].isdigit() else line
        for line in dump.read_text().splitlines()
    ]
    bare = tmp_path / "bare.dump"
    bare.write_text("\n".join(lines).replace("id type x", "id x") + "\n")
    qsdask.ingest(dump, tmp_path / "a.zarr", reference=bare, species=SPECIES, chunk=CHUNK, run=few)
    root = StoreReader(tmp_path / "a.zarr")
    np.testing.assert_array_equal(root["atoms/id"][:], expected(position, cell, ids)[0])
    np.testing.assert_array_equal(root["atoms/species"][:], root["atoms/id"][:] % 2)
