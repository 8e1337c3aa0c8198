"""The whole chain on one large specimen: what each stage takes of time, processors, disk and memory.

    python tests/benchmarks/whole_chain.py --repeat 5 5 2 --frames 33
    python tests/benchmarks/whole_chain.py --folder DIR            # the dump is kept, and taken where it is there
    python tests/benchmarks/whole_chain.py --folder DIR --kernels  # once more, with a profile of the tasks

To compare two versions, run this file with the one and the other in PYTHONPATH and one folder, in turn. What is counted:

* *seconds*: from the call to its end, cluster not included; *processor*: of this process and of all workers.
* *kernels*: share of the processor time of tasks that is spent inside of compiled kernels; only with ``--kernels``, whose
  profile makes the other numbers larger. LightGBM is no kernel.
* *read*, *written*: bytes of read and write calls of all these processes, as the system counts them (Linux); pages that come by
  a mapping of a file do not count.
* *files*: how many more the store and the model have; *fsyncs*: flushes of files and folders.

A shipped frame is tiled with noise to about 345,600 atoms and compressed affinely with growing noise, written as a
dump, and taken through ingest, shells, features, respond, train, predict and activation. Training and test on one
tiled specimen say nothing about scores; only time and memory are of interest here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from distributed import Client
from peak import Peak
from process_counters import count_flushes, profile_tasks, usage
from tiled_dump import write_dump

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run


def used(client: Client) -> dict[str, float]:
    """What this process and all workers have used so far."""
    every = [usage(), *client.run(usage).values()]
    return {name: sum(one[name] for one in every) for name in every[0]}


def n_file(*folders: Path) -> int:
    """Files below some folders."""
    return sum(len(files) for folder in folders for _, _, files in os.walk(folder))


STAGES = ("ingest", "shells", "features", "respond", "train", "predict", "activation")

COLUMNS = ("seconds", "processor", "kernels %", "MB read", "MB written", "files", "fsyncs", "worker MB", "driver MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, nargs=3, default=(5, 5, 2))
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=32768)
    parser.add_argument("--kernels", action="store_true", help="profile the tasks, for the share of the kernels")
    parser.add_argument(
        "--folder", type=Path, help="where the files go (default: a temporary folder, removed afterwards)"
    )
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="qsdask-chain-"))
    folder.mkdir(parents=True, exist_ok=True)
    dump, store, model = folder / "big.dump", folder / "big.zarr", folder / "big.qs"
    for old in (store, model):
        shutil.rmtree(old, ignore_errors=True)
    if not dump.is_file():
        write_dump(dump, tuple(options.repeat), options.frames)
    print(
        f"{options.frames} frames, {dump.stat().st_size / 1e6:.0f} MB of text, {options.workers} workers, {qsdask.__file__}"
    )
    peak = Peak()
    peak.start()
    count_flushes()
    start = time.perf_counter()
    with connect("local", options.workers) as client:
        print(f"cluster: {time.perf_counter() - start:.1f} s\n")
        client.run(count_flushes)
        if options.kernels:
            client.run(profile_tasks)
        print_row("stage", COLUMNS)
        print_row("---", ["---"] * len(COLUMNS))
        total = np.zeros(len(COLUMNS))
        for name in STAGES:
            row = measured(name, (dump, store, model), client, options, peak)
            total += row
            print_row(name, [f"{value:.{int(i < 2)}f}" for i, value in enumerate(row)])
        # Shares and peaks do not add up.
        print_row("sum", [f"{v:.{int(i < 2)}f}" if i not in (2, 7, 8) else "" for i, v in enumerate(total)])
    if options.folder is None:
        shutil.rmtree(folder)


def measured(
    name: str, files: tuple[Path, Path, Path], client: Client, options: argparse.Namespace, peak: Peak
) -> np.ndarray:
    """Run one stage; what it took, in the order of `COLUMNS`."""
    dump, store, model = files
    run = Run(client, options.workers, False, False)
    given: dict[str, dict] = {
        "ingest": {"species": {1: "Cu", 2: "Zr"}, "strain_step": 0.00125, "chunk": options.chunk},
        **{stage: {"model": model} for stage in ("train", "predict", "activation")},
    }
    before, there = used(client), n_file(store, model)
    peak.reset()
    start = time.perf_counter()
    getattr(qsdask, name)(*((dump, store) if name == "ingest" else (store,)), **given.get(name, {}), run=run)
    seconds = time.perf_counter() - start
    after = used(client)
    took = {key: after[key] - before[key] for key in after}
    share = 100 * took["kernel"] / took["task"] if took["task"] else np.nan
    return np.array(
        [
            seconds,
            took["processor"],
            share,
            took["read"],
            took["written"],
            n_file(store, model) - there,
            took["fsyncs"],
            peak.worker / 1e6,
            peak.driver / 1e6,
        ]
    )


def print_row(name: str, values: Sequence[str]) -> None:
    """A line of a table."""
    print(f"| {name:<10} | {' | '.join(f'{value:>10}' for value in values)} |", flush=True)


if __name__ == "__main__":
    main()
