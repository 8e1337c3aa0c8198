"""Computing again, with their own settings, the stages that built on overwritten numbers."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from qsdask.engine.stage import Run
from qsdask.store.ledger import Record

__all__ = ["redo"]


def redo(path: Path, removed: list[Record], run: Run) -> None:
    """Compute removed stages again where their settings suffice; say which ones the user must start.

    Parameters
    ----------
    path : Path
        Root of the store.
    removed : list of Record
        In the order of computation, from `qsdask.engine.stage.run_stage`.
    run : Run
        Where and how.
    """
    fresh = Run(run.cluster, run.workers, False, run.progress)
    for record in removed:
        kind = record.key.split("/")[0]
        settings = {key.removesuffix("_angstrom"): value for key, value in record.settings.items()}
        if kind == "shells":
            import_module("qsdask.stages.shells").shells(path, **settings, run=fresh)
        elif kind == "features":
            import_module("qsdask.stages.features").features(path, **settings, run=fresh)
        elif kind == "response":
            import_module("qsdask.stages.respond").respond(path, **settings, run=fresh)
        else:
            print(
                f"{record.key} was removed with the numbers it came from; run 'qsdask predict {path} --model ...'",
                file=sys.stderr,
            )
