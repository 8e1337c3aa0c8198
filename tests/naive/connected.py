"""Slow twin of the connected groups: a flood over nodes in many copies of the cell."""

from __future__ import annotations

from collections import deque


def connected(n, bonds, copies=3):
    """Groups as sorted tuples of nodes, and for each the cell vectors along which it meets an image of itself."""
    near = {i: [] for i in range(n)}
    for a, b, shift in bonds:
        near[a].append((b, tuple(shift)))
        near[b].append((a, tuple(-s for s in shift)))
    seen, groups, winding = set(), [], []
    for start in range(n):
        if start in seen:
            continue
        found, queue = {(start, (0, 0, 0))}, deque([(start, (0, 0, 0))])
        while queue:
            node, place = queue.popleft()
            for other, shift in near[node]:
                there = tuple(p + s for p, s in zip(place, shift, strict=True))
                if max(map(abs, there)) <= copies and (other, there) not in found:
                    found.add((other, there))
                    queue.append((other, there))
        members = {node for node, _ in found}
        seen |= members
        groups.append(tuple(sorted(members)))
        again = [place for node, place in found if node == start]
        winding.append([any(place[axis] for place in again) for axis in range(3)])
    return groups, winding
