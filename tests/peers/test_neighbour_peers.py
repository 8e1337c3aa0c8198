"""Cut-off shells against brute force, scipy's k-d tree and freud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from qsdask.kernels.cells import neighbour_shell
from qsdask.testing import lattices
from tests.naive.neighbours import neighbours

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
ORIGIN = np.zeros(3)


def found(position, cell, periodic, cutoff, **options):
    """Per owned atom the slots as (row, image, distance), in slot order, images counted from `position`."""
    block = lattices.open_block(position, cell, ORIGIN, periodic, cutoff, **options)
    shell = neighbour_shell(block.position, block.order, block.n_owned, cutoff)
    assert ((shell.neighbour >= 0).sum(axis=1) == shell.count).all()
    lists = []
    for i, n in enumerate(shell.count):
        slots = shell.neighbour[i, :n]
        assert (np.diff(block.order[slots]) > 0).all()
        images = map(tuple, block.image[slots].tolist())
        lists.append(list(zip(block.row[slots].tolist(), images, shell.distance[i, :n].tolist(), strict=True)))
    return lists


def glass():
    """Positions, wrapped to the corner (0, 0, 0), and lengths of the golden glass."""
    box = np.loadtxt(GOLDEN / "cuzr256.dump", skiprows=5, max_rows=3)
    length = box[:, 1] - box[:, 0]
    position = np.loadtxt(GOLDEN / "cuzr256.dump", skiprows=9)[:, 2:5] - box[:, 0]
    return position - np.floor(position / length) * length, length


TILTED = np.array([[9.0, 0.0, 0.0], [3.5, 8.0, 0.0], [-2.0, 3.0, 10.0]])


@pytest.mark.parametrize(
    ("cell", "n_atom", "periodic", "cutoff"),
    [
        (np.diag([12.0, 11.0, 13.0]), 90, (1, 1, 1), 4.0),
        (np.diag([12.0, 11.0, 13.0]), 90, (1, 0, 0), 4.0),
        (np.diag([12.0, 11.0, 13.0]), 90, (0, 0, 0), 4.0),
        (TILTED, 60, (1, 1, 1), 4.0),
        (TILTED @ lattices.random_rotation(3).T, 60, (1, 1, 0), 4.0),
        (np.diag([3.0, 12.0, 12.0]), 25, (1, 1, 1), 4.0),
        (np.diag([2.0, 2.5, 9.0]), 5, (1, 1, 1), 5.0),
        (np.diag([2.0, 2.5, 3.0]), 1, (1, 1, 1), 5.0),
        (TILTED / 3.0, 4, (1, 1, 1), 6.0),
    ],
    ids=["cube", "slab", "droplet", "tilted", "turned", "thin", "rod", "own images only", "thin and tilted"],
)
def test_brute_force(cell, n_atom, periodic, cutoff):
    position = lattices.random_gas(n_atom, cell, seed=n_atom)
    expected = neighbours(position, cell, periodic, cutoff)
    for mine, theirs in zip(found(position, cell, periodic, cutoff), expected, strict=True):
        assert [n[:2] for n in mine] == [n[:2] for n in theirs]
        np.testing.assert_allclose([n[2] for n in mine], [n[2] for n in theirs], rtol=0, atol=1e-12)


def test_slots_follow_ids_not_rows():
    position, length = glass()
    ids = np.random.default_rng(0).permutation(len(position)) * 3 + 11
    by_row = found(position, np.diag(length), (1, 1, 1), 4.0)
    by_id = found(position, np.diag(length), (1, 1, 1), 4.0, id=ids)
    for mine, other in zip(by_id, by_row, strict=True):
        assert sorted(mine) == sorted(other)
        assert [(ids[row], image) for row, image, _ in mine] == sorted((ids[row], image) for row, image, _ in mine)


@pytest.mark.parametrize("cutoff", [2.5, 4.0, 7.9])
def test_scipy_tree(cutoff):
    position, length = glass()
    tree = cKDTree(position, boxsize=length)
    expected = tree.query_ball_point(position, cutoff)
    for i, mine in enumerate(found(position, np.diag(length), (1, 1, 1), cutoff)):
        assert sorted({n[0] for n in mine}) == sorted(set(expected[i]) - {i})


@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (0.3, -0.2, 0.4)])
def test_freud(tilt, freud):
    position, length = glass()
    xy, xz, yz = tilt
    shear = np.array([[1.0, 0.0, 0.0], [xy, 1.0, 0.0], [xz, yz, 1.0]])
    position, cell = position @ shear, np.diag(length) @ shear
    box = freud.box.Box.from_matrix(cell.T)
    query = freud.locality.AABBQuery(box, position - cell.sum(axis=0) / 2)
    nlist = query.query(position - cell.sum(axis=0) / 2, {"r_max": 4.0, "exclude_ii": True}).toNeighborList()
    mine = found(position, cell, (1, 1, 1), 4.0)
    # freud computes in single precision: pairs at the cut-off itself may differ.
    for i, shell in enumerate(mine):
        sure = {row for row, _, d in shell if d < 4.0 - 1e-4}
        theirs = set(nlist.point_indices[nlist.query_point_indices == i].tolist())
        assert sure <= theirs
        assert len(theirs - {row for row, _, _ in shell}) <= (np.abs(nlist.distances - 4.0) < 1e-4).sum()
    assert sum(map(len, mine)) == pytest.approx(len(nlist.distances), abs=4)
