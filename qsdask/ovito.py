"""Modifier of OVITO: softness of the atoms in a pipeline. The one file that imports `ovito`, for those who have it."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np
from ovito.data import DataCollection, DataTable
from ovito.pipeline import ModifierInterface
from traits.api import Enum, Range, Str

from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.settings.text import species_of_text
from qsdask.system.softness import softness

__all__ = ["QuenchInSoftness"]

#: Particle property -> variable of `qsdask.softness`.
PROPERTIES = {"Quench-in Softness": "qs", "QS Spread": "qs_std", "QS Outside": "outside"}

#: Bins of the histogram between 0 and 1.
BINS = 50


class QuenchInSoftness(ModifierInterface):
    """Give every particle of a pipeline its quench-in softness (QS), see `qsdask.softness`, and select the soft ones.

    Parameters
    ----------
    model : str
        Model folder, or the name of a shipped model.
    soft_above : float
        QS, between 0 and 1, above which a particle is selected.
    check : {"warn", "raise", "ignore"}
        Of particles unlike those that the model was trained on; see `qsdask.softness`.
    species : str
        Elements of particle types without a name, or of names that are no elements, such as ``"1=Cu,2=Zr"`` or ``"Cu,Zr"``.

    Raises
    ------
    QSDaskError
        What `qsdask.softness` raises; in the graphical user interface it is the text of the modifier's status.

    Notes
    -----
    It adds the particle properties "Quench-in Softness", "QS Spread" and "QS Outside" (NaN where there is no number), "Selection",
    the table "quench-in-softness" (a histogram), and the attributes "QuenchInSoftness.mean", ".soft", ".hard" (shares of the
    particles that have a softness) and ".outside" (share unlike the training atoms, of those whose model tells it).
    """

    model = Str("cuzr", label="Model")
    soft_above = Range(0.0, 1.0, SOFT_ABOVE, label="Soft above")
    check = Enum("warn", "raise", "ignore", label="Unlike the training")
    species = Str("", label="Species")

    def modify(self, data: DataCollection, **kwargs: Any) -> Generator[str | float, None, None]:
        """Add the softness to the data of a frame; what is yielded is the progress that OVITO shows."""
        n = data.particles.count if data.particles else 0
        yield f"Quench-in softness of {n:,} particles by {self.model}"
        species = species_of_text(self.species) if self.species else None
        found = softness(data, self.model, species=species, check=self.check)
        particles, qs = data.particles_, found.qs.values
        for name, variable in PROPERTIES.items():
            particles.create_property(name, data=found[variable].values.astype(np.float64))
        particles.create_property("Selection", data=qs > self.soft_above)
        known, judged = qs[np.isfinite(qs)], found.outside.values[~np.isnan(found.outside.values)]
        attributes = {
            # The exact sum: the order of the particles does not matter.
            "mean": math.fsum(known.tolist()) / len(known) if len(known) else math.nan,
            "soft": _share(known > self.soft_above),
            "hard": _share(known < HARD_BELOW),
            "outside": _share(judged > 1.0),
        }
        for name, value in attributes.items():
            data.attributes[f"QuenchInSoftness.{name}"] = value
        table = data.tables.create(
            identifier="quench-in-softness", title="Quench-in softness", plot_mode=DataTable.PlotMode.Histogram
        )
        table.y = table.create_property("Count", data=np.histogram(known, BINS, (0.0, 1.0))[0])
        table.interval, table.axis_label_x = (0.0, 1.0), "Quench-in softness"


def _share(true: np.ndarray) -> float:
    return float(true.mean()) if len(true) else math.nan
