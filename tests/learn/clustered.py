"""Made-up glasses whose plastic atoms cluster as those of Cu-Zr do: thresholds of Gaussian fields on a grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

#: Share of plastic atoms; correlation of what a model knows with what happens.
PLASTIC, SKILL = 0.05, 0.6

#: Width of the fields in sites, and share of each that belongs to a site alone. Labels of next sites then have a correlation
#: of 0.26, 0.09 and 0.02 at distances of 1, 2 and 3: in glass cu65_b it is 0.27, 0.12 and 0.05 at 1, 1.7 and 2.4 spacings.
WIDTH, ALONE = 1.0, 0.25


class Clustered(NamedTuple):
    """Labels and the softness of two models of equal skill, of a cube of sites; arrays of shape (n_site,)."""

    y: np.ndarray
    first: np.ndarray
    second: np.ndarray
    block: np.ndarray


def field(rng: np.random.Generator, side: int, n: int) -> np.ndarray:
    """Smooth periodic fields of mean 0 and variance 1, shape (n, side^3)."""
    wave = (
        np.fft.rfftfreq(side) ** 2 + (np.fft.fftfreq(side) ** 2)[:, None] + (np.fft.fftfreq(side) ** 2)[:, None, None]
    )
    smooth = np.exp(-2.0 * (np.pi * WIDTH) ** 2 * wave)
    noise = rng.standard_normal((n, side, side, side))
    made = np.fft.irfftn(np.fft.rfftn(noise, axes=(1, 2, 3)) * smooth, s=(side,) * 3, axes=(1, 2, 3)).reshape(n, -1)
    # Variance of white noise after the filter: 1 / (8 pi^1.5 width^3) of sites.
    return made * np.sqrt(8.0 * np.pi**1.5 * WIDTH**3)


def clustered(seed: int, side: int, along: int, *, skills: tuple[float, float] = (SKILL, SKILL)) -> Clustered:
    """A glass of side^3 sites, cut into along^3 blocks."""
    rng = np.random.default_rng(seed)
    smooth, own = field(rng, side, 3), rng.standard_normal((3, side**3))
    truth = np.sqrt(1 - ALONE) * smooth[0] + np.sqrt(ALONE) * own[0]
    models = [
        ndtr(
            skill * np.sqrt(1 - ALONE) * smooth[0]
            + np.sqrt(1 - skill**2 * (1 - ALONE)) * (smooth[k] + own[k]) / np.sqrt(2)
        )
        for k, skill in enumerate(skills, start=1)
    ]
    place = np.arange(side) * along // side
    block = ((place[:, None, None] * along + place[:, None]) * along + place).ravel()
    return Clustered(truth > ndtri(1 - PLASTIC), *models, block)
