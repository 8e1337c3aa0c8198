"""Which frames of a store a stage works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.space.strain import NEAR, first_pass, passed_again
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["chosen_steps", "label_note", "label_step", "step_near"]


def chosen_steps(path: Path, step: int | Sequence[int] | str) -> list[int]:
    """Steps asked for, as they stand in the store.

    Parameters
    ----------
    path : Path
        Root of the store.
    step : int, sequence of int, or "all"
        Negative numbers count from the end.

    Returns
    -------
    list of int
        Each once, in the order given.

    Raises
    ------
    UsageError
        ``E-STEP`` with the steps and strains that there are.
    QSDaskError
        When the store is missing or incomplete.
    """
    strain = _strain(path)
    if isinstance(step, str):
        if step != "all":
            raise UsageError(f"expected frames such as 32, [32, 40] or 'all', got {step!r}", code="E-STEP", file=path)
        return list(range(len(strain)))
    asked = [step] if isinstance(step, int | np.integer) else list(step)
    for k in asked:
        if not -len(strain) <= k < len(strain):
            raise UsageError(
                f"step is {k}, the store has the steps 0 to {len(strain) - 1}, at strains {strain[0]:g} to {strain[-1]:g}",
                code="E-STEP",
                file=path,
            )
    return list(dict.fromkeys(int(k) % len(strain) for k in asked))


def step_near(store: str | Path, strain: float) -> tuple[int, float]:
    """Stored step in which a strain is first passed, to within `qsdask.space.strain.NEAR`, and its strain.

    Raises
    ------
    BadDataError
        ``E-STRAIN`` when no frame was stored near it.
    QSDaskError
        When the store is missing or incomplete.
    """
    stored = _strain(located(store))
    step = first_pass(stored, strain, store)
    return step, float(stored[step])


def label_step(path: Path, label: Mapping, frame: int | None = None) -> int:
    """Step of a label.

    Parameters
    ----------
    path : Path
        Root of the store.
    label : mapping
        ``strain``, which is taken where it is first passed; ``frame`` of a model that was learned from a certain frame.
    frame : int, optional
        Instead, this frame; negative numbers count from the end.

    Raises
    ------
    BadDataError
        ``E-STRAIN`` when no frame was stored near the strain, only the undeformed one, or the label's frame has another.
    UsageError
        ``E-STEP`` when there is no such frame.
    """
    if frame is None and "strain" not in label:
        raise UsageError(
            f"the label {label['name']!r} of the model is that of no frame",
            code="E-STEP",
            file=path,
            hint="name one: --frame",
        )
    strain, wanted = _strain(path), float(label.get("strain", 0.0))
    if frame is not None:
        [step] = chosen_steps(path, frame)
        wanted = strain[step]
    elif "frame" not in label:
        step = first_pass(strain, wanted, path)
    elif not ((step := label["frame"]) < len(strain) and abs(strain[step] - wanted) <= NEAR):
        there = f"is at {strain[step]:g}" if step < len(strain) else "is not there"
        raise BadDataError(
            f"the label is that of frame {step} at strain {wanted:g}, which {there} in this store",
            code="E-STRAIN",
            file=path,
            hint="name the frame that corresponds with --frame",
        )
    if step == 0:
        raise BadDataError(
            f"no deformed frame was stored at strain {wanted:g}, the nearest is the undeformed one at {strain[0]:g}",
            code="E-STRAIN",
            file=path,
            hint="choose a stored strain with --strain, a frame with --frame, or ingest with the right --strain-step",
        )
    return step


def label_note(path: Path, label: Mapping, frame: int | None = None) -> list[str]:
    """``W-STRAIN-AGAIN`` where the strain of a label is passed again, and no frame was named; see `label_step`."""
    if "strain" not in label:  # it is none of a frame
        return []
    named = frame is not None or "frame" in label
    told = "" if named else passed_again(_strain(path), label["strain"])
    return [f"W-STRAIN-AGAIN: {told}"] if told else []


def _strain(path: Path) -> np.ndarray:
    ledger.require(path, "ingest")
    return StoreReader(path)["frames/strain"][:]
