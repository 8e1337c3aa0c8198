"""What comes next in a store: the first stage on the way to softness that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qsdask.files.location import located
from qsdask.schema import STAGES, frame_of, stage_of
from qsdask.settings import FeatureSettings
from qsdask.store import ledger
from qsdask.study.response import is_deformed

__all__ = ["following"]


def following(store: str | Path, steps: Sequence[int] = (0,), model: str | None = None) -> str:
    """Command that brings a store on.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    steps : sequence of int
        Frames that are worked on.
    model : str, optional
        Model folder that was just used.

    Returns
    -------
    str
        As typed.
    """
    path, deformed = located(store), any(steps)
    alone = not is_deformed(path)
    there = {(frame_of(r.key)[0], stage_of(r.key).name) for r in ledger.records(path) if r.complete}
    wanted = [stage for stage in STAGES if not stage.optional and (stage.at_step or not deformed)]
    if alone:
        # Nothing moved: no response leads on, and no plastic atom can be learned.
        wanted = [stage for stage in wanted if stage.name != "respond"]
    stage = next((s for s in wanted if any((step, s.name) not in there for step in steps)), None)
    if stage is None or (stage.name == "predict" and model is not None):
        look = "report" if alone else "evaluate"
        return f"qsdask info {path}" if deformed else f"qsdask {look} {path} --model {model or 'MODEL'}"
    if stage.name == "predict":
        typed = f"predict {path} --model MODEL"
        typed = typed if deformed or alone else f"train {path} ... --model my.qs, or qsdask {typed}"
    else:
        typed = stage.command.format(store=path, name=FeatureSettings().set)
    return f"qsdask {typed}" + (f" --frame {','.join(map(str, steps))}" if deformed else "")
