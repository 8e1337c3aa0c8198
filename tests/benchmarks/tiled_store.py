"""A large store to look at: a small one with softness and response, tiled, with noise in the positions.

python -m tests.benchmarks.tiled_store SMALL.zarr LARGE.zarr 10 10 10 0,8,16

Every atom has the softness and the response of the one that it is a copy of: nothing is computed but the places. The last
argument are the frames.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np

import qsdask
from qsdask.engine.course import Course, run_stage
from qsdask.formats.write import open_writer
from qsdask.schema import steps_in_file
from qsdask.stages import predict, respond
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader

RUN = qsdask.Run(cluster="threads", workers=1, progress=False)


def write_tiled(small: StoreReader, dump: Path, repeat: tuple[int, int, int], frames: list[int]) -> None:
    """The frames of the small store, tiled, as a dump; the ids tell which atom is a copy of which row."""
    position, cell, origin = (small[f"frames/{name}"] for name in ("position", "cell", "origin"))
    species, n = small["atoms/species"][:], small["atoms/id"].shape[0]
    shifts, rng = np.argwhere(np.ones(repeat)), np.random.default_rng(1)
    noise = rng.normal(0.0, 0.02, (len(shifts) * n, 3))
    moments = [{"cell": cell[k] * np.array(repeat)[:, None], "origin": origin[k], "timestep": 1000 * k} for k in frames]
    settings = {"natoms": len(noise), "species": small.names("atoms/species_name"), "columns": {}}
    with open_writer(dump, periodic=np.ones(3, bool), **settings, **moments[0]) as writer:
        for k, moment in zip(frames, moments, strict=True):
            if k != frames[0]:
                writer.next_frame(frame=None, **moment)
            for a, shift in enumerate(shifts):
                own = slice(a * n, (a + 1) * n)
                place = position[k] + shift @ cell[k] + noise[own]
                writer.write(np.arange(own.start, own.stop) + 1, species, np.round(place, 5), {})


def of_copies(work, part: int, domain: int, steps: list[int], *, group: str, values: dict[str, np.ndarray]) -> None:
    """Write for every atom what the one has that it is a copy of; values have the shape (..., atoms of the small store)."""
    root = work.reader()
    rows = root.rows(domain)
    [n] = {value.shape[-1] for value in values.values()}
    source = (root["atoms/id"][rows] - 1) % n
    for some in work.together(steps):
        at = slice(some[0], some[-1] + 1)
        with work.committing(part, some[0], domain) as writer:
            for name, value in values.items():
                whole = value.ndim == 1
                writer.write(
                    group, name, (rows,) if whole else (at, rows), value[source] if whole else value[at, source]
                )


def tile(path: Path, small: StoreReader, frames: list[int], softness: str) -> None:
    """Softness and response of the large store."""
    root, source = StoreReader(path), ledger.require(path, "ingest")
    every = small["response/d2min/d2min"].shape[0]
    wanted = np.isin(np.arange(every), frames)
    response = {name: small[f"response/d2min/{name}"][:][wanted] for name in ("d2min", "valid")}
    qs = {name: small[f"{softness}/{name}"][:] for name in ("qs", "qs_std", "outside")}
    jobs = [
        ("response/d2min", response, len(frames), partial(respond._template, path)),
        (softness, qs, 1, partial(predict._template, path, softness)),
    ]
    for group, values, n_step, template in jobs:
        settings = ledger.require(small.path, group).settings
        shape, stride = (1, n_step, root.n_domain), steps_in_file(n_step)
        record = Record(group, (group,), settings, {"ingest": source.digest}, shape, len(values), stride=stride)
        run_stage(
            path,
            Course(
                record,
                respond.plan_of(respond.size_of(root), 4.0),
                template,
                partial(of_copies, group=group, values=values),
            ),
            RUN,
        )


def main(small: str, large: str, *repeat: str) -> None:
    """Make the store, or what is missing of it."""
    source, path, frames = StoreReader(Path(small)), Path(large), [int(k) for k in repeat[3].split(",")]
    softness = next(r.key for r in ledger.records(source.path) if r.key.startswith("softness/") and r.complete)
    strain = source["frames/strain"][:][frames]
    if not (path / "zarr.json").exists():
        dump = path.with_suffix(".dump")
        a, b, c = (int(k) for k in repeat[:3])
        write_tiled(source, dump, (a, b, c), frames)
        qsdask.ingest(dump, path, species={1: "Cu", 2: "Zr"}, chunk=32_768, strain_file=strain.tolist(), run=RUN)
        dump.unlink()
    tile(path, source, frames, softness)


if __name__ == "__main__":
    main(*sys.argv[1:])
