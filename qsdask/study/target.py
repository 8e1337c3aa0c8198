"""What the learner ``response`` learns: how far atoms rearrange, as a number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qsdask.learn.own_label import is_own, softward
from qsdask.space.strain import TURN, branches
from qsdask.store.reader import StoreReader
from qsdask.units import ANGSTROM

__all__ = ["target_rows", "target_settings", "target_steps"]

#: D2min of an atom that vibrates: below it there is nothing to learn. Unit: angstrom^2.
VIBRATION = 0.05

#: Range of strains that are averaged over, as shares of that of the label: 2 to 6 % of 4 %.
SHARES = (0.5, 1.5)


def target_settings(label: Mapping, length: str) -> dict:
    """How the target is made: JSON values, kept with the model.

    Parameters
    ----------
    label : mapping
        Of the model.
    length : str
        Unit of the lengths of the glasses. Where it is not angstrom, what counts as vibration is a hundredth of the
        threshold, as 0.05 angstrom^2 are of 5.

    Returns
    -------
    dict
        Of a label of the user's own only which end of its ranks is soft: these are what is learned.
    """
    if is_own(label):
        return {"rank": "high" if softward(label) > 0 else "low"}
    vibration = VIBRATION if length == ANGSTROM else label["threshold"] / 100
    return {"strains": [share * label["strain"] for share in SHARES], "vibration": vibration}


def target_steps(path: Path, step: int, target: Mapping) -> list[int]:
    """Frames that are averaged over: of the branch of the label's frame those whose strain is in the range.

    Parameters
    ----------
    path : Path
        Root of the store.
    step : int
        Frame of the label, which is always among them.
    target : mapping
        Of `target_settings`.
    """
    strain = StoreReader(path)["frames/strain"][:]
    low, high = sorted(target["strains"])
    near = (strain >= low - TURN) & (strain <= high + TURN) & (branches(strain) == branches(strain)[step])
    near[0], near[step] = False, True
    return np.flatnonzero(near).tolist()


def target_rows(root: StoreReader, rows: slice, steps: list[int], label: Mapping, target: Mapping) -> np.ndarray:
    """Mean over frames of ln(D2min + vibration).

    Parameters
    ----------
    root : StoreReader
        Store.
    rows : slice
        Rows to read.
    steps : list of int
        Of `target_steps`.
    label, target : mapping
        Of the model; of `target_settings`.

    Returns
    -------
    float64 array, shape (n,)
        NaN where D2min has no value in one of the frames.
    """
    total = np.zeros(rows.stop - rows.start)
    for step in steps:
        if "frequency" in label:
            d2 = root["response/propensity/d2min_mean"][step, rows]
        else:
            d2 = np.where(root["response/d2min/valid"][step, rows], root["response/d2min/d2min"][step, rows], np.nan)
        d2 = np.asarray(d2, dtype=np.float64)
        total += np.log(np.where(d2 >= 0.0, d2, np.nan) + target["vibration"])
    return total / len(steps)
