"""Strain along a run: its branches, and the frames in which it passes a value."""

from __future__ import annotations

import numpy as np

from qsdask.errors import BadDataError

__all__ = ["NEAR", "branch_name", "branches", "first_pass", "moment", "passed_again", "passes", "tells_frames"]

#: Strains nearer than this are the same.
NEAR = 0.0025

#: A strain is held while it changes by less than this.
HELD = 1e-6

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


def first_pass(strain: np.ndarray, wanted: float, file: object = None) -> int:
    """Frame in which a strain is first passed.

    Parameters
    ----------
    strain : float64 array, shape (n_step,)
        Of the frames, in order.
    wanted : float
        Strain.
    file : path, optional
        Store, for messages.

    Raises
    ------
    BadDataError
        ``E-STRAIN`` when no frame is within `NEAR` of it.
    """
    found = passes(strain, wanted)
    if not found:
        raise BadDataError(
            f"no frame was stored at strain {wanted:g}; the store holds {len(strain)} frames from {strain.min():g} to {strain.max():g}",
            code="E-STRAIN",
            file=file,
            hint="choose a stored strain with --strain, a frame with --frame, or ingest with the right --strain-step",
        )
    return found[0]


def passed_again(strain: np.ndarray, wanted: float) -> str:
    """What to say of a strain that is passed again, or held, empty otherwise; see `first_pass`."""
    found, branch = passes(strain, wanted), branches(strain)
    told = [f"{step} ({branch_name(branch[step])}, {strain[step]:g})" for step in found]
    moved = np.abs(strain[found[0] :] - strain[found[0]]) > HELD if found else np.ones(1, bool)
    n_held = int(moved.argmax()) if moved.any() else len(moved)
    more = [f"held until frame {found[0] + n_held - 1}"] if n_held > 1 else []
    more += [f"passed again in {', '.join(told[1:])}"] if told[1:] else []
    if not more:
        return ""
    return f"strain {wanted:g} is first reached in frame {told[0]}, {' and '.join(more)}; --frame takes another"


def tells_frames(strain: np.ndarray) -> bool:
    """Whether a strain tells a frame of a run, whose strains have shape (n_step,): it neither turns nor is held."""
    return not branches(strain).any() and bool((np.abs(np.diff(strain)) > HELD).all())


def moment(strain: np.ndarray, step: int) -> str:
    """Which frame is meant where its strain does not tell, such as ``"frame 8, unloading"``; empty where it does."""
    return "" if tells_frames(strain) else f"frame {step}, {branch_name(branches(strain)[step])}"


def branch_name(branch: int) -> str:
    """What the branch of `branches` is called: loading, unloading, loading-2, unloading-2."""
    cycle, back = divmod(int(branch), 2)
    return ("unloading" if back else "loading") + (f"-{cycle + 1}" if cycle else "")
