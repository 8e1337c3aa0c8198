"""How a run was loaded: each kind of loading gives its strain, through tilts, flips, noise and sides without period."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.formats.continuity import unflipped
from qsdask.intake.loading import COMPONENTS, components, deformation_gradient, loading_of, measurable
from qsdask.settings import IngestSettings
from tests.conftest import SPECIES
from tests.naive.d2min import d2min
from tests.naive.neighbours import neighbours
from tests.stages.test_steps import dump_of
from tests.store_files import content_of

BOX = np.diag([9.2, 11.4, 13.6])
TILTED = np.array([[9.2, 0, 0], [1.1, 11.4, 0], [-0.8, 0.6, 13.6]])
ALL = np.ones(3, bool)
AXES = {"x": 0, "y": 1, "z": 2}
SHEARS = {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}

RISING = np.linspace(0.0, 0.12, 13)
THERE_AND_BACK = np.array([0, 0.02, 0.04, 0.06, 0.05, 0.03, 0.012])
CYCLE = 0.05 * np.sin(2 * np.pi * np.arange(21) / 20)
CREEP = np.array([0, 0.01, 0.02, 0.03, 0.03, 0.03, 0.03])
PATHS = {"rising": RISING, "unloading": THERE_AND_BACK, "cycle": CYCLE, "creep": CREEP}


def stretched(axis: str, strain: float, poisson: float = 0.35) -> np.ndarray:
    """Deformation gradient of a side pulled, the others following."""
    stretch = np.full(3, 1.0 - poisson * strain)
    stretch[AXES[axis]] = 1.0 + strain
    return np.diag(stretch)


def sheared(plane: str, gamma: float) -> np.ndarray:
    """Deformation gradient of simple shear."""
    gradient = np.eye(3)
    gradient[SHEARS[plane]] = gamma
    return gradient


def short_tilts(cell: np.ndarray) -> np.ndarray:
    """The same lattice as LAMMPS flips it: tilts of half of the box lengths at most."""
    told = np.array(cell)
    for row, column in ((2, 1), (2, 0), (1, 0)):
        told[row] -= np.rint(told[row, column] / told[column, column]) * told[column]
    return told


def loaded(gradients, cell=BOX, periodic=ALL, **settings):
    """Loading of cells that follow these gradients; lattice vectors are rows."""
    return loading_of(np.array([cell @ gradient.T for gradient in gradients]), periodic, IngestSettings(**settings))


@pytest.mark.parametrize("cell", [BOX, TILTED], ids=["box", "tilted"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_along_every_path(component, path, sign, cell):
    strain = PATHS[path]
    if component == "volume":
        gradients = [np.eye(3) * (1.0 + sign * e) ** (1 / 3) for e in strain]
    elif component in AXES:
        gradients = [stretched(component, sign * e) for e in strain]
    else:
        gradients = [sheared(component, sign * e) for e in strain]
    found = loaded(gradients, cell)
    assert found.component == component
    np.testing.assert_allclose(found.strain, strain, atol=1e-13)
    np.testing.assert_allclose(found.deformation, gradients, atol=1e-13)
    assert found.warnings == []
    assert loaded(gradients, cell, strain_file=strain.tolist()).warnings == []


def test_the_loading_is_named_with_its_first_direction():
    assert loaded([stretched("y", -e) for e in CYCLE]).name == "compression along y"
    assert loaded([stretched("x", e) for e in RISING]).name == "elongation along x"
    assert loaded([sheared("xz", -e) for e in RISING]).name == "shear xz"
    assert loaded([np.eye(3) * (1 - e) for e in RISING]).name == "compression"


@pytest.mark.parametrize("plane", SHEARS)
def test_simple_shear_through_box_flips(plane):
    gammas = np.arange(0.0, 3.2, 0.17)
    cell, cells, n_flip = TILTED, [], 0
    for gamma in gammas:
        straight = cell @ sheared(plane, gamma).T
        told = short_tilts(straight)
        n_flip += not np.allclose(told, straight)
        cells.append(unflipped(told, cells[-1]).cell if cells else told)
    assert n_flip > 5
    found = loading_of(np.array(cells), ALL, IngestSettings())
    assert found.component == plane
    np.testing.assert_allclose(found.strain, gammas, atol=1e-12)


def test_pure_shear_is_the_stretch_of_its_larger_side():
    found = loaded([np.diag([1 / (1 + e), 1 + e, 1.0]) for e in RISING])
    assert (found.component, found.name) == ("y", "elongation along y")
    np.testing.assert_allclose(found.strain, RISING, atol=1e-14)
    assert np.all(np.abs(components(found.deformation)[:, 6]) < 1e-14)


def test_a_rotated_cell_is_not_deformed_and_shear_either_way_is_gamma():
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert np.abs(components(np.array([turn]))).max() < 1e-15
    other = np.eye(3)
    other[1, 0] = 0.1  # a leans towards y, as files of other programs have it
    np.testing.assert_allclose(components(np.array([turn @ other]))[0, 3:6], [0.1, 0, 0], atol=1e-15)


def test_held_sides_and_noise_of_a_barostat_do_not_make_a_volume_of_a_stretch():
    rng = np.random.default_rng(3)
    sides = 1.0 + np.abs(rng.normal(0.0, 1e-3, (13, 2)))
    sides[0] = 1.0
    found = loaded([np.diag([*side, 1.0 - e]) for side, e in zip(1 / sides, RISING, strict=True)])
    assert (found.component, found.name) == ("z", "compression along z")
    np.testing.assert_allclose(found.strain, RISING, atol=1e-14)


def test_noise_before_the_loading_does_not_turn_its_sign():
    along = np.array([0, -4e-4, 3e-4, 0.01, 0.03, 0.02, -0.04])
    found = loaded([stretched("z", -e) for e in along])
    np.testing.assert_allclose(found.strain, along, atol=1e-14)


def test_runs_pulled_or_pressed_one_way_keep_their_strain_to_the_last_bit():
    rng = np.random.default_rng(8)
    for axis, sign in ((0, 1), (1, -1), (2, 1), (2, -1)):
        strain = np.sort(rng.uniform(0.0, 0.1, 50))
        length = np.diag(BOX) * (1.0 - 0.35 * sign * strain[:, None])
        length[:, axis] = BOX[axis, axis] * (1.0 + sign * strain)
        cells = length[:, :, None] * np.eye(3)
        was = np.abs(np.linalg.norm(cells, axis=2) / length[0] - 1.0)[:, axis]
        found = loading_of(cells, ALL, IngestSettings())
        np.testing.assert_array_equal(found.strain, was)
        assert not np.signbit(found.strain).any()


def test_sides_without_period_are_no_measure():
    grown = [np.diag([1 + 8 * e, 1 + 3 * e, 1 + e]) for e in RISING]
    found = loaded(grown, periodic=np.array([False, False, True]))
    assert found.component == "z"
    np.testing.assert_allclose(found.strain, RISING, atol=1e-14)
    assert np.isnan(found.deformation[:, :, :2]).all()
    np.testing.assert_allclose(found.deformation[:, 2, 2], 1 + RISING)
    assert measurable(BOX, np.array([False, True, True])) == ["y", "z", "xy", "xz", "yz"]
    # Of a box whose third side leans towards one without period nothing along z is known.
    assert measurable(TILTED, np.array([False, True, True])) == []
    alone = loaded(grown, periodic=np.zeros(3, bool))
    assert alone.component is None
    assert [warning.code for warning in alone.warnings] == ["W-NO-STRAIN"]
    assert not alone.strain.any()
    assert loaded(grown, periodic=np.zeros(3, bool), strain_step=0.01).warnings == []


def test_a_given_strain_is_held_against_its_component_only():
    shear = [sheared("xy", e) for e in RISING]
    assert loaded(shear, strain_step=0.01).warnings == []
    assert [w.code for w in loaded(shear, strain_step=0.02).warnings] == ["W-STRAIN"]
    (warning,) = loaded(shear, strain_step=0.01, loading="z").warnings
    assert "the cell says 0 (elongation along z)" in warning.text
    # Walls press along z, sides follow: the box does not tell of z.
    walls = [np.diag([1 + 0.3 * e, 1 + 0.3 * e, 1.0]) for e in RISING]
    assert loaded(walls, periodic=np.array([True, True, False]), strain_step=0.01, loading="z").warnings == []
    still = loaded([np.eye(3)] * 4, TILTED)
    assert [w.code for w in still.warnings] == ["W-NO-STRAIN"]
    assert not still.strain.any()


def test_frames_like_the_first_are_not_deformed_at_all():
    gradient = deformation_gradient(np.array([TILTED, TILTED * 1.1, TILTED]), ALL)
    np.testing.assert_array_equal(gradient[[0, 2]], [np.eye(3)] * 2)


def run_of(gradients, file, cell=TILTED, jump=0.0, flipped=False):
    """Dump of 60 atoms in cells that follow these gradients; each frame moves the atoms by `jump` of the cell more."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij"), axis=-1)
    rest = (grid.reshape(-1, 3) + rng.uniform(-0.2, 0.2, (60, 3))) / (3, 4, 5)
    moved, frames = rng.normal(0.0, jump, (60, 3)), []
    for step, gradient in enumerate(gradients):
        straight = cell @ gradient.T
        told = short_tilts(straight) if flipped else straight
        frames.append((told, (rest + step * moved) @ straight @ np.linalg.inv(told)))
    file.write_text(dump_of(frames))
    return file


