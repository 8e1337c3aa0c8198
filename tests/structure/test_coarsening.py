"""The medium range beyond the first shell: taken again and again, and within radii; from a store against the twin."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.engine.cost import Size
from qsdask.errors import QSDaskError
from qsdask.quantity import (
    KNOWN_STATISTICS,
    Around,
    column_name,
    feature_sets,
    medium_range,
    parse_column,
    surroundings,
)
from qsdask.settings import FeatureSettings, validated
from qsdask.stages.features import plan_of, quantity_of
from qsdask.testing.blocks import FACTS, specimen
from tests.conftest import SPECIES
from tests.naive import coarsen as naive
from tests.naive.neighbours import neighbours
from tests.structure.test_conformance import dumped

#: Farther than the thin side of the box: an atom is then near its own images.
RADII = (5.0, 6.25)
SETS = ("interstice", "motif", "chemistry", "ifold")


def computed(folder, chunk, few, sets=SETS, **settings):
    """Store of the thin glass with features, and the order of its rows by atom id."""
    found, store = specimen("thin"), folder / f"{chunk}.zarr"
    qsdask.ingest(dumped(found, folder / f"{chunk}.dump"), store, species=SPECIES, chunk=chunk, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set=",".join(sets), run=few, **settings)
    tree = qsdask.open_store(store)
    return tree, np.argsort(tree["atoms"].ds["id"].values)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, few):
    """All sets, thrice coarsened and within two radii, in one domain."""
    folder = tmp_path_factory.mktemp("whole")
    return computed(folder, 1024, few, coarsen=3, coarsen_radius=list(RADII))


def columns(tree, name) -> dict[str, np.ndarray]:
    """Stored values of a set by column."""
    found = tree[f"features/{name}"].ds
    return dict(zip(found["feature"].values.tolist(), found["value"].values.T, strict=True))


@pytest.mark.parametrize("name", SETS)
def test_stored_columns_are_those_of_the_twin(whole, name):
    tree, _ = whole
    settings = FeatureSettings(coarsen=3, coarsen_radius_angstrom=RADII)
    stored, kind = columns(tree, name), quantity_of(name, settings, FACTS)
    frames = tree["frames"].ds
    place = frames["position"].values[0], frames["cell"].values[0], frames["periodic"].values
    near = {radius: [[row for row, *_ in found] for found in neighbours(*place, radius)] for radius in RADII}
    assert any(len(rows) > len(set(rows)) for rows in near[RADII[1]]), "no atom is there twice"
    expected = dict.fromkeys(column.name for column in kind.columns)
    for around in surroundings(kind):
        for column in kind.columns:
            if column.medium:
                slots = tree[f"shells/{column.shell}"].ds["neighbour"].values
                lists = near[around.radius] if around.radius else [row[row >= 0] for row in slots]
                own = stored[column.name].astype(np.float64)[:, None]
                value = naive.coarsen_again(own, lists, around.times)[:, 0]
                for statistic in kind.statistics:
                    name_of = around.column(column, statistic).name
                    expected[name_of] = value[:, KNOWN_STATISTICS.index(statistic)]
    assert list(stored) == list(expected)
    for column in medium_range(kind):
        # The means that are coarsened again are stored in single precision.
        np.testing.assert_allclose(
            stored[column.name], expected[column.name], rtol=2e-6, atol=3e-6, err_msg=column.name
        )


@pytest.mark.parametrize("chunk", [28, 16])
def test_the_cut_into_domains_changes_no_bit(whole, tmp_path, few, chunk):
    one, by_id = whole
    sets = ("interstice", "motif")
    tree, order = computed(tmp_path, chunk, few, sets, coarsen=3, coarsen_radius=list(RADII))
    assert tree["domains"].ds.sizes["domain"] > 2
    for name in sets:
        before = one[f"features/{name}"].ds["value"].values[by_id]
        np.testing.assert_array_equal(tree[f"features/{name}"].ds["value"].values[order], before, err_msg=name)


def test_the_first_medium_range_stays_what_it_was(whole, tmp_path, few):
    sets = ("interstice", "chemistry")
    tree, order = computed(tmp_path, 1024, few, sets)
    for name in sets:
        plain, more = columns(tree, name), columns(whole[0], name)
        assert list(more)[: len(plain)] == list(plain)
        for column, value in plain.items():
            np.testing.assert_array_equal(value[order], more[column][whole[1]], err_msg=column)


def test_names_tell_what_was_coarsened_and_can_be_taken_apart():
    kind = feature_sets()["interstice"](coarsen=2, coarsen_radius_angstrom=(5.0, 7.25))
    made = [column.name for column in medium_range(kind)]
    assert len(set(made)) == len(made) == 4 * 64
    assert all(column_name(*parse_column(name)) == name for name in made)
    assert made[0] == "mro__interstice_distance__voro__mean__mean"
    assert made[65] == "mro2__interstice_distance__voro__mean__std"
    assert made[128] == "mro_r5__interstice_distance__voro__mean__mean"
    assert made[255] == "mro_r7p25__interstice_distance__cutoff__max__max"


def test_a_set_without_mean_or_medium_range_is_not_coarsened_again():
    class Least(feature_sets()["coordination"]):
        statistics = ("min",)

    assert surroundings(Least(coarsen=3, coarsen_radius_angstrom=(6.0,))) == (Around(), Around(radius=6.0))
    assert surroundings(feature_sets()["symmetry_function"](coarsen=3, coarsen_radius_angstrom=(6.0,))) == ()


@pytest.mark.parametrize("radii", [[5.0, 5.0], [5.001], [-1.0], [31.0], ["near"]])
def test_radii_that_make_no_name_are_refused(radii):
    with pytest.raises(QSDaskError, match="E-SETTING"):
        validated(FeatureSettings, coarsen_radius_angstrom=radii)


def test_the_plan_knows_the_cost():
    size = Size(345_600, 1, 65536, (240.0, 48.0, 480.0))
    kind = feature_sets()["interstice"]
    plain, twice, wide = (
        plan_of(size, kind(coarsen=n, coarsen_radius_angstrom=radii)) for n, radii in ((1, ()), (2, ()), (1, (14.0,)))
    )
    assert (plain.tasks, twice.tasks, wide.tasks) == (12, 18, 18)
    assert plain.ghosts == twice.ghosts < wide.ghosts
    assert plain.bytes_written < twice.bytes_written == wide.bytes_written
    assert plain.bytes_memory < twice.bytes_memory < wide.bytes_memory
