"""Geometry of the decomposition: the box, the domains, their halos, and the block a kernel works on."""