def test_ingest_stores_gradient_and_loading_and_check_says_the_same(tmp_path, few):
    gradients = [sheared("yz", -e) for e in THERE_AND_BACK]
    dump = run_of(gradients, tmp_path / "shear.dump")
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, run=few)
    tree = qsdask.open_store(store)
    np.testing.assert_allclose(tree["frames/strain"], THERE_AND_BACK, atol=1e-9)
    np.testing.assert_allclose(tree["frames/deformation"], gradients, atol=1e-9)
    assert tree["frames/deformation"].dims == ("step", "xyz", "line")
    facts = qsdask.info(store)["stages"][0]["provenance"]
    assert facts["loading"] == {"component": "yz", "name": "shear yz"}
    assert facts["warnings"] == []
    assert qsdask.verify(store, progress=False) == []
    wrong = {"species": SPECIES, "strain_step": 0.01}
    (warning,) = qsdask.check(dump, **wrong).warnings
    other = qsdask.ingest(dump, tmp_path / "other.zarr", **wrong, run=few)
    assert qsdask.info(other)["stages"][0]["provenance"]["warnings"] == [warning._asdict()]
    assert qsdask.check(dump, species=SPECIES).warnings == []


def test_a_file_of_strains_and_a_named_loading(tmp_path, few, capsys):
    dump = run_of([stretched("x", -e) for e in CREEP], tmp_path / "creep.dump", BOX)
    file = tmp_path / "strain.txt"
    file.write_text("# strain\n" + "".join(f"{e:.3f}  # held\n\n" for e in CREEP))
    fast = ("--species", "1=Cu,2=Zr", "--cluster", "threads", "--quiet")
    assert main(["ingest", str(dump), str(tmp_path / "a.zarr"), "--strain-file", str(file), *fast]) == 0
    assert "W-STRAIN" not in capsys.readouterr().err
    np.testing.assert_array_equal(qsdask.open_store(tmp_path / "a.zarr")["frames/strain"], CREEP)
    assert main(["ingest", str(dump), str(tmp_path / "b.zarr"), "--loading", "y", *fast]) == 0
    np.testing.assert_allclose(qsdask.open_store(tmp_path / "b.zarr")["frames/strain"], 0.35 * CREEP, atol=1e-9)
    kept = qsdask.info(tmp_path / "b.zarr")["stages"][0]
    assert kept["provenance"]["loading"] == {"component": "y", "name": "elongation along y"}
    assert kept["settings"]["loading"] == "y"
    # The numbers decide, not the name of their file.
    again = qsdask.ingest(dump, tmp_path / "a.zarr", species=SPECIES, strain_file=CREEP, run=few)
    assert qsdask.repair(again, source=dump, run=few) == []


