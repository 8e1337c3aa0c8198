"""How the work was cut may not change the answer: domains, workers, order of the input, periodic images."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.engine.where import Run
from qsdask.testing.blocks import specimen
from tests.conftest import SPECIES
from tests.stages.test_radical_shells import shells_of, store_of

#: Distances, D2min and everything made of pairs: the same bits. What comes from the tessellation: to 1e-9.
TESSELLATION = 1e-9


def rewritten(frame: str, seed: int, unwrap: bool) -> str:
    """The same frame with its atoms shuffled and, if asked, moved by whole cells along each axis."""
    lines = frame.splitlines()
    bounds = np.array([[float(v) for v in line.split()] for line in lines[5:8]])
    rng = np.random.default_rng(seed)
    body = []
    for line in lines[9:]:
        atom, kind, *x = line.split()
        if unwrap:
            shift = np.random.default_rng(int(atom)).integers(-2, 3, 3) * (bounds[:, 1] - bounds[:, 0])
            x = [repr(float(float(v) + s)) for v, s in zip(x, shift, strict=True)]
        body.append(" ".join([atom, kind, *x]))
    rng.shuffle(body)
    head = lines[:8] + [lines[8].replace(" x y z", " xu yu zu") if unwrap else lines[8]]
    return "\n".join(head + body) + "\n"


def computed(dump, store, chunk: int, run: Run) -> dict[str, np.ndarray]:
    """Everything a store holds, by atom id."""
    qsdask.ingest(dump, store, species=SPECIES, chunk=chunk, run=run)
    qsdask.shells(store, run=run)
    qsdask.features(store, run=run)
    # Few steps of soft spheres: all of them, cut in every way, stand in tests/engine/test_passes.py.
    steps = {"network_steps": 4, "relax_steps": 2, "strain_steps": 1}
    qsdask.features(store, set="elastic_network,soft_sphere_response", run=run, **steps)
    qsdask.respond(store, run=run)
    tree = qsdask.open_store(store)
    ids = tree["atoms"].ds["id"].values
    order = np.argsort(ids)
    shells = tree["shells/voronoi"].ds.load().isel(atom=order)
    cutoff = tree["shells/cutoff"].ds.load().isel(atom=order)
    return {
        "neighbour": np.where(shells["neighbour"] >= 0, ids[shells["neighbour"].values], -1),
        "distance": shells["distance"].values,
        "pair_distance": cutoff["distance"].values,
        "area": shells["facet_area"].values,
        "volume": shells["cell_volume"].values,
        "edges": shells["edges"].values,
        "features": tree["features/interstice"].ds["value"].values[order],
        "network": tree["features/elastic_network"].ds["value"].values[order],
        "spheres": tree["features/soft_sphere_response"].ds["value"].values[order],
        "d2min": tree["response/d2min"].ds["d2min"].values[:, order],
    }


@pytest.fixture(scope="module")
def plain(frames, tmp_path_factory, few):
    folder = tmp_path_factory.mktemp("plain")
    dump = folder / "a.dump"
    dump.write_text(frames[0] + frames[3])
    return computed(dump, folder / "a.zarr", 65536, few)


@pytest.mark.parametrize(
    ("chunk", "workers", "cluster", "shuffle", "unwrap"),
    [
        pytest.param(2304, 1, "threads", False, False, id="3 domains"),
        pytest.param(407, 2, "threads", False, False, id="17 domains, 2 threads"),
        pytest.param(2304, 2, "local", False, False, id="2 processes"),
        pytest.param(2304, 2, "threads", True, False, id="shuffled"),
        pytest.param(2304, 2, "threads", True, True, id="unwrapped"),
    ],
)
def test_same_numbers(plain, frames, tmp_path, chunk, workers, cluster, shuffle, unwrap):
    dump = tmp_path / "b.dump"
    texts = [frames[0], frames[3]]
    dump.write_text("".join(rewritten(t, i, unwrap) if shuffle else t for i, t in enumerate(texts)))
    other = computed(dump, tmp_path / "b.zarr", chunk, Run(cluster, workers, False, False))
    for name in ("neighbour", "distance", "pair_distance", "edges", "d2min", "network", "spheres"):
        np.testing.assert_array_equal(other[name], plain[name], err_msg=name)
    for name in ("area", "volume"):
        np.testing.assert_allclose(other[name], plain[name], rtol=TESSELLATION, atol=TESSELLATION, err_msg=name)
    np.testing.assert_array_equal(other["features"], plain["features"])


def test_volumes_fill_the_box(plain, glass):
    box = np.linalg.det(qsdask.open_store(glass)["frames"].ds["cell"].values[0])
    assert plain["volume"].sum() == pytest.approx(box, rel=1e-9)


def test_slots_that_stay_empty_look_the_same_in_every_domain(tmp_path, few):
    """One crowded atom gives all atoms more slots; a domain without such an atom fills the others alike."""
    glass = specimen("glass")
    random = glass.box.origin + np.random.default_rng(1).random(glass.position.shape) @ glass.box.cell
    gas = glass._replace(position=np.round(random, 6))
    one, nine = (shells_of(store_of(gas, tmp_path, few, domains=n, facet_fraction=0.0)) for n in (1, 9))
    assert one["neighbour"].shape[1] > 24
    assert (one["edges"][one["neighbour"] < 0] == -1).all()
    for name in ("neighbour", "distance", "edges"):
        np.testing.assert_array_equal(nine[name], one[name], err_msg=name)
