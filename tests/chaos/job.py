"""The job that is disturbed: a small glass through ingest, shells, features and respond.

python -m tests.chaos.job DUMP STORE [local|threads|tcp://... [MEMORY_LIMIT [CHUNK]]]
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from qsdask.cli import main

ROOT = Path(__file__).resolve().parents[2]

#: Atoms per domain: six domains in the small glass.
CHUNK = 256


def write_dump(path: Path, n_frame: int = 17) -> Path:
    """Some frames of a shipped glass, each cut to the atoms of one corner of its box, as a dump with free surfaces.

    Of seventeen frames two lie in one file.
    """
    with gzip.open(ROOT / "qsdask" / "data" / "cu65_a.dump.gz", "rt") as file:
        frames = [frame.splitlines() for frame in file.read().split("ITEM: TIMESTEP\n")[1:]]
    place = {line.split()[0]: [float(v) for v in line.split()[2:]] for line in frames[0][8:]}
    kept = {atom for atom, x in place.items() if max(x) < 28.0}
    with path.open("w") as file:
        for frame in frames[:n_frame]:
            body = [line for line in frame[8:] if line.split()[0] in kept]
            head = [*frame[:2], str(len(body)), "ITEM: BOX BOUNDS ff ff ff", *frame[4:8]]
            file.write("\n".join(["ITEM: TIMESTEP", *head, *body]) + "\n")
    return path


def stages(dump: str, store: str, cluster: str, memory_limit: str = "", chunk: str = "") -> list[list[str]]:
    """Command lines of the job."""
    where = [
        "--cluster",
        cluster,
        "--quiet",
        *(["--workers", "2"] if cluster in ("local", "threads") else []),
        *(["--memory-limit", memory_limit] if memory_limit else []),
    ]
    return [
        ["ingest", dump, store, "--species", "1=Cu,2=Zr", "--name", "glass", "--chunk", chunk or str(CHUNK), *where],
        *([stage, store, *where] for stage in ("shells", "features", "respond")),
    ]


def start(
    dump: Path,
    store: Path | str,
    cluster: str = "local",
    prefix: tuple[str, ...] = (),
    memory_limit: str = "",
    chunk: str = "",
) -> subprocess.Popen:
    """The job in a process of its own, stopped by `kill` and its like."""
    command = [*prefix, sys.executable, "-m", "tests.chaos.job", str(dump), str(store), cluster, memory_limit, chunk]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def run(dump: str, store: str, cluster: str = "local", memory_limit: str = "", chunk: str = "") -> int:
    """All stages, until one does not succeed."""
    return next((status for words in stages(dump, store, cluster, memory_limit, chunk) if (status := main(words))), 0)


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
