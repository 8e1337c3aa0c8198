"""Packing: how much of a cluster, a first shell and a Voronoi cell the atoms fill.

Centre O with radius R, kept neighbours A_k:

* cluster packing efficiency [1]_: (whole sphere of O + cones of the neighbours in the hull's
  tetrahedra) / volume of the hull. The tetrahedra O + triangle fill the hull and the solid angles at O
  sum to 4 pi, so this is one minus the unclipped volume interstice of `qsdask.kernels.interstice`,
  averaged over the tetrahedra with their volumes as weights;
* atomic packing efficiency [2]_: R over the mean radius of the neighbours, less R*, the ratio of radii
  at which so many equal spheres just close round the centre;
* filled share of the cell: (4/3) pi R**3 over the volume of the Voronoi cell.

References
----------
.. [1] L. Yang et al., "Atomic-scale mechanisms of the glass-forming ability in metallic glasses", Phys.
   Rev. Lett. 109, 105502 (2012), doi:10.1103/PhysRevLett.109.105502.
.. [2] K. J. Laws, D. B. Miracle, M. Ferry, "A predictive structural model for bulk metallic glasses",
   Nat. Commun. 6, 8123 (2015), doi:10.1038/ncomms9123.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.interstice import checked, fill_interstices, open_bench
from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import U

__all__ = ["packing"]

#: R* of the coordination numbers 3 ... 24.
FEWEST, MOST = 3, 24
IDEAL_RATIO = np.array(
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
    ]
)


def packing(position, radius, n_owned, neighbour, count, cell_volume):
    """Cluster packing efficiency, atomic packing efficiency and filled share of the Voronoi cell.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts. Unit: angstrom.
    radius : float64 array, shape (n_local,)
        Atomic radii. Unit: angstrom.
    n_owned : int
        Number of owned atoms.
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of the kept Voronoi neighbours, filled from the left.
    count : int32 array, shape (n_owned,)
        Number of neighbours.
    cell_volume : float64 array, shape (n_owned,)
        Volume of the full Voronoi cell, NaN where there is none. Unit: cubic angstrom.

    Returns
    -------
    float64 array, shape (n_owned, 3)
        The first is NaN with fewer than four neighbours, a flat hull, or a centre outside its hull; the
        second with fewer than 3 or more than 24 neighbours; the third without a closed cell. Dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    doi:10.1103/PhysRevLett.109.105502, doi:10.1038/ncomms9123
    """
    position, radius, neighbour, count = checked(position, radius, n_owned, neighbour, count)
    if len(cell_volume) != n_owned:
        raise ValueError(f"cell_volume must have {n_owned} rows, got {len(cell_volume)}")
    value = np.empty((n_owned, 3))
    fill_packing(position, radius, neighbour, count, value)
    value[:, 2] = 4 / 3 * np.pi * radius[:n_owned] ** 3 / cell_volume
    return value


@kernel
def fill_packing(position, radius, neighbour, count, value):
    """The two efficiencies of every owned atom into the first two columns."""
    bench = open_bench(neighbour)
    bonds, _, planes, _, interstices = bench
    sphere, offset, volume = bonds[4], planes[3], interstices[2]
    for i in range(U(value.shape[0])):
        n = U(count[i])
        m, _ = fill_interstices(position, radius, neighbour, n, False, False, i, bench)
        # The offset of a triangle is six times the volume of its tetrahedron.
        filled, whole = 0.0, 0.0
        for t in range(m):
            filled += (1 - volume[t]) * offset[t]
            whole += offset[t]
        value[i, 0] = filled / whole if m > 0 else np.nan
        total = 0.0
        for k in range(n):
            total += sphere[k]
        known = FEWEST <= count[i] <= MOST
        value[i, 1] = radius[i] * count[i] / total - IDEAL_RATIO[count[i] - FEWEST] if known else np.nan
