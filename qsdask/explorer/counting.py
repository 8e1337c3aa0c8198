"""How many atoms are soft and hard, and what is activated at which strain: counted domain by domain while the page is open."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import numpy as np
import xarray as xr

from qsdask.analysis import activation as by_strain
from qsdask.analysis import distribution
from qsdask.errors import QSDaskError
from qsdask.explorer.glass import Glass
from qsdask.study.activation import activation_asked, activation_counted, activation_told
from qsdask.study.rows import usable_softness

__all__ = ["MARKS", "Counted"]

#: Where the handles of the histogram may stand.
MARKS = np.arange(201) / 200.0

_CURVES = ("n_plastic", "n_newly", "n_activated", "plastic_fraction", "qs_mean_newly", "qs_mean_at_risk", "auc")


class Counted:
    """Counts of one glass, exact for the domains that were read.

    Parameters
    ----------
    glass : Glass
    """

    def __init__(self, glass: Glass) -> None:
        self._glass = glass
        self._softness: xr.Dataset | None = None
        self._activation: xr.Dataset | None = None
        self._above, self._below = (np.zeros(len(MARKS), np.int64) for _ in range(2))
        self._done = {"softness": 0, "activation": 0}
        self._why = {"softness": "", "activation": ""}
        self._finished = False

    def count(self, going: Event, stop: Event) -> None:
        """Read all domains.

        Parameters
        ----------
        going : Event
            Set while nobody waits for a picture: counting lets these go first.
        stop : Event
            Set when the page is closed.
        """
        for name, steps in (("softness", self._count_softness), ("activation", self._count_activation)):
            try:
                for done in steps():
                    self._done[name] = done
                    going.wait()
                    if stop.is_set():
                        return
            except QSDaskError as error:
                self._why[name] = error.message
        self._finished = True

    def told(self) -> dict[str, Any]:
        """What is known by now, as the page takes it: arrays, numbers, texts."""
        of = self._glass.root.n_domain
        parts = {name: {"done": done, "of": of, "why": self._why[name]} for name, done in self._done.items()}
        total, activation = self._softness, self._activation
        if total is not None:
            found = distribution.finalise(total)
            parts["softness"] |= {
                "count": found["qs_count"].values,
                "mean": float(found["qs_mean"]),
                "std": float(found["qs_std"]),
                "usable": int(found["n_usable"]),
                "unusable": int(found["n_unusable"]),
                "above": self._above,
                "below": self._below,
            }
        if activation is not None:
            curve = activation_told(self._glass.path, activation, n_bin=len(MARKS) - 1)
            parts["activation"] |= {name: curve[name].values for name in _CURVES}
            parts["activation"] |= {
                "activated_fraction": curve["n_activated"].values / max(int(curve["n_usable"]), 1),
                "qs_mean_all": float(curve["qs_mean_all"]),
                "usable_by_qs": curve["qs_count_all"].values,
                "plastic_by_qs": curve["qs_count_plastic"].values,
            }
        return {"finished": self._finished, **parts}

    def _count_softness(self) -> Iterator[int]:
        glass = self._glass
        if glass.group is None:
            self._why["softness"] = "this glass has no softness: qsdask predict gives it"
            return
        label = glass.label()
        for domain in range(glass.root.n_domain):
            qs = usable_softness(glass.root, domain, glass.group, label)
            part = distribution.partial(qs)
            ranked = np.sort(qs[np.isfinite(qs)])
            self._above += len(ranked) - np.searchsorted(ranked, MARKS, side="right")
            self._below += np.searchsorted(ranked, MARKS, side="left")
            self._softness = part if self._softness is None else distribution.combine(self._softness, part)
            yield domain + 1

    def _count_activation(self) -> Iterator[int]:
        glass = self._glass
        if glass.group is None or not glass.moved:
            self._why["activation"] = "activation needs softness and D²min: qsdask predict, qsdask respond"
            return
        _, fixed = activation_asked(glass.path, str(glass.model))
        for domain in range(glass.root.n_domain):
            part = activation_counted(glass.root, domain, **fixed)
            self._activation = part if self._activation is None else by_strain.combine(self._activation, part)
            yield domain + 1
