"""Stores that the page is tried on, and the server beside the tests."""

from __future__ import annotations

import asyncio
import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np
import pytest

import qsdask
from qsdask.explorer.answers import Answers
from qsdask.explorer.server import Server
from qsdask.formats.write import open_writer

TOKEN = "a-token-of-the-tests-1234"


@pytest.fixture(scope="session")
def soft_glass(tmp_path_factory, glass, few) -> Path:
    """The shipped glass with its softness by the shipped model, at rest and at 4 % strain; not to be changed."""
    store = Path(shutil.copytree(glass, tmp_path_factory.mktemp("explorer") / "cu65.zarr"))
    qsdask.shells(store, step=3, run=few)
    qsdask.features(store, step=3, run=few)
    qsdask.features(store, set="voronoi_index", run=few)
    for step in (0, 3):
        qsdask.predict(store, model="cuzr-fast", step=step, run=few)
    return store


@pytest.fixture(scope="session")
def tilted(tmp_path_factory, few) -> Path:
    """900 atoms in a sheared cell with one free side, which flow through the faces; four frames, nine domains."""
    home = tmp_path_factory.mktemp("tilted")
    rng = np.random.default_rng(5)
    cell = np.array([[20.0, 0.0, 0.0], [3.0, 18.0, 0.0], [-2.0, 4.0, 16.0]])
    reduced = rng.uniform(0.0, 1.0, (900, 3))
    drift = rng.normal(0.0, 0.06, (900, 3))
    atom_id, species = np.arange(1, 901), rng.integers(0, 2, 900)
    settings = {
        "natoms": 900,
        "species": ["Cu", "Zr"],
        "columns": {},
        "periodic": np.array([True, True, False]),
        "cell": cell,
        "origin": np.array([-3.0, 1.0, 2.0]),
    }
    with open_writer(home / "tilted.dump", **settings) as writer:
        for k in range(4):
            if k:
                writer.next_frame(cell=cell, origin=settings["origin"], timestep=100 * k, frame=None)
            moved = reduced + k * drift * [1.0, 1.0, 0.2]
            moved[:, :2] -= np.floor(moved[:, :2])
            writer.write(atom_id, species, settings["origin"] + moved @ cell, {})
    store = home / "tilted.zarr"
    qsdask.ingest(home / "tilted.dump", store, species={1: "Cu", 2: "Zr"}, strain_step=0.01, chunk=100, run=few)
    return store


@contextmanager
def serving(*stores: Path, **settings) -> Iterator[Server]:
    """A server in a thread of its own."""
    server = Server(Answers(stores), TOKEN, **settings)

    async def run() -> None:
        closed = asyncio.Event()
        ready.put((asyncio.get_running_loop(), closed))
        await server.run(closed)

    ready: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Queue()
    thread = Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop, closed = ready.get(timeout=30)
        loop.call_soon_threadsafe(closed.set)
        thread.join(30)
        assert not thread.is_alive()


def canvas(page, node: str) -> np.ndarray:
    """Bytes of a canvas that an expression of JavaScript gives; uint8, shape (height, width, 4)."""
    height, width, text = page.evaluate(
        f"""() => {{ const c = {node}, bytes = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let text = ''; for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
        return [c.height, c.width, btoa(text)]; }}"""
    )
    return np.frombuffer(b64decode(text), np.uint8).reshape(height, width, 4)
