"""Where strangers attack: a small store with a model, what it gives undisturbed, and processes that are stopped and go on."""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

import qsdask
from qsdask.engine.where import Run
from tests.chaos.job import ROOT
from tests.outside_package import installed
from tests.small_store import SPECIES, small_dump
from tests.stages.test_propensity import shifted
from tests.store_files import content_of, files_of

#: What a message may take on a terminal.
LINES = 10

#: One thread in the process of the command: what it does comes one thing after the other.
ALONE = ("--cluster", "threads", "--workers", "1", "--quiet")

#: Training that suits 48 atoms.
SMALL = (
    *("--strain", "0.01", "--threshold", "0.3", "--folds", "2", "--draws", "1", "--trees", "5"),
    *("--surface-margin", "0"),
)

#: Seconds that a command may take.
PATIENCE = 240


class Verdict(NamedTuple):
    """What became of one attack.

    Attributes
    ----------
    caught : bool or None
        It was refused with one message and a status that is not 0; None where nothing is to be refused.
    identical : bool
        What was attacked is as before, or what came of it is what comes of it undisturbed.
    note : str
        What was said, for a person.
    """

    caught: bool | None
    identical: bool
    note: str = ""

    @property
    def withstood(self) -> bool:
        """Whether it did no harm."""
        return self.caught is not False and self.identical


class Said(NamedTuple):
    """End of a command: its status, and all that it said."""

    status: int
    text: str
    out: str = ""

    def refused(self, *codes: str, status: int | None = None) -> bool:
        """Whether this is one message of one of these codes, with the status that belongs to it."""
        found = re.findall(r"error (E-[A-Z-]+):", self.text)
        return (
            self.status > 0
            and (status is None or self.status == status)
            and len(found) == 1
            and found[0] in codes
            and "Traceback" not in self.text
            and len(self.text.splitlines()) <= LINES
        )


