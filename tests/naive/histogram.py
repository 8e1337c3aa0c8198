"""Slow twin of the histograms: every value into every bin, from the definition."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np


def histogram(values, low, high, n_bin, smearing=0.0):
    """Share of the values in each bin; what lies outside is in the first and the last; NaN for nothing."""
    if len(values) == 0:
        return np.full(n_bin, np.nan)
    inner = [low + (high - low) * b / n_bin for b in range(1, n_bin)]
    edges = [-np.inf, *inner, np.inf]
    share = np.zeros(n_bin)
    for value in values:
        for b in range(n_bin):
            if smearing > 0:
                normal = NormalDist(value, smearing)
                share[b] += normal.cdf(edges[b + 1]) - normal.cdf(edges[b])
            else:
                share[b] += edges[b] <= value < edges[b + 1]
    return share / len(values)
