"""Disturb a job whose store is in a bucket, at the k-th request, resume it, compare with the store that the same job makes on a disk."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.bucket_servers import environment
from tests.chaos.faults import LINES, RESUMES, Outcome
from tests.chaos.job import start, write_dump
from tests.chaos.proxy import Fault, Proxy
from tests.store_files import content_of

#: Kinds of fault, and how many requests in a row each takes.
KINDS = {
    "kill before": (1,),
    "kill after": (1,),
    "delay": (1, 5),
    "500": (1, 3, 12),
    "503": (1, 3, 12),
    "cut before": (1, 3),
    "cut after": (1, 3),
    "cut within": (1, 3),
}


#: Atoms per domain: two domains in the small glass, for every request has its price.
CHUNK = "1024"


class BucketBench:
    """A bucket behind a proxy, and what the job makes on a disk.

    Parameters
    ----------
    folder : Path
        Its own.
    target : int
        Port of the object store.
    """

    def __init__(self, folder: Path, target: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.proxy = Proxy(target)
        os.environ.update(environment(self.proxy.url))
        self.dump = write_dump(folder / "glass.dump", n_frame=2)
        job = start(self.dump, folder / "disk.zarr", "threads", chunk=CHUNK)
        assert job.wait(300) == 0
        self.expected = content_of(folder / "disk.zarr")
        self.proxy.begin(None)
        found = self._outcome("undisturbed", None)
        assert found.identical, found.note
        #: Requests of an undisturbed job.
        self.requests = self.proxy.count

    def disturbed(self, fault: Fault) -> Outcome:
        """What becomes of a job with this fault."""
        return self._outcome(f"{fault.kind}-{fault.first}-{fault.times}".replace(" ", "-"), fault)

    def _outcome(self, name: str, fault: Fault | None) -> Outcome:
        place = f"s3://lab/{name}/glass.zarr"
        self.proxy.begin(fault)
        status, said, told = None, "", True
        for _ in range(RESUMES):
            job = start(self.dump, place, "threads", chunk=CHUNK)
            self.proxy.kill = lambda job=job: os.kill(job.pid, signal.SIGKILL)  # type: ignore[misc]
            more = job.communicate(timeout=600)[1]
            status, said = job.returncode, said + more
            told &= "Traceback" not in more and len(more.splitlines()) <= LINES
            if status == 0:
                break
        struck, self.proxy.fault = self.proxy.struck, None
        found = self._content(place, self.folder / name)
        differing = sorted(k for k in {*found, *self.expected} if found.get(k) != self.expected.get(k))
        return Outcome(struck, status == 0, not differing, told, said[-2000:] + f"\ndiffering: {differing[:10]}")

    def _content(self, place: str, copy: Path) -> dict[str, bytes]:
        """Files of the store, by what is comparable in them; see `content_of`."""
        from qsdask.files.location import located

        root = located(place)
        for name in (name for name in root.sizes() if name != ".lock"):  # type: ignore[attr-defined]
            file = copy / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((root / name).read_bytes())
        with suppress(FileNotFoundError, KeyError):
            return content_of(copy)
        return {}


def bucket_trials(bench: BucketBench, number: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Name and outcome of every trial: all kinds in turn, at requests all over the job."""
    chance = random.Random(seed)
    for n in range(number):
        kind = list(KINDS)[n % len(KINDS)]
        times = KINDS[kind][n // len(KINDS) % len(KINDS[kind])]
        first = 1 + int(bench.requests * (n + chance.random()) / number)
        found = bench.disturbed(Fault(kind, first, times))
        print(
            kind,
            first,
            times,
            *found[:4],
            "" if found.identical and found.told else found.note,
            file=sys.stderr,
            flush=True,
        )
        yield f"{kind}" if kind.startswith("kill") else f"{kind}, {times} in a row", found
