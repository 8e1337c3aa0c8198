"""The first minimum of g(r) where a cut-off is asked for, and cut-offs and radii that cannot be meant."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError
from qsdask.stages.cutoffs import first_minimum, minimum_of
from qsdask.store import ledger
from tests.conftest import SPECIES

#: Basis of cubic lattices, and the neighbours that are taken for the first shell: in b.c.c. 8 and 6.
LATTICES = {
    "sc": ([(0, 0, 0)], 6),
    "bcc": ([(0, 0, 0), (0.5, 0.5, 0.5)], 14),
    "fcc": ([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], 12),
}


def pair_counts(position: np.ndarray, edge: float) -> tuple[np.ndarray, float]:
    """Pairs in 560 bins up to 2.8 distances between atoms in a periodic cube, and the width of a bin: SciPy's count."""
    width = 0.005 * edge / len(position) ** (1 / 3)
    tree = cKDTree(position % edge, boxsize=edge)
    found = tree.count_neighbors(tree, np.arange(561) * width, cumulative=False)
    return found[1:], width


def dump_of(frames, flags="pp pp pp", head="") -> str:
    """Text of frames (cell edge, positions), type 1 all of them."""
    text = ""
    for step, (edge, position) in enumerate(frames):
        rows = "".join(f"{i} 1 {x:.7f} {y:.7f} {z:.7f}\n" for i, (x, y, z) in enumerate(position, start=1))
        text += f"{head if step == 0 else ''}ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(position)}\n"
        text += f"ITEM: BOX BOUNDS {flags}\n" + f"0 {edge!r}\n" * 3 + f"ITEM: ATOMS id type x y z\n{rows}"
    return text


def lattice(name: str, cells: int, noise: float) -> tuple[float, np.ndarray]:
    """Edge and positions of a cube of cells with lattice constant 1 and atoms that left their places by `noise`."""
    grid = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    sites = (grid + np.array(LATTICES[name][0])).reshape(-1, 3).astype(float)
    return float(cells), (sites + np.random.default_rng(1).normal(0, noise, sites.shape)) % cells


def ingested(folder, text: str, few, name: str = "glass", **settings):
    (folder / f"{name}.dump").write_text(text)
    settings = {"species": SPECIES, "strain_step": 0.01, **settings}
    return qsdask.ingest(folder / f"{name}.dump", folder / f"{name}.zarr", run=few, **settings)


def told(store, stage: str) -> list[str]:
    return [w["code"] for w in ledger.require(store, stage).facts.get("warnings", [])]


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("name", LATTICES)
def test_the_first_shell_of_a_crystal_ends_where_it_should(name, noise):
    edge, position = lattice(name, 7, noise)
    count, width = pair_counts(position, edge)
    place = minimum_of(count)
    inside = cKDTree(position, boxsize=edge).count_neighbors(cKDTree(position, boxsize=edge), place * width)
    assert inside / len(position) - 1 == pytest.approx(LATTICES[name][1], abs=0.2)


@pytest.mark.parametrize("n", [50, 500, 5000])
def test_a_gas_has_no_first_shell(n, tmp_path, few):
    position = np.random.default_rng(n).random((n, 3)) * 20.0
    assert minimum_of(pair_counts(position, 20.0)[0]) is None
    if n == 500:
        store = ingested(tmp_path, dump_of([(20.0, position)]), few)
        with pytest.raises(BadDataError, match=r"(?s)E-NO-MINIMUM.*--cutoff"):
            qsdask.shells(store, cutoff="auto", run=few)


def test_the_minimum_is_that_of_scipy_and_freud_however_the_work_is_cut(frames, tmp_path, few, freud):
    store = ingested(tmp_path, frames[0], few, chunk=65536)
    cut = ingested(tmp_path, frames[0], few, name="cut", chunk=700)
    found = first_minimum(store, few)
    assert first_minimum(cut, few) == found
    tree = qsdask.open_store(store)["frames"].ds
    edge = np.diag(tree["cell"].values[0])
    position = tree["position"].values[0] - tree["origin"].values[0]
    spacing = (edge.prod() / len(position)) ** (1 / 3)
    # The outermost atoms are a little inside of the box, and bins a little narrower.
    trees = cKDTree(position % edge, boxsize=edge)
    count = trees.count_neighbors(trees, np.arange(561) * 0.005 * spacing, cumulative=False)[1:]
    assert found == pytest.approx(minimum_of(count) * 0.005 * spacing, abs=0.01)
    rdf = freud.density.RDF(bins=140, r_max=2.8 * spacing)
    rdf.compute((freud.box.Box(*edge), position - edge / 2))
    g, r = rdf.rdf, rdf.bin_centers
    near = (r > 1.2 * spacing) & (r < 1.8 * spacing)
    # The least of 140 bins is one of those about the smooth minimum.
    assert abs(r[near][g[near].argmin()] - found) < 0.15
    assert g[np.abs(r - found).argmin()] < g[near].min() + 0.05


