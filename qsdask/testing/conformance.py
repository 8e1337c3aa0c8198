"""Tests that every feature set must pass, to be inherited.

In a test module of yours, for pytest::

    from qsdask.testing import FeatureSetTests

    class TestMine(FeatureSetTests):
        quantity = Mine()
        golden = {("fcc", "sro__mine__voro"): 0.0625}

The tests are plain assertions: this file needs no test runner to be imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, ClassVar, Literal
from unittest import SkipTest

import numpy as np

from qsdask.errors import InternalError
from qsdask.quantity import (
    KNOWN_STATISTICS,
    AtomQuantity,
    IteratedQuantity,
    coarsened,
    medium_range,
    parse_column,
    surroundings,
)
from qsdask.space.block import Block
from qsdask.space.box import Box
from qsdask.testing.blocks import Specimen, block_for, gas, lattice, specimen, states_of
from qsdask.testing.lattices import random_rotation

__all__ = ["FeatureSetTests"]

#: What `AtomQuantity` asks for.
CONTRACT = ("name", "columns", "shells", "follows_deformation", "rings", "reach", "statistics", "compute")
SHELLS = {"voronoi", "cutoff"}
#: Atoms of which most tests compute the values; the surroundings are those of all.
SOME = np.arange(30)
#: An atom of a slab farther than this from its surfaces has neighbours and neighbours of neighbours. Unit: angstrom.
DEEP = 13.0


class FeatureSetTests:
    """Inherit and set `quantity`; every test below then runs on it.

    Attributes
    ----------
    quantity : AtomQuantity
        The feature set, for a binary glass (`qsdask.testing.blocks.FACTS`).
    golden : mapping of (str, str) to float
        Known values by lattice (``sc``, ``bcc``, ``fcc``, ``hcp``, ``icosahedron``, of touching equal atoms, see
        `qsdask.testing.blocks.lattice`) and column.
    defined_when_isolated : tuple of str
        Columns that have a value also for an atom without neighbours, such as a coordination number. Those whose
        `Column.nan` begins with "never" need not be named.
    rotates : bool or {"x", "y", "z"}
        False for a set that depends on the direction of the axes; the name of an axis for one that may only be turned
        about it.
    exact : bool
        False for a set whose sums depend in the last digits on how the work was cut; stored values may then do so too.
    tolerance : float
        Relative to 1 + the value, where coordinates are rounded otherwise.
    cutoff : float
        Of the cut-off shell. Unit: angstrom.
    """

    quantity: ClassVar[Any]
    golden: ClassVar[Mapping[tuple[str, str], float]] = {}
    defined_when_isolated: ClassVar[tuple[str, ...]] = ()
    rotates: ClassVar[bool | Literal["x", "y", "z"]] = True
    exact: ClassVar[bool] = True
    tolerance: ClassVar[float] = 1e-6
    cutoff: ClassVar[float] = 4.0

    # What it says of itself.

    def test_the_contract_is_kept(self) -> None:
        """All attributes are there, and agree with one another."""
        quantity = self.quantity
        missing = [name for name in CONTRACT if not hasattr(quantity, name)]
        assert not missing, f"{quantity!r} lacks {', '.join(missing)}: inherit from qsdask.AtomQuantity"
        assert isinstance(quantity, AtomQuantity), f"{quantity!r} does not follow qsdask.AtomQuantity"
        kind = type(quantity)
        assert is_dataclass(quantity), "a feature set is a frozen dataclass"
        assert vars(kind)["__dataclass_params__"].frozen, "a feature set is a frozen dataclass"
        unset = [f.name for f in fields(quantity) if f.default is MISSING and f.default_factory is MISSING]
        assert not unset, f"fields without a default: {unset}"
        assert re.fullmatch("[a-z][a-z0-9_]*", quantity.name), f"{quantity.name!r} is not one lower-case word"
        assert not quantity.follows_deformation, "features are of the undeformed glass"
        assert set(quantity.shells) <= SHELLS, f"unknown shells {set(quantity.shells) - SHELLS}"
        assert quantity.rings in (1, 2), f"rings = {quantity.rings}: 1 or 2"
        assert quantity.reach >= 0.0, f"reach = {quantity.reach}"
        assert not (quantity.shells and quantity.reach), "stored shells and a reach exclude each other"
        unknown = set(quantity.statistics) - set(KNOWN_STATISTICS)
        assert not unknown, f"unknown statistics {unknown}"

    def test_columns_are_named_and_explained(self) -> None:
        """Names follow the grammar; unit, meaning and rule for NaN are there."""
        names = [column.name for column in self.quantity.columns]
        assert names, "no columns"
        assert len(set(names)) == len(names), "two columns have one name"
        assert not set(self.defined_when_isolated) - set(names), "an exempt column does not exist"
        for column in self.quantity.columns:
            order = parse_column(column.name)[0]
            assert order in ("sro", "mro"), f"{column.name} begins with neither sro nor mro"
            assert order == "sro" or not column.medium, f"{column.name}: medium range of the medium range"
            assert column.shell in SHELLS, f"{column.name}: unknown shell {column.shell!r}"
            for text in (column.unit, column.meaning, column.nan):
                assert text.strip(), f"{column.name} lacks its unit, meaning or rule for NaN"
                assert "\n" not in text, f"{column.name}: one phrase, not several lines"

    def test_medium_range_columns_follow_the_grammar(self) -> None:
        """They differ from one another and from the set's own."""
        lengths: dict[str, Any] = {"coarsen_radius_angstrom": (5.0, 6.5), "coarsen_exponential_angstrom": (1.0, 2.5)}
        further = replace(self.quantity, coarsen=3, **lengths)
        made = medium_range(further)
        own = {column.name for column in self.quantity.columns}
        assert len({column.name for column in made} | own) == len(made) + len(own)
        assert len(surroundings(further)) >= len(surroundings(self.quantity))
        for column in made:
            assert parse_column(column.name)[0].startswith("mro"), column.name
            if self.quantity.shells:
                assert column.shell in self.quantity.shells, f"{column.name}: the set asks for no {column.shell} shell"

    def test_columns_follow_the_number_of_species(self) -> None:
        """One, two or three kinds of atoms."""
        known = {f.name for f in fields(self.quantity)}
        if "species" not in known:
            raise SkipTest("the set does not ask for the species")
        glass = specimen("glass")
        for n_kind in (1, 2, 3):
            facts = {
                "species": ("Cu", "Zr", "Al")[:n_kind],
                "composition": (1.0 / n_kind,) * n_kind,
                "radius": (1.26, 1.58, 1.41)[:n_kind],
            }
            quantity = replace(self.quantity, **{k: v for k, v in facts.items() if k in known})
            kind = (np.arange(len(glass.species)) % n_kind).astype(np.int16)
            mixed = glass._replace(species=kind, radius=np.array(facts["radius"]))
            value = self._compute(self._block(mixed, quantity, owned=SOME), quantity)
            assert not np.isnan(value).any(), f"NaN in a glass of {n_kind} species"

    # Values, and where there are none.

    def test_values_are_float64_one_row_per_owned_atom(self) -> None:
        """In every specimen; finite or NaN, and never NaN where that is declared."""
        never = self._columns_that_say("never")
        for found in (specimen("glass"), specimen("tilted"), specimen("slab"), gas(self._spacing)):
            value = self._values(found)
            assert not np.isinf(value).any(), f"infinite in {self._names(np.isinf(value))}"
            assert not np.isnan(value[:, never]).any(), f"NaN in {self._names(np.isnan(value))}"

    def test_atoms_in_the_bulk_have_values(self) -> None:
        """No NaN in a glass, nor deep inside a slab with free surfaces."""
        slab = specimen("slab")
        z = slab.position[:, 2]
        deep = np.flatnonzero((z > z.min() + DEEP) & (z < z.max() - DEEP))
        for found, owned in ((specimen("glass"), None), (specimen("thin"), None), (slab, deep)):
            missing = np.isnan(self._values(found, owned=owned))
            assert not missing.any(), f"NaN in {self._names(missing)}, {missing.any(axis=1).sum()} atoms"

    def test_an_isolated_atom_has_no_value(self) -> None:
        """NaN, never zero."""
        alone = self._values(gas(self._spacing))[0]
        exempt = self._columns_that_say("never") | np.isin(
            [c.name for c in self.quantity.columns], self.defined_when_isolated
        )
        filled = ~np.isnan(alone) & ~exempt
        assert not filled.any(), f"{self._names(filled[None])} of an atom without neighbours: {alone[filled]}"

    def test_golden_values_on_lattices(self) -> None:
        """The first atom of each lattice has the values of `golden`."""
        if not self.golden:
            raise SkipTest("no golden values are given")
        names = [column.name for column in self.quantity.columns]
        for where in sorted({where for where, _ in self.golden}):
            value = self._values(lattice(where), owned=np.arange(1))[0]
            for (other, name), expected in self.golden.items():
                if other == where:
                    found = value[names.index(name)]
                    message = f"{name} in {where}: {found!r}, expected {expected!r}"
                    assert np.isclose(found, expected, rtol=self.tolerance, atol=self.tolerance, equal_nan=True), (
                        message
                    )

    # What must not matter.

    def test_translation_changes_nothing(self) -> None:
        """Atoms and cell are moved together."""
        for name in ("glass", "tilted"):
            found, shift = specimen(name), np.array([3.7, -11.3, 0.9])
            box = Box(found.box.cell, found.box.origin + shift, found.box.periodic)
            moved = found._replace(position=found.position + shift, box=box)
            self._same(moved, found, self.tolerance, "after a translation", owned=SOME)

    def test_rotation_changes_nothing(self) -> None:
        """Atoms and cell are turned together, about the axis of the set if it has one."""
        if not self.rotates:
            raise SkipTest("the set depends on the direction of the axes")
        rotation = random_rotation(7) if self.rotates is True else _rotation_about(self.rotates, 0.7)
        for name in ("glass", "tilted"):
            found = specimen(name)
            box = Box(found.box.cell @ rotation.T, found.box.origin @ rotation.T, found.box.periodic)
            turned = found._replace(position=found.position @ rotation.T, box=box)
            self._same(turned, found, self.tolerance, "after a rotation", owned=SOME)

    def test_the_periodic_image_changes_nothing(self) -> None:
        """The cell is cut out elsewhere, so that other atoms lie beyond its faces."""
        for name in ("glass", "tilted", "thin"):
            found = specimen(name)
            origin = found.box.origin + np.array([0.31, 0.47, 0.73]) @ found.box.cell
            recut = found._replace(box=Box(found.box.cell, origin, found.box.periodic))
            self._same(recut, found, self.tolerance, "with another choice of images", owned=SOME)

    def test_the_order_of_the_rows_changes_nothing(self) -> None:
        """Each atom keeps its id and gets another row."""
        found = specimen("glass")
        mixed = np.random.default_rng(3).permutation(len(found.id))
        permuted = found._replace(position=found.position[mixed], species=found.species[mixed], id=found.id[mixed])
        place = np.argsort(mixed)[SOME]
        expected = self._values(found, owned=SOME)
        self._equal(self._values(permuted, owned=place), expected, self._cut, "with other rows")

    def test_the_decomposition_changes_nothing(self) -> None:
        """Each third of the atoms alone, and all at once."""
        for name in ("tilted", "thin"):
            found = specimen(name)
            expected = self._values(found)
            parts = np.array_split(np.argsort(found.position[:, 0]), 3)
            changes = {}
            if isinstance(self.quantity, IteratedQuantity):
                changes["states"] = states_of(found, self.quantity, parts, at_once=2)
            for part in parts:
                value = self._compute(self._block(found, self.quantity, owned=part, **changes), self.quantity)
                self._equal(value, expected[part], self._cut, "in a smaller domain")

    def test_a_larger_halo_changes_nothing(self) -> None:
        """More ghosts than are needed."""
        found, reach = specimen("glass"), self.quantity.reach
        more = {"spare": True} if self.quantity.shells else {"reach": 1.3 * reach + 1.0}
        value = self._compute(self._block(found, self.quantity, owned=SOME, **more), self.quantity)
        self._equal(value, self._values(found, owned=SOME), self._cut, "with a larger halo")

    def test_a_block_that_holds_less_is_refused(self) -> None:
        """Without a shell, without the shells of neighbours, or with a smaller halo: an error, no numbers."""
        found, quantity = specimen("glass"), self.quantity
        whole = self._block(found, quantity, owned=SOME)
        less = [replace(whole, shells={k: s for k, s in whole.shells.items() if k != name}) for name in quantity.shells]
        if isinstance(quantity, IteratedQuantity):
            less.append(replace(whole, state=None))
        if quantity.rings == 2:
            less.append(self._block(found, quantity, owned=SOME, rings=1))
        if quantity.reach:
            less.append(self._block(found, quantity, owned=SOME, reach=0.9 * quantity.reach))
        for block in less:
            try:
                quantity(block)
            except InternalError:
                continue
            raise AssertionError("values from a block without all that the set asks for")
        self._equal(quantity(whole), self._compute(whole, quantity), 0.0, "through the check")

    def test_the_medium_range_is_the_statistics_of_the_neighbours(self) -> None:
        """Against NumPy, one atom and one column at a time."""
        quantity = self.quantity
        medium = [i for i, column in enumerate(quantity.columns) if column.medium]
        if not (medium and quantity.shells):
            raise SkipTest("the set has no medium range over neighbours")
        found = specimen("thin")
        value = self._values(found)[:, medium]
        block = self._block(found, quantity, owned=SOME)
        # In units of its own size: a statistic is as exact as the column is large.
        value = value / np.abs(value).max(axis=0, initial=1e-300)
        made = coarsened(quantity, value[block.row], block.n_owned, block.shells)
        expected = np.empty((block.n_owned, len(medium), len(quantity.statistics)))
        for k, i in enumerate(medium):
            shell = block.shells[quantity.columns[i].shell]
            for atom in range(block.n_owned):
                near = value[block.row[shell.neighbour[atom, : shell.count[atom]]], k]
                for s, statistic in enumerate(quantity.statistics):
                    expected[atom, k, s] = getattr(np, statistic)(near)
        np.testing.assert_allclose(made.reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)

    def test_empty_slots_change_nothing(self) -> None:
        """A store has as many slots as its most crowded atom needs."""
        if not self.quantity.shells:
            raise SkipTest("the set uses no stored shells")
        found = specimen("glass")
        block = self._block(found, self.quantity, owned=SOME, more_slots=5)
        value = self._compute(block, self.quantity)
        self._equal(value, self._values(found, owned=SOME), 1e-9, "with more empty slots")

    def test_the_block_is_not_modified_and_the_answer_is_repeated(self) -> None:
        """Computing twice gives the same bits, and leaves the input as it was."""
        found = specimen("thin")
        block, twin = (self._block(found, self.quantity, owned=SOME) for _ in range(2))
        first = self._compute(block, self.quantity).copy()
        for name, array in _arrays(block).items():
            assert np.array_equal(array, _arrays(twin)[name], equal_nan=array.dtype.kind == "f"), f"{name} was modified"
        self._equal(self._compute(block, self.quantity), first, 0.0, "the second time")

    def test_it_can_be_sent_to_workers(self) -> None:
        """It comes back equal from the serialisation of distributed, which the engine uses."""
        from distributed.protocol import deserialize, serialize

        returned = deserialize(*serialize(self.quantity, on_error="raise"))
        assert returned == self.quantity
        assert hash(returned) == hash(self.quantity)
        assert returned.columns == self.quantity.columns
        block = self._block(specimen("thin"), self.quantity, owned=SOME)
        self._equal(self._compute(block, returned), self._compute(block, self.quantity), 0.0, "of the returned set")

    # How the tests above are made.

    @property
    def _cut(self) -> float:
        return 0.0 if self.exact else 1e-9

    @property
    def _spacing(self) -> float:
        """Farther than the set can see. Unit: angstrom."""
        return max(40.0, 2.0 * self.quantity.reach)

    def _block(self, found: Specimen, quantity: AtomQuantity, **changes: Any) -> Block:
        return block_for(found, quantity, **{"cutoff": self.cutoff, **changes})

    def _compute(self, block: Block, quantity: AtomQuantity) -> np.ndarray:
        value = quantity.compute(block)
        assert isinstance(value, np.ndarray), f"compute returned {type(value).__name__}"
        assert value.dtype == np.float64, f"values are {value.dtype}"
        assert value.shape == (block.n_owned, len(quantity.columns)), f"shape {value.shape}"
        return value

    def _values(self, found: Specimen, owned: np.ndarray | None = None) -> np.ndarray:
        return self._compute(self._block(found, self.quantity, owned=owned), self.quantity)

    def _same(self, other: Specimen, found: Specimen, tolerance: float, when: str, owned: np.ndarray) -> None:
        self._equal(self._values(other, owned=owned), self._values(found, owned=owned), tolerance, when)

    def _equal(self, value: np.ndarray, expected: np.ndarray, tolerance: float, when: str) -> None:
        with np.errstate(invalid="ignore"):
            near = np.abs(value - expected) <= tolerance * (1.0 + np.abs(expected))
        differs = ~(near | (value == expected) | (np.isnan(value) & np.isnan(expected)))
        if differs.any():
            i, c = np.argwhere(differs)[0]
            raise AssertionError(
                f"{self.quantity.columns[c].name} of atom {i} is {value[i, c]!r} {when}, else {expected[i, c]!r}; "
                f"{differs.sum()} of {differs.size} values differ, in {self._names(differs)}"
            )

    def _columns_that_say(self, word: str) -> np.ndarray:
        return np.array([column.nan.startswith(word) for column in self.quantity.columns])

    def _names(self, marked: np.ndarray) -> str:
        """The first columns in which a mask, shape (n, n_column), is set."""
        names = [self.quantity.columns[c].name for c in np.flatnonzero(marked.any(axis=0))]
        return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _rotation_about(axis: str, angle: float) -> np.ndarray:
    """Rotation by an angle in radians about a coordinate axis."""
    k = "xyz".index(axis)
    turn = np.eye(3)
    p, q = (k + 1) % 3, (k + 2) % 3
    turn[p, p] = turn[q, q] = np.cos(angle)
    turn[q, p] = np.sin(angle)
    turn[p, q] = -turn[q, p]
    return turn


def _arrays(block: Block) -> dict[str, np.ndarray]:
    """Every array of a block, by name."""
    held = {**vars(block), **{f"{name}.{key}": v for name, s in block.shells.items() for key, v in vars(s).items()}}
    return {name: value for name, value in held.items() if isinstance(value, np.ndarray)}