def test_what_does_not_fit_is_refused_and_says_what_to_do(tmp_path, few):
    dump = run_of([stretched("x", e) for e in CREEP], tmp_path / "run.dump")
    store, file = tmp_path / "g.zarr", tmp_path / "strain.txt"
    file.write_text("0\n0.01\n")
    with pytest.raises(BadDataError, match=r"E-STRAIN-FILE: 2 strains were given, the trajectory has 7 frames"):
        qsdask.ingest(dump, store, species=SPECIES, strain_file=file, run=few)
    assert [e.code for e in qsdask.check(dump, species=SPECIES, strain_file=file).errors] == ["E-STRAIN-FILE"]
    file.write_text("0\n1 %\n")
    with pytest.raises(BadDataError, match=r"(?s)E-STRAIN-FILE.*'1 %'.*line 2"):
        qsdask.ingest(dump, store, species=SPECIES, strain_file=file, run=few)
    with pytest.raises(NoInputError, match="E-NO-FILE"):
        qsdask.ingest(dump, store, species=SPECIES, strain_file=tmp_path / "none.txt", run=few)
    with pytest.raises(UsageError, match=r"E-SETTING.*not both"):
        qsdask.ingest(dump, store, species=SPECIES, strain_step=0.01, strain_file=[0.0] * 7, run=few)
    dump.write_text(dump.read_text().replace("pp pp pp", "ff pp pp"))
    with pytest.raises(UsageError, match=r"(?s)E-LOADING.*--strain-file"):
        qsdask.ingest(dump, store, species=SPECIES, loading="x", run=few)
    assert [e.code for e in qsdask.check(dump, species=SPECIES, loading="x").errors] == ["E-LOADING"]
    assert not store.exists()


