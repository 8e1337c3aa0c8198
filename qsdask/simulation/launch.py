"""One specimen in a process of its own, which tells its progress line by line and dies with its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from qsdask.errors import InternalError, QSDaskError, ResumableError
from qsdask.simulation.execute import run_specimen

__all__ = ["child", "launch"]

#: What launchers of parallel jobs leave for MPI; the specimen has one rank of its own.
_FOREIGN = ("PMI_", "PMIX_", "HYDI_", "HYDRA_", "OMPI_", "MPI_LOCAL")

#: What the signals mean that nobody sends by hand.
_SIGNALS: dict[int, str] = {
    signal.SIGKILL: "when nobody killed it, the machine ran out of memory: make fewer specimens at once, with --workers",
    **dict.fromkeys(
        (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT), "LAMMPS crashed: the end of log.txt in this folder may say why"
    ),
}


def launch(folder: str | Path) -> Iterator[dict]:
    """Run one specimen in a child process.

    Parameters
    ----------
    folder : path
        Folder of the specimen, with its ``plan.json``.

    Yields
    ------
    dict
        ``{"phase", "done", "total", "steps_per_second"}`` after every segment. When the generator is closed early,
        the child is stopped; the next launch goes on from its last checkpoint.

    Raises
    ------
    QSDaskError
        What the child raised.
    ResumableError
        ``E-STOPPED`` when a signal ended the child.
    InternalError
        ``E-CHILD`` when it ended without a word.
    """
    folder = Path(folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    said: dict = {}
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "qsdask.simulation", str(folder.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for line in process.stdout:
            said = _event(line)
            if "phase" in said:
                yield said
        status = process.wait()
    finally:
        process.kill()  # nothing, when it has ended
        process.wait()
        process.stdin.close()
        process.stdout.close()
    if status < 0:
        raise ResumableError(
            f"the simulation was stopped by signal {-status}",
            code="E-STOPPED",
            file=folder,
            why=_SIGNALS.get(-status),
            hint="run the same command again: it goes on from its last checkpoint",
        )
    if status:
        raise _error(said, status, folder)


def child(arguments: list[str]) -> int:
    """Body of ``python -m qsdask.simulation FOLDER``.

    Parameters
    ----------
    arguments : list of str
        The folder.

    Returns
    -------
    int
        Exit status: 0, or that of the error, whose fields are the last line on standard output.
    """
    if len(arguments) != 1:
        print("usage: python -m qsdask.simulation FOLDER", file=sys.stderr)
        return 64
    # Python would wait for LAMMPS to return before it acts on an interrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_die_with_the_parent, daemon=True).start()
    try:
        run_specimen(arguments[0], _say)
    except QSDaskError as error:
        _say(error.as_json())
        return error.exit_status
    return 0


def _die_with_the_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(ResumableError.exit_status)


def _say(event: dict) -> None:
    print(json.dumps(event), flush=True)


def _event(line: bytes) -> dict:
    """An event of the child; libraries may write other lines."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _error(said: dict, status: int, folder: Path) -> QSDaskError:
    kinds = {kind.exit_status: kind for kind in QSDaskError.__subclasses__()}
    if "code" not in said:
        return InternalError(
            f"the simulation ended with status {status} and no word",
            code="E-CHILD",
            file=folder / "log.txt",
            hint="look at the end of this log",
        )
    message, code = said.pop("message"), said.pop("code")
    return kinds.get(status, InternalError)(message, code=code, **said)
