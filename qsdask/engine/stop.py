"""Stopping cleanly: a signal becomes an exception in the main thread, so that clusters close and ledgers stay whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopped", "stopping_cleanly"]


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


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Within the ``with``, SIGINT and SIGTERM raise `Stopped`; a second one ends the process at once.

    SLURM and others send SIGTERM some time before they kill. What has a receipt by then is kept.
    """

    def stop(number: int, frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
