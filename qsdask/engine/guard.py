"""Scripts without a main guard: every worker process runs them again, down to the first call that needs a cluster."""

from __future__ import annotations

import ast
import linecache
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from qsdask.errors import UsageError

__all__ = ["guard_told", "refuse_again"]


def refuse_again() -> None:
    """End a worker process, without a word, that has come to the user's script instead of to its own work."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)


@contextmanager
def guard_told() -> Iterator[None]:
    """Say what is wrong where workers do not start because the script has no main guard; see `refuse_again`.

    Raises
    ------
    UsageError
        ``E-MAIN-GUARD``.
    """
    try:
        yield
    except RuntimeError:
        if not _unguarded():
            raise
        raise UsageError(
            "worker processes run this script from its beginning, and come here again",
            code="E-MAIN-GUARD",
            why="Python starts processes by importing the script; what stands at its top level is run by each of them",
            hint='put the calls below a line \'if __name__ == "__main__":\', or use threads: run=qsdask.Run(cluster="threads")',
        ) from None


def _unguarded() -> bool:
    """Whether the line of the user's script that is being run stands below no condition on ``__name__``."""
    frame = sys._getframe()
    while frame.f_back is not None and not (
        frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>"
    ):
        frame = frame.f_back
    lines = linecache.getlines(frame.f_code.co_filename)
    if not lines:  # typed, not written in a file: nothing is imported again
        return False
    tree = ast.parse("".join(lines))
    guards = (node for node in tree.body if isinstance(node, ast.If) and "__name__" in ast.dump(node.test))
    return not any(node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno) for node in guards)
