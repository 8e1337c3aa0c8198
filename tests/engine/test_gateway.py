"""On a real server of dask-gateway, of this machine alone: ``python -m pytest -m cluster tests/engine/test_gateway.py``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import qsdask
from qsdask.engine.where import Run
from qsdask.errors import QSDaskError
from tests.chaos.job import write_dump
from tests.store_files import content_of

pytestmark = pytest.mark.cluster

#: Its own commands for scheduler and worker are of releases of Dask that are gone.
CONFIG = """
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:{api}"
c.Proxy.address = "127.0.0.1:{web}"
c.Proxy.tcp_address = "127.0.0.1:{tcp}"
c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
c.LocalBackend.clusters_directory = "{folder}/clusters"
c.ClusterConfig.scheduler_cmd = ["{python}", "-m", "distributed.cli.dask_scheduler"]
c.ClusterConfig.worker_cmd = ["{python}", "-m", "distributed.cli.dask_worker"]
c.ClusterConfig.worker_cores = 1
c.ClusterConfig.worker_memory = "2 G"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Address of the server, and of the proxy to schedulers."""
    for name in ("dask_gateway", "dask_gateway_server"):
        pytest.importorskip(name, reason="needs dask-gateway and dask-gateway-server[local]")
    folder = tmp_path_factory.mktemp("gateway")
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    api, web, tcp = (one.getsockname()[1] for one in held)
    for one in held:
        one.close()
    text = CONFIG.format(api=api, web=web, tcp=tcp, folder=folder, python=sys.executable)
    (folder / "config.py").write_text(text)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "dask_gateway_server", "-f", "config.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(qsdask.__file__).parents[1])},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 90
        while not answers(f"http://127.0.0.1:{web}/api/health"):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.5)
        yield f"http://127.0.0.1:{web}", f"gateway://127.0.0.1:{tcp}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def table(gateway: tuple[str, str], more: str = "") -> str:
    address, proxy = gateway
    return f"""
[cluster]
kind = "gateway"
workers = 2
[cluster.options]
address = "{address}"
proxy_address = "{proxy}"
{more}
"""


def test_stages_on_a_gateway_give_the_same_bytes(gateway, tmp_path, few):
    write_dump(tmp_path / "glass.dump")
    (tmp_path / "there.toml").write_text(table(gateway))
    there = Run(tmp_path / "there.toml", progress=False)
    for name, run in (("there", there), ("here", few)):
        store = tmp_path / f"{name}.zarr"
        qsdask.ingest(tmp_path / "glass.dump", store, species={1: "Cu", 2: "Zr"}, name="glass", chunk=256, run=run)
        qsdask.shells(store, run=run)
    assert content_of(tmp_path / "there.zarr") == content_of(tmp_path / "here.zarr")


def test_a_gateway_is_tried_and_shown(gateway, tmp_path):
    (tmp_path / "there.toml").write_text(table(gateway))
    done = subprocess.run(
        [sys.executable, "-m", "qsdask", "cluster", "there.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(qsdask.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "gateway: scheduler tls://127.0.0.1:" in done.stdout
    assert "2.1 GB" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_the_server_does_not_know_is_told_in_one_message(gateway, tmp_path):
    (tmp_path / "there.toml").write_text(table(gateway, "imgae = 'x'"))
    with pytest.raises(QSDaskError) as refusal, Run(tmp_path / "there.toml").connected():
        pass
    assert refusal.value.code == "E-CLUSTER-START"
    assert "imgae" in refusal.value.message
    silent = ("http://127.0.0.1:9", gateway[1])
    (tmp_path / "there.toml").write_text(table(silent))
    with pytest.raises(QSDaskError) as refusal, Run(tmp_path / "there.toml").connected():
        pass
    assert refusal.value.code == "E-CLUSTER-CONNECT"
