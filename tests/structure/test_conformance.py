"""Every built-in feature set passes the shipped tests; and the shipped tests find every kind of wrong set."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np
import pytest

import qsdask
from qsdask.quantity import AtomQuantity, Column, IteratedQuantity, feature_sets
from qsdask.testing import FeatureSetTests
from qsdask.testing.blocks import FACTS, LATTICES, block_for, block_of, gas, lattice, specimen
from tests.conftest import SPECIES

#: Known values of touching spheres, see `qsdask.testing.blocks.lattice`; more of them stand beside each set's own tests.
GOLDEN: dict[str, dict[tuple[str, str], float]] = {
    "bond_order": {
        ("fcc", "sro__bond_order_q4__voro"): 0.190941,
        ("fcc", "sro__bond_order_q6__cutoff"): 0.574524,
        ("fcc", "sro__bond_order_q8__voro"): 0.403915,
        ("fcc", "sro__bond_order_q10__cutoff"): 0.012857,
    },
    "chemistry": {("bcc", "sro__deviation_of_cu__voro"): 0.35, ("hcp", "sro__number_of_cu__cutoff"): 18.0},
    "coordination": {
        ("sc", "sro__coordination__voro"): 6.0,
        ("sc", "sro__coordination__cutoff"): 18.0,
        ("bcc", "sro__coordination__voro"): 14.0,
        ("hcp", "sro__coordination__voro"): 12.0,
    },
    "ifold": {
        ("bcc", "sro__ifold_4__voro"): 6.0 / 14.0,
        ("bcc", "mro__average_ifold_6__voro"): 8.0 / 14.0,
        ("icosahedron", "sro__ifold_5__voro"): 1.0,
    },
    "interstice": {
        ("fcc", "sro__interstice_distance__voro__max"): 0.0,
        ("bcc", "sro__interstice_distance__voro__max"): 1.0 - np.sqrt(0.75),
        ("icosahedron", "sro__interstice_area__voro__mean"): 0.179702,
        ("icosahedron", "sro__interstice_volume__voro__max"): 0.274147,
    },
    "interstice_direction": {
        ("fcc", "sro__interstice_area__voro__axial"): 0.166001,
        ("fcc", "sro__interstice_area__voro__lateral"): 0.166001,
        ("fcc", "sro__interstice_volume__voro__axial"): 0.255604,
        ("fcc", "sro__interstice_volume__voro__difference"): 0.0,
        ("bcc", "sro__interstice_distance__voro__axial"): 6.0 / 14.0 * (1.0 - np.sqrt(0.75)),
        ("bcc", "sro__interstice_distance__voro__lateral"): 6.0 / 14.0 * (1.0 - np.sqrt(0.75)),
        ("icosahedron", "sro__interstice_area__voro__lateral"): 0.179702,
    },
    "motif": {
        ("icosahedron", "sro__motif_z12__voro"): 1.0,
        ("icosahedron", "sro__motif_frank_kasper__voro"): 1.0,
        ("fcc", "sro__motif_z12__voro"): 0.0,
    },
    "soft_shell": {
        ("sc", "sro__soft_coordination__voro"): 6.0,
        # Six squares and eight hexagons of one edge length.
        ("bcc", "sro__soft_coordination__voro"): (1.0 + np.sqrt(12.0)) ** 2 * 6.0 / 10.0,
        ("bcc", "sro__soft_interstice_distance__voro__mean"): (1.0 - np.sqrt(0.75)) / (1.0 + np.sqrt(12.0)),
        ("hcp", "sro__soft_coordination__voro"): 12.0,
        ("icosahedron", "mro__average_soft_interstice_distance__voro__mean"): float("nan"),
    },
    "volume": {
        ("fcc", "sro__cluster_packing_efficiency__voro"): 0.744396,
        ("fcc", "sro__atomic_packing_efficiency__voro"): 0.097887,
        ("fcc", "sro__atomic_volume_share__voro"): np.pi / np.sqrt(18.0),
    },
    "voronoi_index": {
        ("fcc", "sro__voronoi_index_n4__voro"): 12.0,
        ("bcc", "sro__voronoi_index_n6__voro"): 8.0,
        ("icosahedron", "sro__voronoi_index_n5__voro"): 12.0,
    },
    "weighted_ifold": {
        # Six squares and eight hexagons of one edge length.
        ("bcc", "sro__weighted_ifold_4__voro"): 1.0 / (1.0 + np.sqrt(12.0)),
        ("icosahedron", "sro__weighted_ifold_5__voro"): 1.0,
    },
}

#: Fields that offer another definition, and that definition.
OTHER = {
    "convention": "amlearn",
    "motif": "strict",
    "facet_weight": "volume",
    "deviation": "warren_cowley",
    "reach_kind": "amlearn",
    "smearing": 0.05,
    "axis": "x",
    "stiffness": (2.5, 4.0),
    "network_steps": 5,
    "relax_steps": 3,
    "strain_steps": 4,
}


def _tested(kind: type[AtomQuantity], **values) -> type:
    """A test class of a set with those settings that it knows."""
    known = {f.name for f in fields(kind)}
    quantity = kind(**{name: value for name, value in {**FACTS, **values}.items() if name in known})
    return type(
        "Test",
        (FeatureSetTests,),
        {
            "quantity": quantity,
            "golden": {} if values else GOLDEN.get(kind.name, {}),
            # Loads along the other axes do not turn with the glass: see test_elastic_network and test_soft_sphere_response.
            "rotates": not isinstance(quantity, IteratedQuantity) and getattr(quantity, "axis", True),
        },
    )


#: Sets of other packages that happen to be installed are tested there.
BUILT_IN = {k: v for k, v in feature_sets().items() if v.__module__.startswith("qsdask.structure.")}
for _name, _kind in BUILT_IN.items():
    _class = "Test" + _name.title().replace("_", "")
    globals()[_class] = _tested(_kind)
    if OTHER.keys() & {f.name for f in fields(_kind)}:
        globals()[_class + "Otherwise"] = _tested(_kind, **OTHER)


def test_every_built_in_set_tells_its_measured_cost():
    for name, kind in BUILT_IN.items():
        assert kind.cost is not None, name
        assert 0.0 < kind.cost < 1000.0, name
    assert Right.cost is None


SPECIMENS = {
    **{name: specimen(name) for name in ("glass", "tilted", "thin", "slab")},
    **{name: lattice(name) for name in (*LATTICES, "icosahedron")},
    "gas": gas(),
}


@pytest.mark.parametrize("rings", [1, 2])
@pytest.mark.parametrize("name", SPECIMENS)
def test_neighbours_in_blocks_stand_where_their_shells_say(name, rings):
    found = SPECIMENS[name]
    owned = np.array([3, 0, 5])
    block = block_of(found, ("voronoi", "cutoff"), rings=rings, owned=owned, spare=True, more_slots=2)
    np.testing.assert_array_equal(block.row[:3], owned)
    assert not block.image[:3].any()
    assert len({(row, *image) for row, image in zip(block.row, block.image.tolist(), strict=True)}) == len(block.row)
    turns = (block.position - found.position[block.row]) @ found.box.inverse
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
    for shell in block.shells.values():
        filled = shell.neighbour >= 0
        np.testing.assert_array_equal(filled.sum(axis=1), shell.count)
        bond = block.position[shell.neighbour] - block.position[: len(filled), None]
        np.testing.assert_allclose(np.linalg.norm(bond, axis=2)[filled], shell.distance[filled], rtol=0, atol=1e-9)
        assert (len(filled) > 3) == (rings == 2)
    distance = np.linalg.norm(block.position[None] - block.position[:3, None], axis=2)
    near = (distance > 0.0) & (distance < 4.0)
    np.testing.assert_array_equal(near.sum(axis=1), block.shells["cutoff"].count[:3])
    if rings == 2:
        # Whom I name names me.
        shell = block.shells["cutoff"]
        assert all(i in shell.neighbour[j] for i in range(3) for j in shell.neighbour[i, : shell.count[i]])


def dumped(found, file):
    """A specimen as a LAMMPS dump."""
    box = found.box
    bounds = [f"{low} {low + side}" for low, side in zip(box.origin, np.diag(box.cell), strict=True)]
    atoms = [
        f"{i} {kind + 1} {x:.6f} {y:.6f} {z:.6f}"
        for i, kind, (x, y, z) in zip(found.id, found.species, found.position, strict=True)
    ]
    head = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(atoms)), "ITEM: BOX BOUNDS pp pp pp", *bounds]
    file.write_text("\n".join([*head, "ITEM: ATOMS id type x y z", *atoms]) + "\n")
    return file


@pytest.mark.parametrize("facet_fraction", [0.05, 0.0])
def test_blocks_for_tests_give_what_a_store_gives(tmp_path, few, facet_fraction):
    """Every built-in set in a box thinner than its reach, cut into domains: the same from both."""
    found, store = specimen("thin"), tmp_path / "thin.zarr"
    qsdask.ingest(dumped(found, tmp_path / "thin.dump"), store, species=SPECIES, chunk=30, run=few)
    qsdask.shells(store, facet_fraction=facet_fraction, run=few)
    share = np.bincount(found.species) / len(found.species)
    facts = {**FACTS, "composition": tuple(share.tolist())}
    made = {name: kind for name, kind in BUILT_IN.items() if name != "soft_shell" or facet_fraction == 0.0}
    qsdask.features(store, set=",".join(made), run=few)
    tree = qsdask.open_store(store)
    for name, kind in made.items():
        known = {f.name for f in fields(kind)}
        quantity = kind(**{key: value for key, value in facts.items() if key in known})
        block = block_for(found, quantity, fraction=facet_fraction)
        place = np.argsort(found.id)[tree["atoms"].ds["id"].values - 1]
        stored = tree[f"features/{name}"].ds["value"].values[:, : len(quantity.columns)]
        np.testing.assert_array_equal(stored, quantity.compute(block)[place].astype(np.float32), err_msg=name)


@dataclass(frozen=True)
class Right(AtomQuantity):
    """A correct set, which each of the wrong ones below changes in one place: the distance of the nearest neighbour."""

    name: ClassVar[str] = "right"
    shells: ClassVar[tuple[str, ...]] = ("cutoff",)
    follows_deformation: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("sro__nearest__cutoff", "angstrom", "distance of the nearest neighbour", "no neighbour", "cutoff"),
    )

    def compute(self, block):
        shell = block.shells["cutoff"]
        near = np.where(shell.neighbour >= 0, shell.distance, np.inf).min(axis=1)[: block.n_owned]
        return np.where(near < np.inf, near, np.nan)[:, None]


class TestRight(FeatureSetTests):
    quantity = Right()
    golden: ClassVar = {
        ("fcc", "sro__nearest__cutoff"): np.sqrt(8.0),
        ("bcc", "sro__nearest__cutoff"): np.sqrt(6.75),
        ("hcp", "sro__nearest__cutoff"): 2.8,
        ("sc", "sro__nearest__cutoff"): 2.5,
        ("icosahedron", "sro__nearest__cutoff"): 2.5,
    }


@dataclass(frozen=True)
class Wide(Right):
    """The same by a reach of its own."""

    reach: ClassVar[float] = 4.0
    shells: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = (
        Column("sro__nearest__cutoff", "angstrom", "distance of the nearest atom", "no neighbour", medium=False),
    )

    def compute(self, block):
        bond = block.position[None] - block.position[: block.n_owned, None]
        distance = np.sqrt(np.einsum("ijk,ijk->ij", bond, bond))
        near = np.where((distance > 0.0) & (distance < self.reach), distance, np.inf).min(axis=1)
        return np.where(near < np.inf, near, np.nan)[:, None]


class TestWide(FeatureSetTests):
    quantity = Wide()


@dataclass(frozen=True)
class TwoRings(Right):
    """The nearest neighbour's own nearest neighbour but one: needs the shells of ghosts."""

    rings: ClassVar[int] = 2

    def compute(self, block):
        shell = block.shells["cutoff"]
        distance = np.where(shell.neighbour >= 0, shell.distance, np.inf)
        second = np.sort(distance, axis=1)[:, 1]
        nearest = shell.neighbour[np.arange(block.n_owned), distance[: block.n_owned].argmin(axis=1)]
        value = np.where(nearest >= 0, second[nearest], np.nan)
        return np.where(np.isinf(value), np.nan, value)[:, None]


