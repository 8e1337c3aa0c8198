"""What each stage takes as glasses grow, as straight lines through 10^4 to 10^7 atoms, and what 10^9 would take.

    python -m tests.benchmarks.cost_curve                        # half an hour and 10 GB of disk
    python -m tests.benchmarks.cost_curve --largest 1e6          # minutes
    python -m tests.benchmarks.cost_curve --check 1e8            # and ingest of one frame so large, against the line
    python -m tests.benchmarks.cost_curve --sets --write         # and every feature set; the rates that come with the package

A shipped frame is tiled with noise (see `tiled_dump.py`), three frames of it, and taken through all stages on two workers.
Of each stage are counted the processor seconds of driver and workers, their peak memory, bytes read and written, and files;
each is fitted by a + b * load, with load the atoms that a stage looks at, those of halos and of every frame it reads with
them, and relative errors equal: small glasses say what a is, large ones b. The scheduler is timed with tasks that do nothing.
Whatever stands beyond the largest load that was measured is marked with a star: it is extrapolated.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.stats import t as student

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.cost import Size, StagePlan, size_of
from qsdask.engine.rates import CORES, SCHEDULER_SECONDS, StageCost, cost_of, frames_of, load_of
from qsdask.engine.where import Run
from qsdask.quantity import feature_sets, medium_range
from qsdask.settings import ShellSettings
from qsdask.stages import features, ingest, predict, respond, shells, surface
from qsdask.stages.features import set_names
from qsdask.stages.shells import facts_of_shells
from qsdask.store.reader import StoreReader
from tests.benchmarks.meter import Taken, metered
from tests.benchmarks.tiled_dump import write_dump, write_tiled

#: Copies of the 6,912-atom frame: 1.4 10^4, 1.0 10^5, 3.0 10^5, 1.0 10^6 and 1.0 10^7 atoms.
TILES = [(2, 1, 1), (5, 3, 1), (11, 2, 2), (6, 5, 5), (12, 11, 11)]

#: Where the feature sets take turns.
SETS_AT = 2

FRAMES = 3
STRAIN = 0.00125
WORKERS = 2
QUANTITIES = [field.name for field in fields(Taken) if field.name not in ("wall", "worker_bytes")]
RATES = Path(qsdask.__file__).parent / "data" / "rates.json"
Point = tuple[float, Taken]


def plans(size: Size, sets: Sequence[str] = ("interstice",)) -> dict[str, StagePlan]:
    """Plans of the stages that are measured, by the names that their rates have."""
    kinds = {name: feature_sets()[name]() for name in sets}
    learned = kinds[sets[0]]
    made = [
        ingest.plan_of(size),
        surface.plan_of(size),
        shells.plan_of(size, 4.0),
        respond.plan_of(size, 4.0),
        *(features.plan_of(size, kind, 4.0) for kind in kinds.values()),
        StagePlan("train", 15, 0, 3_000_000, 0),
        predict.plan_of(size, len(learned.columns) + len(medium_range(learned))),
        StagePlan("activation", size.n_domain, 0, 0, 0),
    ]
    return {f"{plan.stage} {plan.part}".strip(): plan for plan in made}


def taken_by(folder: Path, tiles: tuple[int, int, int], sets: Sequence[str]) -> tuple[Size, dict[str, Taken]]:
    """What every stage takes for one glass, each in processes of its own: memory is what it alone needs."""
    _apart(write_dump, folder / "big.dump", tiles, FRAMES)
    names = ["ingest", "surface", "shells", "respond", *(f"features {name}" for name in sets)]
    found = {name: _apart(taken_by_stage, folder, name) for name in [*names, "train", "predict", "activation"]}
    size = size_of(StoreReader(folder / "big.zarr"))
    shutil.rmtree(folder)
    folder.mkdir()
    return size, found


def taken_by_stage(folder: Path, name: str) -> Taken:
    """What one stage takes, without the start of the cluster."""
    dump, store, model = folder / "big.dump", folder / "big.zarr", folder / "big.qs"
    # Three frames go no farther; the share of plastic atoms is that of a glass at 4 %.
    label = {"strain": STRAIN * (FRAMES - 1)} | ({"threshold": _threshold(store)} if name == "train" else {})
    stage, _, part = name.partition(" ")
    settings: dict[str, dict[str, Any]] = {
        "shells": {"cutoff": 4.0},
        "respond": {"cutoff": 4.0},
        "features": {"set": part},
        "train": {"model": model, **label},
        "predict": {"model": model},
        "activation": {"model": model},
    }
    with connect("local", WORKERS) as client:
        run = Run(client, WORKERS, False, False)
        with metered(folder, client) as taken:
            if stage == "ingest":
                qsdask.ingest(dump, store, species={1: "Cu", 2: "Zr"}, strain_step=STRAIN, run=run)
            else:
                getattr(qsdask, stage)(store, **settings.get(stage, {}), run=run)
    return taken


def _threshold(store: Path) -> float:
    """D2min that one atom of twelve exceeds: about the share of plastic atoms at 4 %."""
    last = qsdask.open_store(store)["response/d2min"]["d2min"].isel(step=-1)
    return float(np.nanquantile(last.values, 11 / 12))


def checked(folder: Path, n_atom: int, rates: dict[str, Any]) -> str:
    """Ingest one frame of so many atoms, and say how far it is from the line."""
    edge = round((n_atom / 6912) ** (1 / 3))
    dump = folder / "big.dump"
    _apart(write_tiled, dump, (edge, edge, edge), 1)
    taken = _apart(taken_by_stage, folder, "ingest")
    size = size_of(StoreReader(folder / "big.zarr"))
    expected = cost_of(plans(size)["ingest"], size, (WORKERS,), rates)
    assert expected is not None
    seconds = taken.worker_seconds + taken.driver_seconds
    return (
        f"ingest of {size.n_atom:,} atoms, one frame of {dump.stat().st_size / 1e9:.2f} GB: {taken.wall:.0f} s, {seconds:.0f} "
        f"processor s where the line says {expected.core_seconds:.0f} (± {100 * (expected.error or 0):.0f} %); driver "
        f"{taken.driver_bytes / 1e6:.0f} MB where it says {expected.driver_bytes / 1e6:.0f}; worker "
        f"{taken.worker_bytes / 1e6:.0f} MB; {taken.files:,.0f} files"
    )


def _apart(work: Callable[..., Any], *arguments: object) -> Any:
    """Done in a new process, which may have children."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def line_through(load: np.ndarray, value: np.ndarray) -> list[float | None]:
    """``a + b * load`` with the least sum of squared relative errors and neither below zero, and its error.

    Parameters
    ----------
    load, value : float array, shape (n,)
        Measured; values that are not above zero say nothing.

    Returns
    -------
    list of float
        a, b, and the relative half-width of the 95 % prediction interval far above all loads; None where too little was
        measured.
    """
    load, value = load[value > 0], value[value > 0]
    if len(value) == 0:
        return [0.0, 0.0, 0.0]
    rows = np.stack([1.0 / value, load / value], axis=1)
    if len(value) == 1:
        return [0.0, float(1.0 / rows[0, 1]), None]
    scale = rows.max(axis=0)
    (a, b), _ = nnls(rows / scale, np.ones(len(value)))
    free = len(value) - int(a > 0) - int(b > 0)
    if free < 1 or not b:
        return [float(a / scale[0]), float(b / scale[1]), None]
    off = (rows / scale) @ [a, b] - 1.0
    spread = float(off @ off) / free
    used = (rows / scale)[:, [i for i, part in enumerate((a, b)) if part > 0]]
    of_slope = spread * float(np.linalg.inv(used.T @ used)[-1, -1]) / b**2
    return [float(a / scale[0]), float(b / scale[1]), float(student.ppf(0.975, free) * np.sqrt(spread + of_slope))]