class Command:
    """A qsdask command in a process of its own.

    Parameters
    ----------
    words : sequence
        What is typed after ``qsdask``.
    folder : Path
        Where it is typed.
    environment : dict, optional
        Variables that differ from ours.
    stdout : file, optional
        Where its output goes.
    """

    def __init__(self, words: tuple, folder: Path, environment: dict[str, str] | None = None, stdout=None) -> None:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        typed: list[str | bytes] = [sys.executable, "-m", "qsdask", *(os.fsencode(str(word)) for word in words)]
        self.process = subprocess.Popen(
            typed,
            cwd=folder,
            env=variables,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def end(self, seconds: float = PATIENCE) -> Said:
        """Wait for its end; one that hangs is killed, and said to."""
        try:
            out, text = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, text = self.process.communicate()
            text += "\n(hung)" + "\n" * LINES
        return Said(self.process.returncode, text, out or "")

    def send(self, number: int) -> None:
        """Give it a signal."""
        self.process.send_signal(number)

    def await_(self, came: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something came, looking very often."""
        deadline = time.monotonic() + seconds
        while not came():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"what was waited for did not come: {self.end().text[-1000:]}")
            time.sleep(0.0005)


class Home(NamedTuple):
    """A folder of its own for one attack: ``tiny.zarr``, ``tiny.dump``, ``tiny.qs``, and what they were.

    ``aside.zarr`` is a glass that the model has not seen, with its softness.
    """

    folder: Path
    before: dict[str, bytes]
    content: dict[str, bytes]

    @property
    def store(self) -> Path:
        """The store that is attacked."""
        return self.folder / "tiny.zarr"

    def begin(self, *words: object, environment: dict[str, str] | None = None, stdout=None) -> Command:
        """Start a command here."""
        return Command(words, self.folder, environment, stdout)

    def run(
        self, *words: object, environment: dict[str, str] | None = None, stdout=None, seconds: float = PATIENCE
    ) -> Said:
        """Do a command here."""
        return self.begin(*words, environment=environment, stdout=stdout).end(seconds)

    def untouched(self) -> bool:
        """Whether every file that was here has the bytes that it had, and store and model no further ones."""
        now = files_of(self.folder)
        whole = ("tiny.zarr/", "aside.zarr/", "tiny.qs/")
        return {k: v for k, v in now.items() if k in self.before or k.startswith(whole)} == self.before

    def same(self) -> bool:
        """Whether the store's content is what it was, but for the tokens of runs."""
        return content_of(self.store) == self.content

    def whole(self) -> bool:
        """Whether ``verify`` finds nothing."""
        return self.run("verify", "tiny.zarr", "--quiet").status == 0

    def attacked(self, said: Said, *codes: str, status: int | None = None) -> Verdict:
        """Verdict on a command that must be refused and change nothing."""
        return Verdict(said.refused(*codes, status=status), self.untouched(), said.text)


class Ground:
    """The finished store of 48 atoms, another one of its name, a package, and responses that were measured undisturbed."""

    def __init__(self, folder: Path) -> None:
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            # Begun by nohup: what is started here would not hear a hang-up either.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.folder = folder
        run = Run("threads", 2, progress=False)
        self.made, self.elsewhere = folder / "made", folder / "elsewhere"
        for home, shift in ((self.made, 0.3), (self.elsewhere, 0.4)):
            home.mkdir(parents=True)
            small_dump(ROOT / "tests" / "golden", home / "tiny.dump", shift)
            shifted(home / "tiny.dump", home / "aside.dump", more=100)
            for name in ("tiny", "aside"):
                store = home / f"{name}.zarr"
                qsdask.ingest(home / f"{name}.dump", store, species=SPECIES, strain_step=0.01, chunk=24, run=run)
                qsdask.shells(store, run=run)
                qsdask.features(store, run=run)
                qsdask.respond(store, run=run)
            if home == self.made:
                said = Command(("train", "tiny.zarr", "--model", "tiny.qs", *SMALL, *ALONE), home).end()
                assert said.status == 0, said.text
            qsdask.predict(home / "aside.zarr", model=self.made / "tiny.qs", run=run)
        self.package = installed(folder / "package")
        other = self.home("other-cutoff")
        said = other.run("respond", "tiny.zarr", "--cutoff", "3.6", "--overwrite", *ALONE)
        assert said.status == 0, said.text
        #: Content of the store whose response was measured anew, with nobody else around.
        self.measured_anew = content_of(other.store)

    def home(self, name: str) -> Home:
        """A copy of all of it."""
        folder = shutil.copytree(self.made, self.folder / name)
        return Home(folder, files_of(folder), content_of(folder / "tiny.zarr"))


#: Does something to a `Home`, and judges what came of it; None where it cannot be tried.
Attack = Callable[[Ground, Home], Verdict | None]


def receipts(store: Path, key: str = "response/d2min") -> int:
    """Receipts of a stage that are on disk; folders may come and go meanwhile."""
    folders = os.walk(store / "ledger" / key / "receipt" / "c")
    return sum(not name.startswith(".") for _, _, files in folders for name in files)


@contextmanager
def cluster(folder: Path, command: tuple[str, ...] = ()) -> Iterator[tuple[str, psutil.Process]]:
    """A scheduler, and a worker that stands in a folder: scheduler file, and the worker's process.

    Parameters
    ----------
    folder : Path
        Current folder of the worker.
    command : tuple of str
        What the worker is started by.
    """
    file, log = folder.parent / f"{folder.name}.scheduler.json", folder.parent / f"{folder.name}.worker.log"
    common = ("--no-dashboard", "--scheduler-file", str(file), "--host", "127.0.0.1")
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as out:
        said = {"stdout": out, "stderr": out, "cwd": folder, "env": variables, "start_new_session": True}
        started = [
            subprocess.Popen([*by, sys.executable, "-m", *words, *common], **said)  # type: ignore[call-overload]
            for by, words in (
                ((), ("distributed.cli.dask_scheduler", "--port", "0")),
                (command, ("distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny")),
            )
        ]
    try:
        deadline = time.monotonic() + 60
        while not (file.exists() and "Registered to" in log.read_text()):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield str(file), psutil.Process(started[1].pid)
    finally:
        for process in reversed(started):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def opened(file: Path) -> Iterator[Callable[[], bool]]:
    """Whether somebody has opened a file since (inotify)."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init()
    if handle < 0 or libc.inotify_add_watch(handle, os.fsencode(file), 0x20) < 0:  # IN_OPEN
        raise OSError(ctypes.get_errno(), "inotify")
    try:
        yield lambda: bool(select.select([handle], [], [], 0)[0])
    finally:
        os.close(handle)
