"""What every worker process started here does first; Dask calls `dask_setup`."""

from __future__ import annotations

import logging
import signal

__all__ = ["dask_setup"]


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the driver, which closes its workers, and say nothing while that happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
