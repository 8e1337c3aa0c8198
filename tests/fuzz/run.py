"""Read many damaged files with qsdask and with the reference, and print how often they agree.

``python -m tests.fuzz.run --count 100000 --seed 0 --workers 2`` writes every file on which they do not agree
into a folder, with a text that says why. Readers run in processes of their own: a crash or a hang is an outcome.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path

from tests.fuzz.compare import FAILURES, OUTCOMES, compare
from tests.fuzz.mutate import KINDS, mutation

__all__ = ["campaign", "table"]

PATIENCE = 20.0  # seconds without an answer
START = 300.0  # to the first answer: imports, and compiling kernels that have changed


def _read_some(sender, examine, seed: int, first: int, stop: int, step: int) -> None:
    """Body of a worker: tell the outcome of every file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.dump"
        for number in range(first, stop, step):
            kind, data = mutation(seed, number)
            path.write_bytes(data)
            sender.send((number, kind, *examine(path, data)))
    sender.close()


class _Worker:
    """A process that reads files ``next``, ``next + step``, ... and the pipe on which it answers."""

    def __init__(self, examine, seed, first, stop, step):
        self.settings, self.next = (examine, seed, stop, step), first
        self._start()

    def _start(self):
        examine, seed, stop, step = self.settings
        context = multiprocessing.get_context("spawn")
        self.answers, sender = context.Pipe(duplex=False)
        work = (sender, examine, seed, self.next, stop, step)
        self.process = context.Process(target=_read_some, args=work, daemon=True)
        self.process.start()
        self.patience = START
        sender.close()

    def answer(self):
        """The next answer; crash and hang are answers too, and None is the end."""
        _, seed, stop, step = self.settings
        try:
            found = self.answers.recv() if self.answers.poll(self.patience) else None
            fault = None if found else "hang"
        except EOFError:
            self.process.join()
            found, fault = None, "crash"
        if found:
            self.patience = PATIENCE
            self.next = found[0] + step
            return found
        if self.next >= stop:
            return None
        number = self.next
        self.process.kill()
        self.process.join()
        self.next = number + step
        self._start()
        return number, mutation(seed, number)[0], fault, f"exit status {self.process.exitcode}"


def campaign(
    count: int, seed: int, *, workers: int = 1, folder: Path | None = None, examine: Callable = compare
) -> Counter:
    """Read ``count`` damaged files.

    Parameters
    ----------
    count, seed : int
        Files 0 ... count - 1 of the campaign with this seed.
    workers : int
        Processes.
    folder : Path, optional
        Receives every file that is a failure, or on which qsdask is stricter, and what was said of it.
    examine : callable
        Function of (path, bytes) that gives outcome and detail.

    Returns
    -------
    Counter
        Number of files by (kind of damage, outcome).
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    found: Counter = Counter()
    crew = {w.answers: w for w in (_Worker(examine, seed, k, count, workers) for k in range(min(workers, count)))}
    while crew:
        for pipe in wait(list(crew), PATIENCE) or list(crew):
            worker = crew.pop(pipe)
            answer = worker.answer()
            if answer is None:
                worker.process.join()
                continue
            crew[worker.answers] = worker
            number, kind, outcome, detail = answer
            found[kind, outcome] += 1
            if folder is not None and outcome not in ("equal", "both refuse"):
                name = f"{outcome.replace(' ', '-')}-{seed}-{number}"
                (folder / f"{name}.dump").write_bytes(mutation(seed, number)[1])
                (folder / f"{name}.txt").write_text(f"{kind}\n{detail}\n", errors="backslashreplace")
    return found


def table(found: Counter) -> str:
    """Markdown: one row for every kind of damage, one column for every outcome that occurs."""
    columns = [o for o in OUTCOMES if o in OUTCOMES[:3] or any(found[kind, o] for kind in KINDS)]
    rows = [["damage", *columns], ["---"] + ["--:"] * len(columns)]
    rows += [[kind, *(str(found[kind, o]) for o in columns)] for kind in KINDS]
    rows.append(["all", *(str(sum(found[kind, o] for kind in KINDS)) for o in columns)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> int:
    """Run a campaign and print its table; 1 when qsdask failed on a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    found = campaign(options.count, options.seed, workers=options.workers, folder=options.folder)
    print(table(found))
    return int(any(n and outcome in FAILURES for (_, outcome), n in found.items()))


if __name__ == "__main__":
    sys.exit(main())
