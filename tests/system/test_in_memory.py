"""Frames in memory have the numbers of a store, bit for bit, whoever hands them over and in whichever order."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qsdask
from qsdask.errors import BadDataError, UsageError
from qsdask.formats.opening import open_trajectory
from qsdask.intake.arrangement import arranged, held
from qsdask.settings import FeatureSettings, ShellSettings
from qsdask.store.reader import StoreReader
from qsdask.system.computed import add_features
from tests.conftest import SPECIES
from tests.small_store import small_dump


@pytest.fixture(scope="module")
def glass(golden):
    """The golden glass of 256 atoms: frame, cell, wrapped positions, symbols."""
    frame = next(iter(open_trajectory(golden / "cuzr256.dump").read(0, 1)))
    return frame, frame.cell, frame.position - frame.origin, np.where(frame.type == 1, "Cu", "Zr")


@pytest.fixture(scope="module")
def stored(glass, golden, tmp_path_factory, few) -> Path:
    store = tmp_path_factory.mktemp("stored") / "glass.zarr"
    qsdask.ingest(golden / "cuzr256.dump", store, species=SPECIES, chunk=64, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set="interstice,bond_order,symmetry_function", run=few)
    return store


def by_id(store: Path, name: str) -> np.ndarray:
    root = StoreReader(store)
    return root[name][:][np.argsort(root["atoms/id"][:])]


@pytest.mark.parametrize("name", ["interstice", "bond_order", "symmetry_function"])
def test_features_are_those_of_a_store(golden, stored, name):
    found = qsdask.describe(golden / "cuzr256.dump", name, species=SPECIES)
    np.testing.assert_array_equal(
        found.value.values[np.argsort(found.id.values)], by_id(stored, f"features/{name}/value")
    )
    assert list(found.feature.values) == StoreReader(stored).names(f"features/{name}/feature")
    assert found.value.attrs["long_name"]


def test_softness_is_that_of_a_store(tiny):
    found = qsdask.softness(tiny / "tiny.dump", tiny / "tiny.qs", species=SPECIES)
    order = np.argsort(found.id.values)
    for name in ("qs", "qs_std", "outside"):
        np.testing.assert_array_equal(found[name].values[order], by_id(tiny / "tiny.zarr", f"softness/tiny/{name}"))
        assert found[name].attrs["units"] == "1"
    assert np.isfinite(found.qs).sum() > 20


def test_d2min_is_that_of_a_store(golden, tiny, tmp_path):
    frames = open_trajectory(small_dump(golden, tmp_path / "tiny.dump"))
    first, second = frames.read(0, 2)
    found = qsdask.respond_pair(first, second, species=SPECIES)
    order = np.argsort(found.id.values)
    root = StoreReader(tiny / "tiny.zarr")
    wanted = root["response/d2min/d2min"][1][np.argsort(root["atoms/id"][:])]
    np.testing.assert_array_equal(found.d2min.values[order], wanted)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), chunk=st.sampled_from([16, 50, 10_000]))
def test_order_images_and_cuts_change_no_bit(glass, stored, seed, chunk):
    frame, *_ = glass
    rng = np.random.default_rng(seed)
    order = rng.permutation(frame.natoms)
    image = rng.integers(-2, 3, (frame.natoms, 3))
    # What a dump that was not wrapped would hold.
    moved = np.round(frame.position + image @ frame.cell, 10)
    other = type(frame)(
        **{
            **{name: getattr(frame, name) for name in frame.__dataclass_fields__},
            "id": frame.id[order],
            "position": moved[order],
            "type": frame.type[order],
        }
    )
    arrangement = arranged(other, "moved", species=SPECIES, radius={}, chunk=chunk)
    store = held(other, arrangement)
    add_features(store, FeatureSettings(), ShellSettings())
    ids = store["atoms/id"][:]
    np.testing.assert_array_equal(
        store["features/interstice/value"][:][np.argsort(ids)], by_id(stored, "features/interstice/value")
    )


def test_objects_of_other_packages(glass, stored):
    _, cell, position, symbols = glass
    wanted = qsdask.describe((cell, position, symbols)).value.values
    ase = pytest.importorskip("ase")
    atoms = ase.Atoms(symbols, positions=position, cell=cell, pbc=True)
    np.testing.assert_array_equal(qsdask.describe(atoms).value.values, wanted)
    atoms.arrays["id"] = np.arange(1000, 1000 + len(atoms))[::-1].copy()
    assert qsdask.describe(atoms).id.values.tolist() == atoms.arrays["id"].tolist()


def test_a_pymatgen_structure(glass):
    _, cell, position, symbols = glass
    core = pytest.importorskip("pymatgen.core")
    structure = core.Structure(core.Lattice(cell), symbols, position, coords_are_cartesian=True)
    given = structure.cart_coords
    np.testing.assert_array_equal(
        qsdask.describe(structure).value.values, qsdask.describe((cell, given, symbols)).value.values
    )


def test_an_mdanalysis_universe_and_a_group(glass):
    _, cell, position, symbols = glass
    package = pytest.importorskip("MDAnalysis")
    universe = package.Universe.empty(len(position), trajectory=True)
    universe.add_TopologyAttr("elements", symbols.tolist())
    universe.atoms.positions = position
    universe.dimensions = [*np.diag(cell), 90, 90, 90]
    single = position.astype(np.float32).astype(np.float64)
    edge = np.diag(np.float32(np.diag(cell)).astype(np.float64))
    wanted = qsdask.describe((edge, single, symbols)).value.values
    np.testing.assert_array_equal(qsdask.describe(universe).value.values, wanted)
    np.testing.assert_array_equal(qsdask.describe(universe.atoms).value.values, wanted)


def test_no_cell_is_a_cluster_with_open_cells():
    ase = pytest.importorskip("ase")
    from ase.cluster import Octahedron

    atoms = Octahedron("Cu", 5)
    atoms.cell[:] = 0
    found = qsdask.describe(ase.Atoms(atoms), "coordination")
    assert found.sizes["atom"] == len(atoms)


@pytest.mark.parametrize("system", [3, None, {"a": 1}, (1, 2), np.zeros((3, 3))])
def test_what_is_no_system_is_told(system):
    with pytest.raises(UsageError, match="E-SYSTEM"):
        qsdask.describe(system)


def test_frames_of_different_atoms_are_refused(glass):
    _, cell, position, symbols = glass
    with pytest.raises(BadDataError, match="E-LOST-ATOMS"):
        qsdask.respond_pair((cell, position, symbols), (cell, position[:-1], symbols[:-1]))


def test_a_stranger_among_the_elements_gets_no_number(tiny, glass):
    _, cell, position, symbols = glass
    odd = symbols.copy()
    odd[::7] = "Al"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = qsdask.softness((cell, position, odd), tiny / "tiny.qs")
    assert np.isnan(found.qs.values[::7]).all()
    assert "the model never saw Al" in str(told[0].message)
    accepted = qsdask.softness((cell, position, odd), tiny / "tiny.qs", check="ignore")
    assert np.isfinite(accepted.qs.values[::7]).any()


def in_sigma(tiny, tmp_path):
    """The small glass as a file in ``lj`` units, one sigma for two angstrom, and its radii."""
    frames, half = [], lambda row: " ".join(repr(float(v) / 2) for v in row)
    for frame in (tiny / "tiny.dump").read_text().split("ITEM: TIMESTEP\n")[1:]:
        lines = frame.splitlines()
        lines[4:7] = [half(line.split()) for line in lines[4:7]]
        lines[8:] = [" ".join(line.split()[:2]) + " " + half(line.split()[2:]) for line in lines[8:]]
        frames.append("ITEM: UNITS\nlj\nITEM: TIMESTEP\n" + "\n".join(lines) + "\n")
    files = [tmp_path / "first.dump", tmp_path / "second.dump"]
    for file, text in zip(files, frames, strict=False):
        file.write_text(text)
    return (*files, {"Cu": 1.27 / 2, "Zr": 1.58 / 2})


def test_lengths_in_sigma_have_no_default_and_say_so(tiny, tmp_path):
    """As of a store: never 4 sigma for 4 angstrom without a word."""
    first, second, radius = in_sigma(tiny, tmp_path)
    given = {"species": SPECIES, "radius": radius}
    for call in (lambda: qsdask.describe(first, **given), lambda: qsdask.respond_pair(first, second, **given)):
        with pytest.raises(UsageError, match=r"E-NO-DEFAULT.*cutoff") as found:
            call()
        assert "auto" not in str(found.value)
    found = qsdask.describe(first, "coordination", **given, cutoff=2.0, open_radius=4.0)
    other = {"species": SPECIES, "radius": {name: 2 * size for name, size in radius.items()}}
    wanted = qsdask.describe(tiny / "tiny.dump", "coordination", **other, cutoff=4.0, open_radius=8.0)
    np.testing.assert_allclose(found.value, wanted.value, atol=1e-5)
    moved = qsdask.respond_pair(first, second, **given, cutoff=2.0)
    assert moved.d2min.attrs["units"] == "sigma^2"
    with pytest.raises(BadDataError, match="E-UNITS"):
        qsdask.respond_pair(first, tiny / "tiny.dump", **given, cutoff=2.0)


def test_a_cutoff_that_only_a_store_can_measure_is_refused(tiny):
    with pytest.raises(UsageError, match=r"(?s)E-SETTING.*--cutoff auto"):
        qsdask.describe(tiny / "tiny.dump", species=SPECIES, cutoff="auto")
    with pytest.raises(UsageError, match=r"(?s)E-SETTING.*--cutoff auto"):
        qsdask.respond_pair(tiny / "tiny.dump", tiny / "tiny.dump", species=SPECIES, cutoff="auto")
