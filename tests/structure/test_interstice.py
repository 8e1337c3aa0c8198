"""The 80 columns against every golden file: from the float64 kernels to 1e-10, as stored to 1e-6; and their grammar."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.tessellate import keep_facets, voronoi_shell
from qsdask.quantity import coarsened, feature_sets, medium_range, parse_column
from qsdask.settings import FeatureSettings
from qsdask.space.block import Block, Shell
from qsdask.space.box import Box
from qsdask.stages.features import quantity_of
from qsdask.testing.lattices import open_block
from tests.conftest import SPECIES

#: Golden file -> convention of the facets, share of the mean below which they are dropped, convention of the distance.
GOLDEN = {
    "paper": ("paper", 0.05, "paper"),
    "amlearn": ("amlearn", 0.05, "amlearn"),
    "fixed_contact": ("paper", 0.05, "amlearn"),
    "nofilter_contact": ("paper", 0.0, "amlearn"),
}


def golden_name(column: str) -> str:
    """Name of one of our columns in the golden files."""
    reach, kind, shell, *statistics = parse_column(column)
    kind = {"distance": "Dist", "area": "Area", "volume": "Volume"}[kind.removeprefix("interstice_")]
    base = f"{kind}_interstice_{statistics[0]}_{'dist' if shell == 'cutoff' else shell}"
    return base if reach == "sro" else f"MRO_{statistics[1]}_{base}"


def expected(golden, name: str, columns) -> tuple[np.ndarray, np.ndarray]:
    """Ids and golden values in the order of our columns, by rising id."""
    with np.load(golden / f"interstice80_{name}.npz") as file:
        names = [str(n) for n in file["names"]]
        order = np.argsort(file["id"])
        return file["id"][order], file["X"][order][:, [names.index(golden_name(c)) for c in columns]]


def frame(golden) -> tuple[np.ndarray, ...]:
    """Ids, types, positions and box of the golden frame."""
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    bounds = np.array([line.split() for line in lines[5:8]], dtype=float)
    table = np.array([line.split() for line in lines[9:]], dtype=float)
    box = Box(np.diag(bounds[:, 1] - bounds[:, 0]), bounds[:, 0], np.array([True] * 3))
    return table[:, 0].astype(np.int64), table[:, 1].astype(int), box.wrap(table[:, 2:]), box


@pytest.mark.parametrize("name", GOLDEN)
def test_kernels_give_the_golden_numbers(golden, name):
    facets, fraction, distance = GOLDEN[name]
    ids, kind, position, box = frame(golden)
    reach = 9.0
    local = open_block(position, box.cell, box.origin, box.periodic, reach, id=ids)
    cells = voronoi_shell(local.position, local.order, local.n_owned, reach)
    assert not cells.state.any()
    assert cells.volume.sum() == pytest.approx(box.volume, rel=1e-9)
    kept = keep_facets(cells, fraction, facets == "amlearn")
    pairs = neighbour_shell(local.position, local.order, local.n_owned, 4.0)
    radius = np.array([0.0, 1.26, 1.58])[kind][local.row]
    block = Block(
        local.n_owned,
        local.row,
        local.image,
        local.position,
        local.order,
        kind[local.row],
        radius,
        box,
        reach,
        {
            "voronoi": Shell(kept.neighbour, kept.count, kept.distance),
            "cutoff": Shell(pairs.neighbour, pairs.count, pairs.distance),
        },
    )
    quantity = quantity_of("interstice", FeatureSettings(convention=distance))
    short = quantity.compute(block)
    whole = np.concatenate([short, coarsened(quantity, short[local.row], block.n_owned, block.shells)], axis=1)
    columns = [c.name for c in (*quantity.columns, *medium_range(quantity))]
    _, values = expected(golden, name, columns)
    np.testing.assert_allclose(whole[np.argsort(ids)], values, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", GOLDEN)
def test_stores_give_the_golden_numbers(golden, name, tmp_path, few):
    facets, fraction, distance = GOLDEN[name]
    store = tmp_path / "golden.zarr"
    qsdask.ingest(golden / "cuzr256.dump", store, species=SPECIES, chunk=100, run=few)
    qsdask.shells(store, convention=facets, facet_fraction=fraction, run=few)
    qsdask.features(store, convention=distance, run=few)
    tree = qsdask.open_store(store)
    found = tree["features/interstice"].ds
    columns = [str(c) for c in found["feature"].values]
    ids, values = expected(golden, name, columns)
    order = np.argsort(tree["atoms"].ds["id"].values)
    np.testing.assert_array_equal(tree["atoms"].ds["id"].values[order], ids)
    np.testing.assert_allclose(found["value"].values[order], values, rtol=1e-6, atol=1e-6)


def test_sets_are_found_and_columns_follow_the_grammar():
    quantity = feature_sets()["interstice"]
    columns = (*quantity.columns, *medium_range(quantity))
    assert len(columns) == len({c.name for c in columns}) == 80
    for column in columns:
        assert "__".join(parse_column(column.name)) == column.name
        assert column.unit
        assert column.meaning
        assert column.nan
    with pytest.raises(qsdask.QSDaskError, match="E-COLUMN"):
        parse_column("Area-std")


def test_slab_with_free_surfaces(frames, tmp_path, few):
    """Surface atoms have open cells, NaN and a flag; inner ones the same numbers as in the periodic glass."""
    text = frames[0].replace("pp pp pp", "ff pp pp")
    lines = text.splitlines()
    lines[5] = "-30.0 80.0"
    free = tmp_path / "free.dump"
    free.write_text("\n".join(lines) + "\n")
    whole = tmp_path / "whole.dump"
    whole.write_text(frames[0])
    values = {}
    for dump in (free, whole):
        store = dump.with_suffix(".zarr")
        qsdask.ingest(dump, store, species=SPECIES, chunk=2304, run=few)
        qsdask.shells(store, run=few)
        qsdask.features(store, run=few)
        tree = qsdask.open_store(store)
        order = np.argsort(tree["atoms"].ds["id"].values)
        values[dump.stem] = (
            tree["features/interstice"].ds["value"].values[order],
            tree["shells/voronoi"].ds["flag"].values[order],
            tree["shells/voronoi"].ds["cell_volume"].values[order],
            tree["frames"].ds["position"].values[0][order],
        )
    value, flag, volume, position = values["free"]
    is_open = (flag & 1).astype(bool)
    assert 100 < is_open.sum() < 1500
    assert np.isnan(volume[is_open]).all()
    assert np.isnan(value[is_open][:, :12]).all()
    x = position[:, 0]
    inner = (x > x.min() + 12) & (x < x.max() - 12)
    assert not is_open[inner].any()
    np.testing.assert_array_equal(value[inner], values["whole"][0][inner])
