"""Pictures of the learning study: feature sets against each other, transfer, and how few columns are enough."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qsdask.reporting import benchmark, transfer
from qsdask.reporting.picture import save_png

__all__ = ["write_benchmark", "write_transfer"]


def write_benchmark(found: Mapping, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.benchmark` found; see `qsdask.reporting.benchmark.benchmark`."""
    return save_png(benchmark.benchmark(found), Path(out), overwrite=overwrite)


def write_transfer(found: Mapping, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.transfer` found; see `qsdask.reporting.transfer.transfer`."""
    return save_png(transfer.transfer(found), Path(out), overwrite=overwrite)
