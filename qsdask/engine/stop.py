"""Stopping cleanly: a signal becomes an exception in the main thread, so that clusters close and ledgers stay whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["SIGNALS", "Stopped", "stopping_cleanly"]


class Stopped(BaseException):
    """A signal asked the process to stop; like `KeyboardInterrupt` nothing catches it by accident.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_status(self) -> int:
        """128 and the signal, as a shell reports it."""
        return 128 + self.number


#: Signals that ask to stop: from the keyboard, from SLURM and others some time before they kill, from a terminal that is
#: closed. Not every system has all.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]


@contextmanager
def stopping_cleanly(last_words: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within the ``with``, a signal raises `Stopped`; a second one ends the process at once, also after the ``with``.

    Parameters
    ----------
    last_words : callable
        Called before a second signal ends the process. What has a receipt by then is kept.
    """
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        for each in before:
            signal.signal(each, leave)
        raise Stopped(number)

    def leave(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        try:
            last_words()
        finally:
            os.kill(os.getpid(), number)

    before = {number: signal.signal(number, stop) for number in SIGNALS if not _without_terminal(number)}
    try:
        yield
    finally:
        # A process that was stopped is on its way out: Python's own handler would end it with a traceback.
        if not stopped:
            for number, handler in before.items():
                signal.signal(number, handler)


def _without_terminal(number: int) -> bool:
    """Whether `nohup` has asked to go on when the terminal is closed."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN
