"""Computing a stage again with its own stored settings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from qsdask.engine.where import Run
from qsdask.errors import QSDaskError
from qsdask.schema import command_of, stage_of
from qsdask.store.record import Record

__all__ = ["again", "recompute"]

_log = logging.getLogger(__name__)


def again(path: Path, record: Record, run: Run, source: Sequence[str | Path] | None = None) -> bool:
    """Run a stage with the settings of its record: anew, or the tasks that it misses.

    Parameters
    ----------
    path : Path
        Root of the store.
    record : Record
        Of the stage.
    run : Run
        Where and how; nothing is overwritten.
    source : sequence of Path, optional
        The trajectory, for ``ingest``.

    Returns
    -------
    bool
        False when it cannot be run: its trajectory is not given, or its model is not beside the store.
    """
    # Stages are found by their names, like feature sets: `schema.STAGES` says which there are.
    stage = import_module(f"qsdask.stages.{stage_of(record.key).name}")
    return stage.again(path, record, replace(run, overwrite=False), source)


def recompute(path: Path, removed: Sequence[Record], run: Run) -> None:
    """Compute removed stages again where their settings suffice; log which ones the user must start.

    Parameters
    ----------
    path : Path
        Root of the store.
    removed : sequence of Record
        In the order of computation.
    run : Run
        Where and how.
    """
    for record in removed:
        why = ""
        try:
            if again(path, record, run):
                continue
        except QSDaskError as error:
            # The others need not suffer for it.
            why = f", and cannot be computed again: {error.message} ({error.code})"
        _log.warning(
            "%s was removed with the numbers it came from%s; run '%s'", record.key, why, command_of(path, record.key)
        )
