"""What the process that starts `train` holds for stores of growing size: it must not grow with them.

    python -m tests.benchmarks.bench_train_driver glass.zarr [--times 1 10 40]

A store with features and response is copied so many times, domain by domain: chunks are hard links, atoms have ids of their own. Of
the place of an atom nothing is right any more, but learning does not look at it, if folds are stratified. One atom of twelve is
called plastic; fold models are tasks of two workers, of few trees, for the driver sees none of them grow.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run
from tests.benchmarks.meter import Taken, metered


def write_copies(source: Path, target: Path, times: int) -> int:
    """Copy the whole domains of a store so many times; the number of atoms."""
    ids = json.loads((source / "atoms/id/zarr.json").read_text())
    chunk = ids["chunk_grid"]["configuration"]["chunk_shape"][0]
    n_whole = ids["shape"][0] // chunk
    n_domain = n_whole * times
    size = {"atom": n_domain * chunk, "domain": n_domain}

    def enlarge(array: dict[str, Any]) -> None:
        chunks = array["chunk_grid"]["configuration"]["chunk_shape"]
        for axis, name in enumerate(array.get("dimension_names") or ()):
            if name in size and array["shape"][axis] > 1:
                array["shape"][axis] = size[name]
                if name == "domain" and chunks[axis] > 1:
                    chunks[axis] = n_domain

    for head in sorted(source.rglob("zarr.json")):
        name = head.parent.relative_to(source)
        if name.parts[:1] == ("shells",):
            continue
        told = json.loads(head.read_text())
        _link(head.parent, target / name, told, n_whole, times)
        if told["node_type"] == "array":
            enlarge(told)
        known = (told.get("consolidated_metadata") or {"metadata": {}})["metadata"]
        for other in [key for key in known if key.startswith("shells")]:
            del known[other]
        for one in known.values():
            if one["node_type"] == "array":
                enlarge(one)
        (target / name / "zarr.json").write_text(json.dumps(told))
    bounds = np.asarray(zarr.open_array(source / "domains/bounds", mode="r")[...])
    _replace(target / "domains/bounds", np.tile(bounds[:, :n_whole], (1, times, 1, 1)))
    first = np.arange(n_domain) * chunk
    _replace(target / "domains/row", np.stack([first, first + chunk], axis=1))
    _replace(target / "atoms/id", 1 + np.arange(chunk) * n_domain + np.arange(n_domain)[:, None])
    return size["atom"]


def _link(source: Path, target: Path, told: dict[str, Any], n_whole: int, times: int) -> None:
    """Link the chunks of an array, those of each domain as often as there are copies."""
    target.mkdir(parents=True, exist_ok=True)
    names = told.get("dimension_names") or ()
    axis = next((k for k, name in enumerate(names) if name in ("atom", "domain") and told["shape"][k] > 1), None)
    for file in (source / "c").rglob("*") if (source / "c").is_dir() else ():
        key = list(file.relative_to(source / "c").parts)
        if not file.is_file() or (axis is not None and int(key[axis]) >= n_whole):
            continue
        for copy in range(1 if axis is None else times):
            if axis is not None:
                key[axis] = str(int(key[axis]) % n_whole + n_whole * copy)
            (place := target.joinpath("c", *key)).parent.mkdir(parents=True, exist_ok=True)
            os.link(file, place)


def _replace(path: Path, value: np.ndarray) -> None:
    """Write an array anew; its values are in the order of its rows."""
    shutil.rmtree(path / "c")
    array = zarr.open_array(path, mode="r+")
    array[...] = value.reshape(array.shape)


def trained(store: Path) -> Taken:
    """What learning takes."""
    last = np.asarray(zarr.open_array(store / "response/d2min/d2min", mode="r")[-1])
    strain = float(np.asarray(zarr.open_array(store / "frames/strain", mode="r")[-1]))
    label = {"strain": strain, "threshold": float(np.nanquantile(last, 11 / 12))}
    with connect("local", 2) as client, metered(store.parent, client) as taken:
        model = store.with_suffix(".qs")
        qsdask.train(store, model=model, parallel="models", folds=2, trees=5, **label, run=Run(client, 2, False, False))
    return taken


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "store", type=Path, help="store after shells, features and respond, on the file system of --folder"
    )
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10, 40])
    parser.add_argument("--folder", type=Path, help="default: a temporary folder")
    options = parser.parse_args()
    print(f"{'atoms':>12}{'seconds':>10}{'driver MB':>12}{'worker MB':>12}")
    for times in options.times:
        with (
            tempfile.TemporaryDirectory(prefix="qsdask-copies-", dir=options.folder) as home,
            ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        ):
            n_atom = write_copies(options.store, Path(home) / "many.zarr", times)
            taken = pool.submit(trained, Path(home) / "many.zarr").result()
        driver, worker = taken.driver_bytes / 1e6, taken.worker_bytes / 1e6
        print(f"{n_atom:>12,}{taken.wall:>10.0f}{driver:>12.0f}{worker:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
