"""What runs along a chart of a whole run: its strain, or its frames with their branches where strains are passed more than once."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsdask.reporting.style import GREY, STRAIN

__all__ = ["name_course", "places"]

#: Branches that are named one by one; of more only the cycles are, and so many of them at most.
_NAMED = 6


def places(activation: xr.Dataset) -> np.ndarray:
    """Where the frames stand along the axis: at their strains, or at their numbers, as ``attrs["along"]`` says."""
    return activation["frame" if _by_frame(activation) else "strain"].values


def name_course(axes: Axes, activation: xr.Dataset) -> None:
    """Name the axis that the frames stand along; mark the branches where these are frames."""
    if not _by_frame(activation):
        axes.set_xlabel(STRAIN)
        return
    frame, strain, branch = (activation[name].values for name in ("frame", "strain", "branch"))
    names = activation["branch"].attrs["flag_meanings"].split()
    last = np.append(np.flatnonzero(np.diff(branch)), len(frame) - 1)
    first = np.append(0, last[:-1])
    for k, (begin, end) in enumerate(zip(frame[first].tolist(), frame[last].tolist(), strict=True)):
        if branch[last[k]] % 2:
            axes.axvspan(begin, end, color=GREY, alpha=0.1, linewidth=0, zorder=0)
        if text := _name(k, len(last), names[branch[last[k]]]):
            place = axes.get_xaxis_transform()
            axes.text((begin + end) / 2, 1.01, text, color=GREY, fontsize=7, ha="center", va="bottom", transform=place)
    ticks = np.unique(np.append(0, last[:: -(-len(last) // (2 * _NAMED))]))
    axes.set_xticks(frame[ticks], [f"{frame[k]}\n{strain[k]:.3g}" for k in ticks])
    axes.set_xlabel("Frame, and its strain (fraction)")


def _by_frame(activation: xr.Dataset) -> bool:
    return activation.attrs.get("along") == "frame"


def _name(k: int, n_branch: int, name: str) -> str:
    """What stands above a branch: its name; of many the number of the cycle, above the first half of some."""
    if n_branch <= _NAMED:
        return name
    every = -(-n_branch // (2 * _NAMED))
    return "" if k % 2 or (k // 2) % every else f"cycle {k // 2 + 1}"
