"""Kernels without a store: Voronoi cells and interstices of a perfect fcc crystal, in a few lines.

python examples/kernel_in_a_notebook.py
"""

import numpy as np

from qsdask.kernels.interstice import voronoi_interstice
from qsdask.kernels.tessellate import keep_facets, voronoi_shell
from qsdask.testing.lattices import fcc, open_block

crystal = fcc(a=4.0, repeat=3)
reach = 6.0
block = open_block(crystal.position, crystal.cell, np.zeros(3), [True, True, True], reach)
cells = keep_facets(voronoi_shell(block.position, block.order, block.n_owned, reach))
print(
    f"neighbours {cells.count.min()} to {cells.count.max()}, cell volume {cells.volume.mean():.6f} (a^3 / 4 = {4.0**3 / 4:.6f})"
)

touching = np.full(len(block.position), 4.0 / np.sqrt(8.0))
value, _ = voronoi_interstice(block.position, touching, block.n_owned, cells.neighbour, cells.count)
print("area interstice mean, std, min, max:", np.round(value[0, 4:8], 6))
print("volume interstice mean, std, min, max:", np.round(value[0, 8:12], 6))
