"""Connected groups in a periodic cell, with the lattice vectors that make each of them whole, and how it winds around the cell.

Disjoint sets by links to the earliest member. Each link carries the lattice vector between the two, so that a bond which closes
a loop tells whether that loop leads to an image of where it began: then the group goes through the cell without end.

References
----------
R. E. Tarjan, J. van Leeuwen, J. ACM 31, 245 (1984), doi:10.1145/62.2160 (disjoint sets);
J. Machta et al., Phys. Rev. E 54, 1332 (1996), doi:10.1103/PhysRevE.54.1332 (displacements to the root, and winding).
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import inline, kernel

__all__ = ["connected"]


def connected(n, first, second, shift):
    """Connected groups of nodes.

    Parameters
    ----------
    n : int
        Number of nodes.
    first, second : int array, shape (n_bond,)
        Nodes that are bonded.
    shift : int array, shape (n_bond, 3)
        Lattice vectors added to the second when it is seen from the first.

    Returns
    -------
    group : int64 array, shape (n,)
        Number of the group of every node, in the order of their earliest members.
    offset : int32 array, shape (n, 3)
        Lattice vectors added to every node, so that its group lies in one piece around its earliest member.
    winding : bool array, shape (n_group, 3)
        Whether a group is bonded to an image of itself that is shifted along each cell vector.

    Raises
    ------
    ValueError
        If a node is out of range.
    """
    first, second = (np.ascontiguousarray(x, dtype=np.int64) for x in (first, second))
    for ends in (first, second):
        if len(ends) and not 0 <= ends.min() <= ends.max() < n:
            raise ValueError(f"bonds must name nodes 0 ... {n - 1}, got {ends.min()} ... {ends.max()}")
    shift = np.ascontiguousarray(shift, dtype=np.int32).reshape(-1, 3)
    parent, offset = np.arange(n, dtype=np.int64), np.zeros((n, 3), dtype=np.int32)
    winding = np.zeros((n, 3), dtype=np.bool_)
    fill_groups(parent, offset, winding, first, second, shift)
    roots, group = np.unique(parent, return_inverse=True)
    return group, offset, winding[roots]


@inline
def settle(parent, offset, i):
    """Link `i` and all on its way straight to their root, which is returned."""
    root = i
    x = y = z = 0
    while parent[root] != root:
        x += offset[root, 0]
        y += offset[root, 1]
        z += offset[root, 2]
        root = parent[root]
    while parent[i] != root and i != root:
        above = parent[i]
        dx, dy, dz = offset[i, 0], offset[i, 1], offset[i, 2]
        parent[i] = root
        offset[i, 0], offset[i, 1], offset[i, 2] = x, y, z
        x, y, z = x - dx, y - dy, z - dz
        i = above
    return root


@kernel
def fill_groups(parent, offset, winding, first, second, shift):
    """Join the ends of every bond, then link every node straight to its root."""
    for m in range(first.shape[0]):
        a, b = first[m], second[m]
        one, other = settle(parent, offset, a), settle(parent, offset, b)
        for axis in range(3):
            # From the frame of the first root to that of the second.
            apart = offset[a, axis] + shift[m, axis] - offset[b, axis]
            if one == other:
                winding[one, axis] |= apart != 0
            elif one < other:
                offset[other, axis] = apart
                winding[one, axis] |= winding[other, axis]
            else:
                offset[one, axis] = -apart
                winding[other, axis] |= winding[one, axis]
        if one < other:
            parent[other] = one
        elif other < one:
            parent[one] = other
    for i in range(parent.shape[0]):
        settle(parent, offset, i)
