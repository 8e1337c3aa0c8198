"""The engine: nothing listens beyond loopback, refusals travel, lost workers are named, plans add up."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
from distributed import LocalCluster
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.security import Security

import qsdask
from qsdask.engine import course
from qsdask.engine import local as local_module
from qsdask.engine import standing as standing_module
from qsdask.engine import tasks as tasks_module
from qsdask.engine.cluster import connect
from qsdask.engine.cost import Size, leaf_edges, mean_ghosts
from qsdask.engine.tasks import cluster_errors, run_tasks, sent_to_all, warm_up
from qsdask.errors import BadDataError, ResumableError, UsageError
from qsdask.quantity import feature_sets
from qsdask.schema import STAGES
from qsdask.stages import explain, features, ingest, label, predict, propensity, respond, shells, stress, surface
from tests.store_files import content_of


def listening() -> set[str]:
    """Addresses on which this process and its children listen."""
    me = psutil.Process()
    return {c.laddr.ip for p in [me, *me.children(recursive=True)] for c in p.net_connections() if c.status == "LISTEN"}


def test_only_loopback_is_listened_on():
    before = listening()
    with connect("local", 2) as client:
        assert all(ipaddress.ip_address(address).is_loopback for address in listening() - before)
        assert "127.0.0.1" in client.dashboard_link
        assert sum(client.nthreads().values()) == 2


def test_threads_listen_nowhere_not_even_for_a_moment(monkeypatch):
    def listen(*_):
        raise AssertionError("a port was opened")

    ports = psutil.Process().net_connections()
    monkeypatch.setattr(socket.socket, "listen", listen)
    with connect("threads", 2) as client:
        assert [c for c in psutil.Process().net_connections() if c.status == "LISTEN" and c not in ports] == []
        assert client.submit(sum, [1, 2]).result() == 3


STRANGER = """
import sys
import threading
from distributed import Client
from distributed.security import Security
for security in (None, Security.temporary()):
    for protocol in ("tcp", "tls"):
        try:
            client = Client(f"{protocol}://{sys.argv[1]}", timeout="4s", security=security)
            # Workers may be busy, or asleep: whoever reaches the scheduler can give it work.
            print("let in:", client.scheduler.address)
        except Exception as error:
            print("refused:", type(error).__name__)