def fitted(points: dict[str, list[Point]]) -> dict[str, dict[str, Any]]:
    """Rates of every stage; see `qsdask.engine.rates.measured_rates`."""
    made = {}
    for name, found in points.items():
        load = np.array([load for load, _ in found])
        values = {quantity: np.array([float(asdict(taken)[quantity]) for _, taken in found]) for quantity in QUANTITIES}
        at_once = load / frames_of(name.partition(" ")[0], FRAMES)
        made[name] = {"largest": float(load.max())} | {
            quantity: line_through(at_once if quantity == "driver_bytes" else load, value)
            for quantity, value in values.items()
        }
    return made


def scheduler_seconds(count: int = 5000) -> float:
    """Processor time of client and scheduler for one task that does nothing, median of three."""
    with connect("local", WORKERS) as client:
        found = []
        for attempt in range(3):
            before = time.process_time()
            client.gather(client.map(_nothing, range(attempt * count, (attempt + 1) * count)))
            found.append((time.process_time() - before) / count)
    return statistics.median(found)


def _nothing(_: int) -> None:
    return None


def print_measured(size: Size, found: dict[str, Taken]) -> None:
    """What one glass took."""
    print(f"\n{size.n_atom:,} atoms, {size.n_step} frames, {size.n_domain} domains, {WORKERS} workers")
    heads = ("s", "driver s", "workers s", "driver MB", "worker MB", "read MB", "written MB", "files")
    print(f"{'stage':<30}" + "".join(f"{head:>12}" for head in heads))
    for name, taken in found.items():
        numbers = (taken.wall, taken.driver_seconds, taken.worker_seconds)
        mega = (taken.driver_bytes, taken.worker_bytes, taken.read, taken.written)
        cells = [*(f"{n:.1f}" for n in numbers), *(f"{n / 1e6:,.0f}" for n in mega), f"{taken.files:,.0f}"]
        print(f"{name:<30}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def print_extrapolated(rates: dict[str, Any], n_atom: int, n_frame: int) -> None:
    """What a glass of that many atoms would take; a star where it is extrapolated."""
    edge = (n_atom / 0.0578) ** (1 / 3)
    size = Size(n_atom, n_frame, 65536, (edge, edge, edge))
    print(f"\n{n_atom:.0e} atoms, {n_frame} frames of a Cu-Zr glass; * extrapolated, ± 95 % of the line alone")
    heads = ("core-h", "±", *(f"{n} cores" for n in CORES), "tasks", "read GB", "written GB", "files", "driver MB")
    print(f"{'stage':<30}" + "".join(f"{head:>12}" for head in heads))
    for name, plan in plans(size).items():
        cost = cost_of(plan, size, CORES, rates)
        if cost is not None:
            print(f"{name + '*' * (cost.extrapolated > 1):<30}" + "".join(f"{c:>12}" for c in _cells(cost, plan)))


def _cells(cost: StageCost, plan: StagePlan) -> Iterator[str]:
    yield f"{cost.core_seconds / 3600:.2f}"
    yield "-" if cost.error is None else f"{100 * cost.error:.0f} %"
    yield from (f"{seconds / 3600:.3f} h" for seconds in cost.wall_seconds.values())
    yield f"{plan.tasks:,}"
    yield from (f"{number / 1e9:,.1f}" for number in (cost.bytes_read, cost.bytes_written))
    yield f"{cost.files:,.0f}"
    yield f"{cost.driver_bytes / 1e6:,.0f}"


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=float, default=1.1e7, help="atoms of the largest glass (default 1.1e7)")
    parser.add_argument("--check", type=float, help="ingest one frame of so many atoms, too")
    parser.add_argument(
        "--sets", action="store_true", help="every feature set that such shells allow, at 3 10^5 atoms alone"
    )
    parser.add_argument("--write", action="store_true", help="keep the rates in the package, for qsdask plan --cost")
    parser.add_argument(
        "--points", type=Path, help="file that keeps what was measured: run again, it goes on behind it"
    )
    parser.add_argument("--folder", type=Path, help="default: a temporary folder, removed afterwards")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="qsdask-cost-", dir=options.folder))
    kept = json.loads(options.points.read_text()) if options.points and options.points.is_file() else {}
    for index, tiles in enumerate(TILES):
        sets = ["interstice"]
        if options.sets and index == SETS_AT:
            sets += [name for name in set_names("all", facts_of_shells(ShellSettings().stored())) if name not in sets]
        if 6912 * np.prod(tiles) > options.largest or str(tiles) in kept:
            continue
        size, found = taken_by(folder, tiles, sets)
        print_measured(size, found)
        planned = plans(size, sets)
        kept[str(tiles)] = {
            name: (load_of(planned[name].stage, size, planned[name].ghosts), asdict(taken))
            for name, taken in found.items()
        }
        if options.points:
            options.points.write_text(json.dumps(kept))
    points: dict[str, list[Point]] = {}
    for found_at in kept.values():
        for name, (load, numbers) in found_at.items():
            points.setdefault(name, []).append((load, Taken(**numbers)))
    rates = {
        "version": qsdask.__version__,
        "machine": f"two cores of {platform.machine()}, Python {platform.python_version()}",
        "stages": fitted(points),
    }
    print(f"\nscheduler: {1e3 * scheduler_seconds():.2f} ms a task; estimates take {1e3 * SCHEDULER_SECONDS:.2f}")
    print_extrapolated(rates, 10**9, 1)
    print_extrapolated(rates, 10**9, 33)
    if options.check:
        print("\n" + checked(folder, int(options.check), rates), flush=True)
    if options.write:
        RATES.write_text(json.dumps(rates, indent=1) + "\n")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
