"""Numbers that hold in more than one place: defaults of the paper, and what a model may be."""

from __future__ import annotations

__all__ = ["DEEPEST_TREE", "HARD_BELOW", "LABEL_STRAIN", "PLASTIC_ABOVE", "SOFT_ABOVE"]

#: An atom is plastic above this D2min. Unit: angstrom^2.
PLASTIC_ABOVE = 5.0

#: Strain at which atoms are labelled, a fraction.
LABEL_STRAIN = 0.04

#: Quench-in softness below which atoms are hard, and above which they are soft.
HARD_BELOW, SOFT_ABOVE = 0.1, 0.7

#: Splits between the root of a tree and any of its leaves: what can be trained, and what is accepted from a model folder.
DEEPEST_TREE = 16