"""


def test_a_stranger_cannot_give_work_to_a_local_cluster():
    with connect("local", 1) as client:
        address = client.scheduler.address.removeprefix("tls://")
        said = subprocess.run(
            [sys.executable, "-c", STRANGER, address], capture_output=True, text=True, timeout=120, check=True
        ).stdout
        assert [line.partition(":")[0] for line in said.splitlines()] == ["refused"] * 4
        assert client.submit(sum, [1, 2]).result() == 3


def planted(folder: Path) -> None:
    """A module in the folder that Dask would have used, made by somebody else."""
    (folder / "dask-scratch-space").mkdir()
    (folder / "dask-scratch-space" / "planted.py").write_text("")


def finds_planted() -> bool:
    return importlib.util.find_spec("planted") is not None


@pytest.mark.parametrize("cluster", ["local", "threads"])
def test_what_somebody_planted_in_the_temporary_folder_is_not_imported(cluster, tmp_path, monkeypatch):
    planted(tmp_path)
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    with connect(cluster, 1) as client:
        assert not client.submit(finds_planted).result()
        made = [folder for folder in tmp_path.iterdir() if folder.name.startswith("qsdask-")]
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in made] == [0o700]
    assert [folder.name for folder in tmp_path.iterdir()] == ["dask-scratch-space"]


def scratch() -> list[str]:
    """Where this process imports from that Dask made."""
    return [place for place in sys.path if "dask-scratch-space" in place]


@pytest.mark.parametrize("cluster", ["local", "threads"])
def test_no_process_imports_from_a_folder_whose_name_others_know(cluster, tmp_path, monkeypatch):
    # The owner of a folder can rename what we make in it, whatever its mode.
    planted(tmp_path)
    monkeypatch.delenv("DASK_TEMPORARY_DIRECTORY", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with connect(cluster, 1) as client:
        places = [*scratch(), *client.submit(scratch).result()]
        assert places
        assert all(place.startswith(f"{tmp_path}/qsdask-") for place in places)
    assert scratch() == []


def test_a_temporary_folder_that_is_not_there_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path / "not" / "there"))
    with connect("threads", 1) as client:
        assert client.submit(sum, [1, 2]).result() == 3


def refuse(number: int) -> int:
    if number == 3:
        raise BadDataError("three is not allowed", code="E-THREE", atom_id=3)
    return number * number


def vanish(path: str, number: int) -> int:
    if number == 1:
        os._exit(1)
    return number


def add(a: int, b: int) -> int:
    return a + b


def nothing() -> None:
    """Compile nothing."""


def test_results_come_and_refusals_travel():
    with connect("threads", 2) as client:
        warm_up(client, nothing)
        assert sorted(run_tasks(client, refuse, [(i,) for i in range(3)], label="squares", progress=False)) == [0, 1, 4]
        with pytest.raises(BadDataError, match="E-THREE") as refusal:
            list(run_tasks(client, refuse, [(i,) for i in range(5)], label="squares", progress=False))
        assert refusal.value.atom_id == 3


def test_very_many_tasks_are_sent_in_batches_and_never_more_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(tasks_module, "MANY", 20)
    sent: list[int] = []
    done: list[int] = []
    with connect("threads", 2) as client:
        given = client.map

        def counted(function, *columns, **named):
            sent.append(len(columns[0]))
            # One has come that has not been told yet.
            assert sum(sent) - len(done) <= 2 * tasks_module.IN_FLIGHT + 1
            return given(function, *columns, **named)

        monkeypatch.setattr(client, "map", counted)
        for result in run_tasks(client, add, [(i, 2 * i) for i in range(90)], label="sums", progress=False):
            done.append(result)
        assert sorted(done) == [3 * i for i in range(90)]
        # Room for eight: halves of it are waited for.
        assert sum(sent) == 90
        assert min(sent[:-1]) >= 4
        done.clear()
        sent.clear()
        done += run_tasks(client, add, [(i, 0) for i in range(20)], label="sums", progress=False)
        assert sorted(done) == list(range(20))
        assert sent[0] == 8


def test_no_key_is_used_twice(monkeypatch):
    """The scheduler forgets tasks late: what is sent then under the same key would be forgotten, or cancelled, too."""
    keys: list[str] = []
    with connect("threads", 2) as client:
        given = client.map

        def noted(*columns, **named):
            keys.extend(named["key"])
            return given(*columns, **named)

        monkeypatch.setattr(client, "map", noted)
        for _ in range(40):
            with closing(run_tasks(client, add, [(i, 0) for i in range(6)], label="sums", progress=False)) as done:
                next(done)
    assert len(set(keys)) == len(keys) == 240


def test_what_is_sent_to_all_has_a_key_of_its_own():
    """Equal values too; see above."""
    with connect("threads", 2) as client:
        sent = [sent_to_all(client, {"of": "one glass"}) for _ in range(2)]
        assert sent[0].key != sent[1].key
        assert [one.result() for one in sent] == [{"of": "one glass"}] * 2


def test_a_task_that_kills_its_workers_is_named():
    with connect("local", 2) as client, pytest.raises(ResumableError, match=r"E-WORKER-LOST.*\('x', 1\)"):
        list(run_tasks(client, vanish, [("x", i) for i in range(3)], label="vanish", progress=False))


def test_a_task_that_kills_its_workers_need_not_end_the_others():
    with connect("local", 2) as client:
        found = run_tasks(
            client,
            vanish,
            [("x", i) for i in range(4)],
            label="vanish",
            progress=False,
            # One at a time: Dask blames all tasks that a lost worker had.
            at_once=1,
            instead=lambda name, i, error: (name, i, error.code),
        )
        assert sorted(found, key=str) == [("x", 1, "E-WORKER-LOST"), 0, 2, 3]


def test_unknown_clusters_are_refused():
    with pytest.raises(UsageError, match="E-CLUSTER"), connect("nonsense"):
        pass


def test_plan_counts_the_ghosts_of_a_gas():
    edges, n_atom, chunk, reach = np.array([60.0, 60.0, 60.0]), 8000, 1000, 5.0
    np.testing.assert_allclose(leaf_edges(edges, n_atom, chunk), 30.0)
    x = np.random.default_rng(0).random((n_atom, 3)) * edges
    low, high = np.zeros(3) - reach, np.full(3, 30.0) + reach
    inside = 0
    for shift in np.stack(np.meshgrid(*[[-60.0, 0.0, 60.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3):
        inside += ((x + shift >= low) & (x + shift <= high)).all(axis=1).sum()
    assert mean_ghosts(edges, n_atom, chunk, reach) == pytest.approx(inside - 1000, rel=0.05)


def test_plan_names_every_stage():
    size = Size(345600, 33, 65536, (240.0, 48.0, 480.0))
    made = [
        ingest.plan_of(size),
        stress.plan_of(size),
        surface.plan_of(size),
        shells.plan_of(size, 4.0),
        features.plan_of(size, feature_sets()["interstice"]()),
        respond.plan_of(size, 4.0),
        propensity.plan_of(size, 3),
        label.plan_of(size),
        predict.plan_of(size, 80),
        explain.plan_of(size, ["sro__interstice_area__voro__std", "mro__interstice_area__voro__std__mean"]),
    ]
    assert [s.stage for s in made] == [stage.name for stage in STAGES]
    assert [s.tasks for s in made] == [9, 1, 12, 6, 12, 54, 54, 6, 6, 6]
    assert all(s.bytes_memory > 1e8 for s in made)


def test_a_wide_cutoff_needs_more_memory_for_features():
    size, quantity = Size(345600, 1, 65536, (240.0, 48.0, 480.0)), feature_sets()["interstice"]()
    usual, same, wide = (features.plan_of(size, quantity, cutoff) for cutoff in (0.0, 4.0, 9.0))
    assert usual == same
    assert wide.bytes_memory > usual.bytes_memory


def test_a_cluster_behind_tls_is_reached_with_dasks_own_certificates(tmp_path):
    security = Security.temporary()
    tls = {}
    for name, text in {
        "ca-file": security.tls_ca_file,
        "cert": security.tls_scheduler_cert,
        "key": security.tls_scheduler_key,
    }.items():
        tls[name] = tmp_path / f"{name}.pem"
        tls[name].write_text(text)
    certificates = {
        "distributed.comm.tls.ca-file": str(tls["ca-file"]),
        "distributed.comm.tls.client.cert": str(tls["cert"]),
        "distributed.comm.tls.client.key": str(tls["key"]),
    }
    with (
        LocalCluster(1, threads_per_worker=1, security=security, host="127.0.0.1", dashboard_address=None) as cluster,
        dask.config.set(certificates),
        connect(cluster.scheduler_address) as client,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        assert sorted(run_tasks(client, refuse, [(i,) for i in range(3)], label="squares", progress=False)) == [0, 1, 4]


@pytest.mark.parametrize("error", [CommClosedError("in <TCP>: Stream is closed"), FutureCancelledError("key", None)])
def test_a_lost_scheduler_is_not_taken_for_a_full_disk(error):
    with pytest.raises(ResumableError, match="E-CLUSTER-LOST"), cluster_errors():
        raise error


def test_a_cluster_whose_workers_do_not_come_back_ends_in_a_message(monkeypatch):
    monkeypatch.setattr(local_module, "NO_WORKERS_SECONDS", 1)
    with connect("local", 1) as client:
        client.cluster.scale(0)
        with pytest.raises(ResumableError, match="E-WORKER-LOST"):
            list(run_tasks(client, len, [("abc",)], label="measure", progress=False))


def test_a_scheduler_without_workers_is_waited_for_and_told(monkeypatch, caplog):
    with LocalCluster(
        n_workers=0, processes=False, host="127.0.0.1", protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as cluster:
        monkeypatch.setattr(standing_module, "WORKERS_SECONDS", 1)
        with pytest.raises(ResumableError, match=r"(?s)E-NO-WORKERS.*dask worker"), connect(cluster.scheduler_address):
            pass
        assert "has no workers yet" in caplog.text
        monkeypatch.setattr(standing_module, "WORKERS_SECONDS", 60)
        later = threading.Timer(1.0, cluster.scale, args=(1,))
        later.start()
        with connect(cluster.scheduler_address) as client:
            assert client.submit(sum, [1, 2]).result() == 3
        later.join()


def test_units_of_work_are_longer_where_there_is_enough_for_all(own_run, few, monkeypatch):
    """Nineteen steps, two of them a task, of two domains: six units for two threads, or two; the numbers are the same."""
    made, run_tasks = [], course.run_tasks

    def counted(client, function, arguments, **how):
        made.append(len(arguments))
        return run_tasks(client, function, arguments, **how)

    store, found = own_run / "long.zarr", []
    monkeypatch.setattr(course, "run_tasks", counted)
    for units in (4, 1):
        monkeypatch.setattr(course, "_UNITS", units)
        qsdask.respond(store, run=replace(few, overwrite=True))
        found.append({name: data for name, data in content_of(store).items() if name.startswith("response/")})
    assert made == [6, 2]
    assert found[0] == found[1]