def test_settings_that_are_not_given_are_not_stored():
    assert not {"loading", "strain_file"} & IngestSettings().stored().keys()


def twin_of(tree, step: int, cutoff: float) -> np.ndarray:
    """D2min of a stored frame by the slow twin."""
    at = {name: tree[f"frames/{name}"].values for name in ("position", "cell", "periodic")}
    near = neighbours(at["position"][0], at["cell"][0], at["periodic"], cutoff)
    bonds = [[(row, image) for row, image, _ in found] for found in near]
    return d2min(at["position"][0], at["position"][step], at["cell"][0], at["cell"][step], at["periodic"], bonds)


@pytest.mark.parametrize("component", COMPONENTS)
def test_d2min_of_every_loading_is_that_of_the_slow_twin(tmp_path, few, component):
    strain = [0.0, 0.05, -0.08]
    if component == "volume":
        gradients = [np.eye(3) * (1 + e) ** (1 / 3) for e in strain]
    else:
        gradients = [stretched(component, e) if component in AXES else sheared(component, e) for e in strain]
    dump = run_of(gradients, tmp_path / "run.dump", jump=0.02)
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, chunk=16, run=few)
    tree = qsdask.open_store(qsdask.respond(store, cutoff=3.9, run=few))
    np.testing.assert_allclose(tree["frames/strain"], strain, atol=1e-9)
    for step in (1, 2):
        found = tree["response/d2min/d2min"].values[step]
        assert found.mean() > 0.5
        np.testing.assert_allclose(found, twin_of(tree, step, 3.9), rtol=1e-9)


@pytest.mark.parametrize("plane", SHEARS)
def test_a_flipped_run_has_its_shear_and_the_response_of_one_that_was_not(tmp_path, few, plane):
    gammas = [0.0, 0.1, 0.3, 0.45, 0.6, 0.8, 0.6]
    gradients = [sheared(plane, gamma) for gamma in gammas]
    stores = []
    for name, flipped in (("straight", False), ("flipped", True)):
        dump = run_of(gradients, tmp_path / f"{name}.dump", jump=0.01, flipped=flipped)
        store = qsdask.ingest(dump, tmp_path / f"{name}.zarr", species=SPECIES, run=few)
        stores.append(qsdask.open_store(qsdask.respond(store, run=few)))
    told = [
        {w["code"] for w in qsdask.info(tmp_path / f"{n}.zarr")["stages"][0]["provenance"]["warnings"]}
        for n in ("straight", "flipped")
    ]
    assert told == [set(), {"W-BOX-FLIP"}]
    for tree in stores:
        np.testing.assert_allclose(tree["frames/strain"], gammas, atol=1e-9)
    ids = [tree["atoms/id"].values for tree in stores]
    one, two = (tree["response/d2min/d2min"].values[:, np.argsort(i)] for tree, i in zip(stores, ids, strict=True))
    np.testing.assert_allclose(two[1:], one[1:], rtol=1e-2)  # wrapped positions are rounded to five decimals


def test_a_damaged_gradient_is_found_and_mended(tmp_path, few):
    dump = run_of([sheared("xy", e) for e in CREEP], tmp_path / "run.dump")
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, run=few)
    before = content_of(store)
    file = store / "frames/deformation/c/0/0/0"
    file.write_bytes(file.read_bytes()[:-3])
    assert [damage.file for damage in qsdask.verify(store, progress=False)] == ["frames/deformation/c/0/0/0"]
    qsdask.repair(store, source=dump, run=few)
    assert {k: v for k, v in content_of(store).items() if "/c/" in k} == {k: v for k, v in before.items() if "/c/" in k}


def test_info_names_the_loading(tmp_path, few, capsys):
    dump = run_of([stretched("z", -e) for e in CREEP], tmp_path / "run.dump", BOX)
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, run=few)
    assert main(["info", str(store)]) == 0
    assert "compression along z" in capsys.readouterr().out
