"""A reader in a process of its own, so that a hang, a crash and a flood of memory are answers like others."""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from tests.corpus.case import Case

__all__ = ["Answer", "Reader"]

ROOT = Path(__file__).resolve().parents[2]
START = 300.0  # seconds for imports, compiling kernels, and the first case
MOST_MEMORY = 10 << 30  # address space; a reader that wants more gets a MemoryError instead of the machine


@dataclass
class Answer:
    """What a reader did with a case.

    Attributes
    ----------
    kind : str
        ``"read"``, ``"refused"``, ``"hang"`` or ``"crash"``.
    frames : list of dict
    codes : set of str
        Codes of warnings, of qsdask only.
    error : dict
        Of a refusal: class, text, and for qsdask's own errors code, file and line.
    stderr : str
        What was written there meanwhile.
    peak : int
        Largest memory of the process so far. Unit: MiB.
    """

    kind: str
    frames: list = field(default_factory=list)
    codes: set = field(default_factory=set)
    error: dict = field(default_factory=dict)
    stderr: str = ""
    peak: int = 0

    @property
    def line(self) -> int | None:
        """Line number that the refusal names."""
        if "line" in self.error:
            return self.error["line"]
        found = re.search(r"\bline:? (?:number )?(\d+)", self.error.get("text", ""))
        return int(found[1]) if found else None


class Reader:
    """One of `tests.corpus.readers.READERS` in a process of its own, started anew when it dies.

    Parameters
    ----------
    name : str
    patience : float
        Seconds until an answer is given up as a hang.
    warm : Case
        A good case, read first in every new process: imports and compiled kernels are no part of an answer.

    Attributes
    ----------
    first : Answer
        That to the good case.
    """

    def __init__(self, name: str, patience: float, warm: Case) -> None:
        self.name, self.patience, self.warm = name, patience, warm
        self._start()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_) -> None:
        self._stop()

    def _start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.corpus.worker", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.first = self._ask(self.warm, START)

    def _stop(self):
        self._process.kill()
        self._process.communicate()

    def _ask(self, case, patience):
        question = [list(map(str, case.files)), dict(case.options), case.stored]
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            if not ready.select(patience):
                return Answer("hang")
        text = self._process.stdout.readline()
        if not text.endswith("\n"):
            return Answer("crash")
        told = json.loads(text)
        return Answer(**{**told, "codes": set(told["codes"])})

    def read(self, case: Case) -> Answer:
        """Ask for one case."""
        answer = self._ask(case, self.patience)
        if answer.kind in ("hang", "crash"):
            self._stop()
            self._start()
        return answer


def _answer(reader, paths, options, stored) -> Answer:
    from qsdask.errors import QSDaskError

    if options.get("species"):  # keys of JSON are text
        options["species"] = {int(t): name for t, name in options["species"].items()}
    try:
        frames, codes = reader(paths, options, stored)
        return Answer("read", frames, codes)
    except QSDaskError as error:
        told = {"text": str(error), "code": error.code, "file": error.file, "line": error.line}
        return Answer("refused", error={"class": type(error).__name__, **told})
    except Exception as error:  # whatever a reader raises
        last = traceback.format_exc()[-2000:]
        return Answer("refused", error={"class": type(error).__name__, "text": str(error)[:2000], "traceback": last})


def main() -> None:
    """Answer questions on stdin until it ends: one line of JSON each."""
    from tests.corpus.readers import READERS

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    answers = os.fdopen(os.dup(1), "w")
    noise = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
    for stream in (1, 2):
        os.dup2(noise.fileno(), stream)
    for question in sys.stdin:
        heard = os.fstat(noise.fileno()).st_size
        answer = _answer(READERS[sys.argv[1]], *json.loads(question))
        sys.stdout.flush()
        sys.stderr.flush()
        answer.stderr = os.pread(noise.fileno(), 20000, heard).decode(errors="replace")
        answer.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        answers.write(json.dumps({**answer.__dict__, "codes": sorted(answer.codes)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
