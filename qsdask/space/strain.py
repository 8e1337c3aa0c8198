"""Strain along a run: its branches, and the frames in which it passes a value."""

from __future__ import annotations

import numpy as np

__all__ = ["NEAR", "branches", "passes"]

#: Strains nearer than this are the same.
NEAR = 0.0025

#: A strain turns when it goes back by more than this; less is noise.
TURN = NEAR / 10


def branches(strain: np.ndarray) -> np.ndarray:
    """Branch that every frame belongs to: loading, unloading, loading again.

    Parameters
    ----------
    strain : float64 array, shape (n_step,)
        Of the frames, in order.

    Returns
    -------
    int64 array, shape (n_step,)
        Counted from 0; it rises by one behind every frame in which the strain turns. Frames at rest belong to the branch
        that led there.
    """
    turns = np.zeros(len(strain), dtype=np.int64)
    direction, farthest = 0.0, 0
    for step, now in enumerate(strain):
        ahead = now - strain[farthest]
        if direction == 0.0:
            direction = np.sign(ahead) if abs(ahead) > TURN else 0.0
            farthest = step if direction else farthest
        elif ahead * direction >= 0.0:
            farthest = step
        elif -ahead * direction > TURN:
            turns[farthest + 1] = 1
            direction, farthest = -direction, step
    return np.cumsum(turns)


def passes(strain: np.ndarray, wanted: float) -> list[int]:
    """Frames in which a strain is passed: of every branch the nearest one, if it is within `NEAR`.

    Parameters
    ----------
    strain : float64 array, shape (n_step,)
        Of the frames, in order.
    wanted : float
        Strain.

    Returns
    -------
    list of int
        In order; empty when no frame is near.
    """
    away, branch = np.abs(np.asarray(strain) - wanted), branches(strain)
    nearest = [int(np.where(branch == k, away, np.inf).argmin()) for k in range(int(branch[-1]) + 1)]
    return [step for step in nearest if away[step] <= NEAR]
