"""Which frames of a store a stage works on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["chosen_steps", "label_step", "step_near"]

#: Strains nearer than this are the same.
NEAR = 0.0025


def chosen_steps(path: Path, step: int | Sequence[int]) -> list[int]:
    """Steps asked for, as they stand in the store.

    Parameters
    ----------
    path : Path
        Root of the store.
    step : int or sequence of int
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
    ledger.require(path, "ingest")
    strain = StoreReader(path)["frames/strain"][:]
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
    """Stored step whose strain is the one asked for, to within `NEAR`, and its strain.

    Raises
    ------
    BadDataError
        ``E-STRAIN`` when no frame was stored near it.
    QSDaskError
        When the store is missing or incomplete.
    """
    path = Path(store)
    ledger.require(path, "ingest")
    stored = StoreReader(path)["frames/strain"][:]
    step = int(np.abs(stored - strain).argmin())
    if abs(stored[step] - strain) > NEAR:
        raise BadDataError(
            f"no frame was stored at strain {strain:g}; the store holds {len(stored)} frames from {stored.min():g} to {stored.max():g}",
            code="E-STRAIN",
            file=path,
            hint="choose a stored strain with --strain, or ingest with the right --strain-step",
        )
    return step, float(stored[step])


def label_step(path: Path, strain: float) -> int:
    """Step of a label's strain.

    Raises
    ------
    BadDataError
        ``E-STRAIN`` when no frame was stored near it, or only the undeformed one.
    """
    step, there = step_near(path, strain)
    if step == 0:
        raise BadDataError(
            f"no deformed frame was stored at strain {strain:g}, the nearest is the undeformed one at {there:g}",
            code="E-STRAIN",
            file=path,
            hint="choose a stored strain with --strain, or ingest with the right --strain-step",
        )
    return step
