"""Clusters of soft atoms against freud, and in cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.analysis.clusters import largest_clusters, neighbour_pairs

CELL = np.diag([20.0, 24.0, 30.0])


def found_in(position: np.ndarray, chosen: np.ndarray, reach: float):
    delta = position[:, None] - position[None]
    edge = np.diag(CELL)
    delta -= edge * np.rint(delta / edge)
    near = (np.linalg.norm(delta, axis=-1) < reach) & ~np.eye(len(position), dtype=bool)
    slots = max(int(near.sum(axis=1).max()), 1)
    neighbour = np.full((len(position), slots), -1)
    for i, row in enumerate(near):
        there = np.flatnonzero(row)
        neighbour[i, : len(there)] = there
    return neighbour, largest_clusters(
        neighbour_pairs(neighbour, chosen), chosen, position / edge, CELL, np.zeros(3), n=1000
    )


@pytest.mark.parametrize("seed", range(5))
def test_sizes_are_those_of_freud(freud, seed):
    rng = np.random.default_rng(seed)
    position = rng.random((300, 3)) @ CELL
    chosen = rng.random(300) < 0.4
    _, found = found_in(position, chosen, 3.0)
    box = freud.box.Box(*np.diag(CELL))
    peer = freud.cluster.Cluster()
    peer.compute((box, position[chosen] - np.diag(CELL) / 2), neighbors={"r_max": 3.0})
    assert found["size"].values.tolist() == sorted(map(len, peer.cluster_keys), reverse=True)
    assert found.attrs["n_cluster"] == peer.num_clusters


def test_a_cluster_across_the_faces_has_its_centre_there():
    position = np.array([[19.5, 12.0, 29.0], [0.5, 12.0, 1.0], [10.0, 5.0, 15.0]])
    _, found = found_in(position, np.ones(3, bool), 3.0)
    assert found["size"].values.tolist() == [2, 1]
    centre = found["centre"].values[0] / np.diag(CELL)
    np.testing.assert_allclose(centre - np.rint(centre * 2) / 2, 0, atol=1e-12)
    assert centre[1] == pytest.approx(0.5)


def test_chunks_find_the_same_pairs():
    rng = np.random.default_rng(7)
    position, chosen = rng.random((200, 3)) @ CELL, rng.random(200) < 0.5
    neighbour, _ = found_in(position, chosen, 4.0)
    parts = [neighbour_pairs(neighbour[k : k + 37], chosen, k) for k in range(0, 200, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), neighbour_pairs(neighbour, chosen))


def test_no_soft_atom_is_no_cluster():
    _, found = found_in(np.zeros((4, 3)) + np.arange(4)[:, None], np.zeros(4, bool), 2.0)
    assert found.attrs["n_cluster"] == 0
    assert found.sizes["cluster"] == 0
