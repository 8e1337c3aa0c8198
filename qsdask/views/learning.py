"""Pictures of the learning study: feature sets against each other, transfer, and how few columns are enough."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qsdask.files.durable import write_durable
from qsdask.files.taken import refuse_taken
from qsdask.reporting import benchmark, selection, transfer
from qsdask.reporting.picture import save_png

__all__ = ["write_benchmark", "write_columns", "write_selection", "write_transfer"]


def write_benchmark(found: Mapping, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.benchmark` found; see `qsdask.reporting.benchmark.benchmark`."""
    return save_png(benchmark.benchmark(found), Path(out), overwrite=overwrite)


def write_transfer(found: Mapping, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.transfer` found; see `qsdask.reporting.transfer.transfer`."""
    return save_png(transfer.transfer(found), Path(out), overwrite=overwrite)


def write_selection(found: Mapping, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.select` found; see `qsdask.reporting.selection.selection`."""
    return save_png(selection.selection(found), Path(out), overwrite=overwrite)


def write_columns(found: Mapping, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the columns that `qsdask.select` chose, one a line, for ``train --columns``.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS`` when a file is there; ``E-IN-STORE`` for a place inside of a store.
    """
    path = Path(out)
    refuse_taken(path, overwrite=overwrite)
    head = f"# {len(found['columns'])} of {found['path'][0]['n']} columns of --set {found['set']}, the most important first"
    write_durable(path, "\n".join([head, *(column["name"] for column in found["columns"]), ""]).encode())
    return path
