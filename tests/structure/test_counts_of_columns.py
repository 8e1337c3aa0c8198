"""The paper counts 49 short-range and 209 medium-range conventional signatures of a binary glass, and 80 interstices."""

from __future__ import annotations

from qsdask.quantity import feature_sets, medium_range
from qsdask.settings import FeatureSettings
from qsdask.stages.features import quantity_of

CONVENTIONAL = (
    "coordination",
    "voronoi_index",
    "motif",
    "volume",
    "ifold",
    "weighted_ifold",
    "bond_order",
    "chemistry",
)


def counts(name: str) -> tuple[int, int]:
    """Short-range and medium-range columns of a set, for a binary alloy."""
    quantity = feature_sets()[name]()
    columns = [c.name for c in (*quantity.columns, *medium_range(quantity))]
    assert len(set(columns)) == len(columns)
    short = sum(column.startswith("sro__") for column in columns)
    assert all(column.startswith(("sro__", "mro__")) for column in columns)
    return short, len(columns) - short


def test_each_set_has_the_columns_of_the_paper():
    expected = {
        "interstice": (16, 64),
        "coordination": (2, 8),
        "voronoi_index": (5, 20),
        "motif": (4, 12),
        "volume": (3, 12),
        "ifold": (5, 25),
        "weighted_ifold": (5, 20),
        "bond_order": (16, 80),
        "chemistry": (9, 32),
        "symmetry_function": (166, 0),
    }
    assert {name: counts(name) for name in expected} == expected


def test_conventional_sets_have_49_short_range_and_209_medium_range_columns():
    short, medium = zip(*map(counts, CONVENTIONAL), strict=True)
    assert (sum(short), sum(medium)) == (49, 209)


def test_columns_follow_the_number_of_species():
    facts = {"species": ("Cu", "Ni", "Zr"), "composition": (0.5, 0.2, 0.3), "radius": (1.26, 1.26, 1.58)}
    made = {name: quantity_of(name, FeatureSettings(), facts) for name in ("chemistry", "symmetry_function")}
    assert len(made["chemistry"].columns) == 1 + 2 * 2 * 3
    assert len(made["symmetry_function"].columns) == 3 * 50 + 6 * 22
