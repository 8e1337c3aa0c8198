"""What every worker process started here does first; Dask calls `dask_setup`."""

from __future__ import annotations

import logging
import signal

__all__ = ["dask_setup"]


def dask_setup(worker: object) -> None:
    """Leave what a terminal sends to all its processes to the driver, which closes its workers; say nothing meanwhile."""
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
