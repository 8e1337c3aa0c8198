"""Scripts without a main guard: every worker process runs them again, down to the first call that needs a cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qsdask.errors import UsageError

__all__ = ["MARK", "guard_told", "refuse_again"]

#: Variable that tells worker processes which file says that the guard is missing.
MARK = "QSDASK_MAIN_GUARD"


def refuse_again() -> None:
    """End a worker process, without a word, that has come to the user's script instead of to its own work."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        if place := os.environ.get(MARK):
            Path(place).touch()
        raise SystemExit(1)


@contextmanager
def guard_told(mark: Path) -> Iterator[None]:
    """Say what is wrong where workers do not start because of `refuse_again`.

    Parameters
    ----------
    mark : Path
        What `MARK` holds in their environment.

    Raises
    ------
    UsageError
        ``E-MAIN-GUARD``.
    """
    try:
        yield
    except RuntimeError:
        if not mark.exists():
            raise
        raise UsageError(
            "worker processes run this script from its beginning, and come here again",
            code="E-MAIN-GUARD",
            why="Python starts processes by importing the script; what stands at its top level is run by each of them",
            hint='put the calls below a line \'if __name__ == "__main__":\', or use threads: run=qsdask.Run(cluster="threads")',
        ) from None
