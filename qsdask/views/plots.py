"""``tree.qs.plot``: pictures of a store in a notebook."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from qsdask.analysis import spectrum
from qsdask.analysis.counts import in_length
from qsdask.analysis.slab import cut_slab
from qsdask.reporting.figures import softness_distribution
from qsdask.reporting.softness_map import softness_map
from qsdask.views.tree import GlassTree

__all__ = ["Plots"]


class Plots:
    """Pictures that Matplotlib saves and notebooks show."""

    def __init__(self, glass: GlassTree) -> None:
        self._glass = glass

    def slab(
        self,
        axis: str = "y",
        centre: float | None = None,
        thickness: float | None = None,
        *,
        frame: int = 0,
        model: str | None = None,
    ) -> Figure:
        """Atoms of a slice, each as large as its radius, coloured by softness; the arguments are those of ``tree.qs.slab``."""
        model = self._glass.model(model)
        found, where = self._glass.cut(axis, centre, thickness, frame, model)
        found = found.compute()
        cut = cut_slab(
            found["position"].values,
            qs=found["qs"].values,
            d2=np.full(found.sizes["atom"], np.nan),
            radius=found["radius"].values[found["species"].values],
            **where,
        )
        return softness_map(in_length(cut, found["position"].attrs["units"]))

    def spectrum(self, *, frame: int = 0, model: str | None = None) -> Figure:
        """Distribution of the softness of a frame, over all atoms that have one; `qsdask.report` leaves out those near surfaces."""
        qs = self._glass.atoms(self._glass.model(model, frame), frame)["qs"]
        edges = np.cumsum([0, *(qs.chunks[0] if qs.chunks else qs.shape)]).tolist()
        parts = (qs[first:last].values for first, last in pairwise(edges))
        counts = (
            spectrum.partial(part, np.full_like(part, np.nan), np.zeros(part.shape, bool), np.inf) for part in parts
        )
        return softness_distribution(spectrum.finalise(reduce(spectrum.combine, counts)))
