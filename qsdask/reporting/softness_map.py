"""The atoms of a slice coloured by their softness: the picture of a glass that nobody has deformed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from qsdask.reporting.style import SOFTNESS, length_of, panel, styled
from qsdask.units import renamed, symbol

__all__ = ["softness_map"]


@styled
def softness_map(slab: xr.Dataset) -> Figure:
    """Atoms of a slice, each as large as its radius, coloured by quench-in softness; grey where it is not known.

    Parameters
    ----------
    slab : Dataset
        Of `qsdask.analysis.slab.join`.

    Returns
    -------
    Figure
    """
    u, v, qs = (slab[name].values for name in ("u", "v", "qs"))
    plane, length = slab["plane_cell"].values, length_of(slab)
    sign = symbol(length)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ plane
    low = np.minimum(corners.min(axis=0), [u.min(initial=0.0), v.min(initial=0.0)])
    high = np.maximum(corners.max(axis=0), [u.max(initial=1.0), v.max(initial=1.0)])
    tall = float(np.clip((high[1] - low[1]) / (high[0] - low[0]), 0.25, 2.2))
    width = 6.4 if tall < 1.3 else 4.6
    figure, axes = panel(width, width * 0.84 * tall + 0.6)
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
        cmap=colormaps["cividis"].with_extremes(bad="#cccccc"),
        clim=(0.0, 1.0),
        edgecolors="#00000055",
        linewidths=0.4,
    )
    axes.add_collection(drawn)
    outline = corners[[0, 1, 3, 2, 0]]
    axes.plot(*outline.T, color="black", linewidth=0.8)
    # Atoms at the edge stand out by their radius.
    margin = max(slab["radius"].values.max(initial=0.0), 0.02 * (high[0] - low[0]))
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    axes.set_xlabel(f"{slab.attrs['u_axis']} ({sign})")
    axes.set_ylabel(f"{slab.attrs['v_axis']} ({sign})")
    thickness, centre = (slab.attrs[renamed(f"{name}_angstrom", length)] for name in ("thickness", "centre"))
    where = "through the middle" if np.isnan(centre) else f"at {centre:.4g} {sign} above the lower face"
    axes.set_title(f"slice of {thickness:.3g} {sign} {where}, normal to {slab.attrs['normal_axis']}")
    figure.colorbar(drawn, ax=axes, label=SOFTNESS, shrink=0.9)
    return figure
