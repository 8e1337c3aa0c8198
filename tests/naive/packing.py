"""Slow twin of the volume metrics, formula by formula."""

from __future__ import annotations

import numpy as np

from tests.naive.interstice import _solid_angle, closed_hull

#: Ratio of radii of ideal packing, from 3 to 24 neighbours.
RATIO = dict(
    enumerate(
        [
            0.154701,
            0.224745,
            0.361654,
            0.414214,
            0.518145,
            0.616517,
            0.709914,
            0.798907,
            0.884003,
            0.902113,
            0.976006,
            1.04733,
            1.11632,
            1.18318,
            1.2481,
            1.31123,
            1.37271,
            1.43267,
            1.49119,
            1.5484,
            1.60436,
            1.65915,
        ],
        start=3,
    )
)


def volume_columns(bond, centre_radius, radius, cell_volume):
    """Cluster and atomic packing efficiency, and filled share of the cell, of one atom's kept neighbours."""
    filled, whole = 4 / 3 * np.pi * centre_radius**3, 0.0
    for triangle in closed_hull(bond):
        a, b, c = bond[triangle]
        o = np.zeros(3)
        whole += abs(a @ np.cross(b, c)) / 6
        for corner, others, r in (
            (a, (o, b, c), radius[triangle[0]]),
            (b, (o, a, c), radius[triangle[1]]),
            (c, (o, a, b), radius[triangle[2]]),
        ):
            filled += r**3 * _solid_angle(corner, *others) / 3
    cluster = filled / whole if whole else np.nan
    atomic = centre_radius / np.mean(radius) - RATIO[len(bond)] if len(bond) in RATIO else np.nan
    return [cluster, atomic, 4 / 3 * np.pi * centre_radius**3 / cell_volume]