def test_the_number_found_is_what_is_kept(frames, tmp_path, few, capsys):
    store = str(ingested(tmp_path, "".join(frames[:2]), few))
    number = first_minimum(store, few)
    options = ["--cluster", "threads", "--quiet"]
    for command in ("shells", "respond"):
        for cutoff in ("auto", str(number), "auto"):
            assert main([command, store, "--cutoff", cutoff, *options]) == 0
        assert f"cut-off {number:g} angstrom: the first minimum of g(r)" in capsys.readouterr().out
    assert ledger.require(store, "shells").settings["cutoff_angstrom"] == number
    assert ledger.require(store, "response/d2min").settings["cutoff_angstrom"] == number
    filled = qsdask.open_store(store)["shells/cutoff"].ds["neighbour"].values >= 0
    assert filled.sum() / len(filled) == pytest.approx(13, abs=0.2)


def test_usual_cut_offs_and_radii_are_no_cause_for_a_word(glass):
    for stage in ("shells", "features/interstice", "response/d2min"):
        assert "warnings" not in ledger.require(glass, stage).facts


@pytest.mark.parametrize(
    ("settings", "shell", "response", "expected"),
    [
        ({}, 7.0, 7.0, (["W-MANY-NEIGHBOURS"], ["W-MANY-NEIGHBOURS"])),
        ({}, 6.0, 6.0, (["W-MANY-NEIGHBOURS"], [])),
        ({}, 2.4, 2.4, (["W-FEW-NEIGHBOURS"], ["W-FEW-NEIGHBOURS"])),
        ({"radius": {"Cu": 2.5, "Zr": 2.9}}, 4.0, 4.0, (["W-RADII"], ["W-RADII"])),
        ({"radius": {"Cu": 0.5, "Zr": 0.6}}, 4.0, 4.0, (["W-RADII"], ["W-RADII"])),
    ],
)
def test_what_cannot_be_meant_is_a_warning(settings, shell, response, expected, frames, tmp_path, few, capsys):
    store = ingested(tmp_path, "".join(frames[:2]), few, chunk=1000, **settings)
    options = ["--cluster", "threads", "--quiet"]
    assert main(["shells", str(store), "--cutoff", str(shell), *options]) == 0
    said = capsys.readouterr().err
    assert main(["respond", str(store), "--cutoff", str(response), *options]) == 0
    for stage, codes, text in (("shells", expected[0], said), ("response/d2min", expected[1], capsys.readouterr().err)):
        assert told(store, stage) == codes
        assert all(f"warning {code}: " in text for code in codes)


def test_half_of_the_box_is_said_with_its_axis(golden, tmp_path, few):
    text = (golden / "cuzr256.dump").read_text()
    store = ingested(tmp_path, text, few)
    # The box is 15.9, 16.0 and 16.7 wide.
    qsdask.shells(store, cutoff=7.9, run=few)
    assert told(store, "shells") == ["W-MANY-NEIGHBOURS"]
    again = type(few)("threads", 2, True, False)
    qsdask.shells(store, cutoff=8.0, run=again)
    (warning, _) = ledger.require(store, "shells").facts["warnings"]
    assert warning["code"] == "W-HALF-BOX"
    assert "half of the box, 7.958 along a" in warning["text"]
    free = ingested(tmp_path, text.replace("pp pp pp", "ff ff pp"), few, name="free")
    qsdask.shells(free, cutoff=8.2, run=few)
    assert "W-HALF-BOX" not in told(free, "shells")
    qsdask.features(free, set="interstice", coarsen_radius=[8.5], run=few)
    assert told(free, "features/interstice") == ["W-HALF-BOX"]
    qsdask.features(free, set="symmetry_function", run=few)
    assert told(free, "features/symmetry_function") == ["W-HALF-BOX"]


def test_a_model_repeats_what_its_stores_warned_of(golden, tmp_path, few):
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    moved = np.random.default_rng(5).normal(0, 0.4, (256, 3))
    rows = [line.split() for line in lines[9:]]
    later = [
        f"{i} {t} " + " ".join(f"{float(v) + d:.5f}" for v, d in zip(x, u, strict=True))
        for (i, t, *x), u in zip(rows, moved, strict=True)
    ]
    text = "\n".join([*lines, lines[0], "1", *lines[2:9], *later]) + "\n"
    store = ingested(tmp_path, text, few, radius={"Cu": 2.6, "Zr": 3.0})
    qsdask.shells(store, run=few)
    qsdask.features(store, set="coordination", run=few)
    qsdask.respond(store, run=few)
    model = qsdask.train(
        store,
        model=tmp_path / "m.qs",
        set="coordination",
        strain=0.01,
        threshold=5.0,
        folds=2,
        draws=1,
        trees=2,
        run=few,
    )
    assert any(
        note.startswith("W-RADII: 100% of the bonds") and note.endswith("(glass)")
        for note in qsdask.learn.loaded(str(model)).warnings
    )
