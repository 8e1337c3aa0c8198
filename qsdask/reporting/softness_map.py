"""The atoms of a slice coloured by their softness, with contours of D2 where the glass was deformed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from qsdask.reporting.number import COUNT, SHORT, SPACE, Form
from qsdask.reporting.style import (
    GREY,
    ORANGE,
    SOFTNESS,
    VERMILLION,
    at_strain,
    length_of,
    panel,
    square,
    styled,
    threshold_of,
)
from qsdask.units import renamed, symbol

__all__ = ["place_of", "softness_map"]

#: Contours of D2, as shares of the plastic threshold, and their colours: 2 and 5 angstrom^2 where that is 5.
_CONTOURS = ((0.4, ORANGE), (1.0, VERMILLION))

_UNKNOWN = "#cccccc"


@styled
def softness_map(slab: xr.Dataset) -> Figure:
    """Atoms of a slice, each as large as its radius, coloured by quench-in softness; grey where it is not known.

    Parameters
    ----------
    slab : Dataset
        Of `qsdask.analysis.slab.join`; of `qsdask.analysis.slab.finalise` for contours of D2. The attribute ``loading`` says how
        the glass was loaded, such as ``"compression along z"``; the axis of the loading is marked.

    Returns
    -------
    Figure
    """
    u, v, qs = (slab[name].values for name in ("u", "v", "qs"))
    plane, sign = slab["plane_cell"].values, symbol(length_of(slab))
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ plane
    low = np.minimum(corners.min(axis=0), [u.min(initial=0.0), v.min(initial=0.0)])
    high = np.maximum(corners.max(axis=0), [u.max(initial=1.0), v.max(initial=1.0)])
    tall = float(np.clip((high[1] - low[1]) / (high[0] - low[0]), 0.25, 2.2))
    # As wide as its legend needs, however tall the cell is.
    figure, axes = panel(5.0, 4.0 * min(tall, 1.3) + 0.9)
    # Softer atoms over harder ones.
    order = np.argsort(np.where(np.isnan(qs), -1.0, qs), kind="stable")
    size = 2.0 * slab["radius"].values[order]
    drawn = EllipseCollection(
        size,
        size,
        np.zeros_like(size),
        units="xy",
        offsets=np.column_stack([u[order], v[order]]),
        offset_transform=axes.transData,
        array=np.ma.masked_invalid(qs[order]),
        cmap=colormaps["cividis"].with_extremes(bad=_UNKNOWN),
        clim=(0.0, 1.0),
        edgecolors="#00000055",
        linewidths=0.4,
    )
    axes.add_collection(drawn)
    axes.plot(*corners[[0, 1, 3, 2, 0]].T, color="black", linewidth=0.8)
    # Atoms at the edge stand out by their radius.
    margin = max(slab["radius"].values.max(initial=0.0), 0.02 * (high[0] - low[0]))
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    loaded = str(slab.attrs.get("loading", "")).rpartition(" ")[2]
    for name, label in (("u_axis", axes.set_xlabel), ("v_axis", axes.set_ylabel)):
        axis = slab.attrs[name]
        label(f"{axis} ({sign})" + (", axis of the loading" if axis == loaded else ""))
    figure.suptitle(place_of(slab), fontsize=9)
    figure.colorbar(drawn, ax=axes, label=SOFTNESS, shrink=0.9)
    handles: list[Artist] = [Line2D([], [], color="black", linewidth=0.8, label="cell"), *_contours(axes, slab)]
    if np.isnan(qs).any():
        handles.append(Patch(facecolor=_UNKNOWN, edgecolor=GREY, label="without QS"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _contours(axes: Axes, slab: xr.Dataset) -> list[Line2D]:
    """Draw the contours of D2 that there are, and say what they are."""
    threshold = threshold_of(slab)
    if "map_d2" not in slab or not np.isfinite(threshold):
        return []
    field, unit = np.ma.masked_invalid(slab["map_d2"].values), square(slab)
    handles = []
    for share, colour in _CONTOURS:
        level = share * threshold
        label = f"D² = {SHORT.with_unit(unit)(level)}{at_strain(slab)}" + ", the plastic threshold" * (share == 1.0)
        handles.append(Line2D([], [], color=colour, linewidth=1.6, label=label))
        if field.count() and min(field.shape) > 1 and field.min() < level < field.max():
            drawn = axes.contour(slab["map_u"].values, slab["map_v"].values, field, levels=[level], colors=[colour])
            drawn.set(linewidth=1.6, path_effects=[withStroke(linewidth=3.0, foreground="white")])
    return handles


def place_of(slab: xr.Dataset) -> str:
    """Where a slice lies and how thick it is, in words."""
    length = length_of(slab)
    form = Form(".4g", symbol(length))
    thickness, centre, coordinate = (
        slab.attrs[renamed(f"{name}_angstrom", length)] for name in ("thickness", "centre", "coordinate")
    )
    axis = slab.attrs["normal_axis"]
    middle = ", the middle of the box" if np.isnan(centre) else ""
    atoms = COUNT.with_unit("atoms")(slab.sizes["atom"])
    return f"slice {form(thickness)} thick at {axis}{SPACE}={SPACE}{form(coordinate)}{middle}; {atoms}"