class TestTwoRings(FeatureSetTests):
    quantity = TwoRings()


def wrong(compute=None, /, **attributes) -> AtomQuantity:
    """The right set with something changed; `compute` gets the right values and the block."""
    if compute is not None:
        attributes["compute"] = lambda self, block: compute(Right().compute(block), block)
    return dataclass(frozen=True)(type("Wrong", (Right,), attributes))()


def spoiled(value, block):
    block.position[0] += 1.0
    return value


def counting():
    """A set that answers otherwise every second time."""
    turn = iter(range(100))
    return wrong(lambda value, block: value + next(turn) % 2)


@dataclass(frozen=True)
class Generator(Right):
    """Holds what no process can send to another."""

    held: object = field(default_factory=lambda: (i for i in range(3)))


@dataclass(frozen=True)
class Species(Right):
    """Knows two species only."""

    species: tuple[str, ...] = ("A", "B")

    def compute(self, block):
        kind = block.species[: block.n_owned, None]
        return np.where(kind < 2, kind + 1.0, np.nan)


def column(name="sro__nearest__cutoff", unit="1", meaning="a number", nan="no neighbour", shell="cutoff", **more):
    return Column(name, unit, meaning, nan, shell, **more)


def owned(array, block):
    return array[: block.n_owned]


WRONG = {
    "has no shells": (wrong(shells=("laguerre",)), "the_contract_is_kept"),
    "has both shells and a reach": (wrong(reach=5.0), "the_contract_is_kept"),
    "has three rings": (wrong(rings=3), "the_contract_is_kept"),
    "knows no such statistic": (wrong(statistics=("median",)), "the_contract_is_kept"),
    "wants the deformed frame": (wrong(follows_deformation=True), "the_contract_is_kept"),
    "has a name that cannot be typed": (wrong(name="My Set"), "the_contract_is_kept"),
    "repeats a column": (wrong(columns=(column(), column())), "columns_are_named_and_explained"),
    "lacks a unit": (wrong(columns=(column(unit=""),)), "columns_are_named_and_explained"),
    "lacks a meaning": (wrong(columns=(column(meaning=" "),)), "columns_are_named_and_explained"),
    "lacks a rule for NaN": (wrong(columns=(column(nan=""),)), "columns_are_named_and_explained"),
    "names no order": (wrong(columns=(column("nearest__cutoff"),)), "columns_are_named_and_explained"),
    "coarsens twice": (wrong(columns=(column("mro__nearest__cutoff"),)), "columns_are_named_and_explained"),
    "coarsens over a shell it has not": (
        wrong(columns=(column(shell="voronoi"),)),
        "medium_range_columns_follow_the_grammar",
    ),
    "takes the name of a medium-range column": (
        wrong(columns=(column(), column("mro__nearest__cutoff__std", medium=False))),
        "medium_range_columns_follow_the_grammar",
    ),
    "knows two species": (Species(), "columns_follow_the_number_of_species"),
    "is single precision": (
        wrong(lambda value, block: value.astype(np.float32)),
        "values_are_float64_one_row_per_owned_atom",
    ),
    "has rows for ghosts": (
        wrong(lambda value, block: np.full((len(block.row), 1), 1.0)),
        "values_are_float64_one_row_per_owned_atom",
    ),
    "is flat": (wrong(lambda value, block: value[:, 0]), "values_are_float64_one_row_per_owned_atom"),
    "is infinite alone": (
        wrong(lambda value, block: np.nan_to_num(value, nan=np.inf)),
        "values_are_float64_one_row_per_owned_atom",
    ),
    "is NaN against its word": (wrong(columns=(column(nan="never"),)), "values_are_float64_one_row_per_owned_atom"),
    "is NaN in the bulk": (
        wrong(lambda value, block: np.where(value < 2.4, np.nan, value)),
        "atoms_in_the_bulk_have_values",
    ),
    "is zero-filled": (wrong(lambda value, block: np.nan_to_num(value)), "an_isolated_atom_has_no_value"),
    "sees where it is": (
        wrong(lambda value, block: value + owned(block.position, block)[:, :1]),
        "translation_changes_nothing",
    ),
    "sees the axes": (
        wrong(
            lambda value, block: (
                value
                + (block.position[block.shells["cutoff"].neighbour[:, 0], :1] - owned(block.position, block)[:, :1])
            )
        ),
        "rotation_changes_nothing",
    ),
    "sees the image": (
        wrong(lambda value, block: value + block.image[block.shells["cutoff"].neighbour].sum(axis=(1, 2))[:, None]),
        "the_periodic_image_changes_nothing",
    ),
    "sees the row": (
        wrong(lambda value, block: value + owned(block.row, block)[:, None]),
        "the_order_of_the_rows_changes_nothing",
    ),
    "depends on the other atoms of its domain": (
        wrong(lambda value, block: value - value.mean()),
        "the_decomposition_changes_nothing",
    ),
    "depends in the last bit on its domain": (
        wrong(lambda value, block: value * (1.0 + 1e-15 * block.n_owned)),
        "the_decomposition_changes_nothing",
    ),
    "counts ghosts": (wrong(lambda value, block: value + len(block.row)), "a_larger_halo_changes_nothing"),
    "counts slots": (
        wrong(lambda value, block: value * block.shells["cutoff"].neighbour.shape[1]),
        "empty_slots_change_nothing",
    ),
    "takes less than it asks for": (
        wrong(__call__=lambda self, block: np.zeros((block.n_owned, 1))),
        "a_block_that_holds_less_is_refused",
    ),
    "turns with the glass about another axis only": (
        wrong(
            lambda value, block: (
                value
                + (block.position[block.shells["cutoff"].neighbour[:, 0], 2:] - owned(block.position, block)[:, 2:])
            )
        ),
        "rotation_changes_nothing",
        {"rotates": "x"},
    ),
    "changes the block": (wrong(spoiled), "the_block_is_not_modified_and_the_answer_is_repeated"),
    "changes its mind": (counting(), "the_block_is_not_modified_and_the_answer_is_repeated"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_set_is_found(fault):
    quantity, test, *more = WRONG[fault]
    tests = type("Wrong", (FeatureSetTests,), {"quantity": quantity, **dict(*more)})()
    with pytest.raises(AssertionError):
        getattr(tests, "test_" + test)()


def test_a_set_that_misses_an_attribute_is_told_which():
    class Bare:
        name = "bare"
        columns = Right.columns

    tests = type("Wrong", (FeatureSetTests,), {"quantity": Bare()})()
    with pytest.raises(AssertionError, match=r"lacks shells, follows_deformation, rings, reach, statistics, compute"):
        tests.test_the_contract_is_kept()


def test_a_set_that_no_worker_can_get_is_found():
    tests = type("Wrong", (FeatureSetTests,), {"quantity": Generator()})()
    with pytest.raises(TypeError):
        tests.test_it_can_be_sent_to_workers()


def test_a_wrong_golden_value_is_found():
    golden = {("fcc", "sro__nearest__cutoff"): 2.83}
    tests = type("Wrong", (FeatureSetTests,), {"quantity": Right(), "golden": golden})()
    with pytest.raises(AssertionError, match=r"sro__nearest__cutoff in fcc: .*2\.828"):
        tests.test_golden_values_on_lattices()


def test_a_reach_that_is_too_large_for_the_value_is_found():
    """The set claims 4 angstrom and looks at everything."""

    class Endless(Wide):
        def compute(self, block):
            return np.full((block.n_owned, 1), float(len(block.row)))

    tests = type("Wrong", (FeatureSetTests,), {"quantity": Endless()})()
    with pytest.raises(AssertionError, match="with a larger halo"):
        tests.test_a_larger_halo_changes_nothing()


def test_a_set_that_may_be_turned_about_its_axis_is_right_about_that_axis_alone():
    along = wrong(
        lambda value, block: (
            value
            + np.abs(block.position[block.shells["cutoff"].neighbour[:, 0], 2:] - owned(block.position, block)[:, 2:])
        )
    )
    tests = type("Turned", (FeatureSetTests,), {"quantity": along, "rotates": "z"})()
    tests.test_rotation_changes_nothing()
    with pytest.raises(AssertionError, match="after a rotation"):
        type("Wrong", (FeatureSetTests,), {"quantity": along})().test_rotation_changes_nothing()


def test_exempt_columns_may_have_a_value_alone():
    zero = wrong(lambda value, block: np.nan_to_num(value))
    exempt = {"quantity": zero, "defined_when_isolated": ("sro__nearest__cutoff",)}
    type("Exempt", (FeatureSetTests,), exempt)().test_an_isolated_atom_has_no_value()
