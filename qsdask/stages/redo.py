"""Computing a stage again with its own stored settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path

from qsdask.engine.stage import Run
from qsdask.errors import QSDaskError
from qsdask.schema import frame_of
from qsdask.settings import ShellSettings
from qsdask.store.ledger import command_of
from qsdask.store.record import Record

__all__ = ["again", "redo"]


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
    for record in removed:
        if frame_of(record.key)[1].startswith("softness/"):
            print(
                f"{record.key} was removed with the numbers it came from; run '{command_of(path, record.key)}'",
                file=sys.stderr,
            )
            continue
        try:
            again(path, record, run)
        except QSDaskError as error:
            # The others need not suffer for it.
            print(
                f"{record.key} was removed with the numbers it came from, and cannot be computed again: {error.message} "
                f"({error.code}); run '{command_of(path, record.key)}'",
                file=sys.stderr,
            )


def again(path: Path, record: Record, run: Run, source: Sequence[Path] | None = None) -> bool:
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
    fresh = replace(run, overwrite=False)
    step, name = frame_of(record.key)
    kind = name.split("/")[0]
    settings = {key.removesuffix("_angstrom"): value for key, value in record.settings.items()}
    if kind == "ingest":
        if source is None:
            return False
        ingest = import_module("qsdask.stages.ingest").ingest
        # How its files were read decides no setting, but it must be read in that way again.
        given = {**settings, **(record.provenance or {}).get("reading", {})}
        known = signature(ingest).parameters
        ingest(source, path, **{key: value for key, value in given.items() if key in known}, run=fresh)
    elif kind == "softness":
        model = _model_of(path, record)
        if model is None:
            return False
        import_module("qsdask.stages.predict").predict(path, model=model, step=step, run=fresh)
    elif kind == "response":
        if "runs" in settings:  # stored as seen from the folder of the store
            settings["runs"] = [Path(path).resolve().parent / name for name in settings["runs"]]
        import_module("qsdask.stages.respond").respond(path, **settings, run=fresh)
    elif kind == "shells":
        # All of them: what is left out would be taken from the undeformed glass.
        whole = ShellSettings(**record.settings).model_dump()
        settings = {key.removesuffix("_angstrom"): value for key, value in whole.items()}
        import_module("qsdask.stages.shells").shells(path, step=step, **settings, run=fresh)
    else:
        import_module("qsdask.stages.features").features(path, step=step, **settings, run=fresh)
    return True


def _model_of(path: Path, record: Record) -> Path | None:
    """The model of a softness, when it lies beside the store or where we are."""
    # Workers of every stage import this file: LightGBM and its like would cost each of them 100 MB.
    load_model = import_module("qsdask.learn").load_model
    name = record.settings["model"]
    for folder in (Path(path).resolve().parent, Path.cwd()):
        for model in (folder / f"{name}.qs", folder / name):
            try:
                if load_model(model).digest() == record.settings["model_digest"]:
                    return model
            except QSDaskError:
                continue
    return None
