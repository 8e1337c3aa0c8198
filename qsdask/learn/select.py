"""Usable atoms: the rows that may take part in training and in scores."""

from __future__ import annotations

import numpy as np

from qsdask.errors import UsageError

__all__ = ["usable"]


def usable(
    value: np.ndarray,
    d2_valid: np.ndarray,
    *,
    surface_distance: np.ndarray | None = None,
    margin: float = 0.0,
    species: np.ndarray | None = None,
    host: int | None = None,
    gaps: bool = False,
    others: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[str, int]]:
    """Choose the atoms that features, response and place allow to be used.

    Parameters
    ----------
    value : float array, shape (n, n_feature)
        Features.
    d2_valid : bool array, shape (n,)
        Whether D2min has a value, see `qsdask.learn.plastic`.
    surface_distance : float array, shape (n,), optional
        Distance from the nearest free surface. Unit: angstrom. NaN means unknown and excludes; infinity means that
        there is no surface within reach.
    margin : float
        Atoms nearer than this to a surface are left out. Unit: angstrom.
    species : int array, shape (n,), optional
        Species index.
    host : int, optional
        Use atoms of this species only.
    gaps : bool
        Keep atoms that lack some features; only those that lack all of them are left out.
    others : bool array, shape (n,), optional
        Whether an atom has the other features that it must have, gaps or not.

    Returns
    -------
    mask : bool array, shape (n,)
        True where the atom is usable.
    counts : dict of str to int
        Atoms excluded, by rule, in the order of the rules: ``response``, ``surface``, ``species``,
        ``features``. Every atom counts once, under the first rule that excludes it, so the counts and
        ``mask.sum()`` add up to n, and the counts of the parts of a specimen may be added.

    Raises
    ------
    UsageError
        ``E-MARGIN``: negative margin, or a margin without distances.
        ``E-HOST``: a host without species.
    """
    if not margin >= 0 or (margin > 0 and surface_distance is None):
        raise UsageError(
            f"a margin must be at least 0 and needs distances from the surfaces, got {margin!r}", code="E-MARGIN"
        )
    if host is not None and species is None:
        raise UsageError("training on the host species needs the species of every atom", code="E-HOST")
    features = (np.any if gaps else np.all)(np.isfinite(value), axis=1)
    mask = np.ones(len(value), dtype=bool)
    counts = {}
    rules = {
        "response": np.asarray(d2_valid, dtype=bool),
        "surface": None if surface_distance is None else np.asarray(surface_distance) >= margin,
        "species": None if host is None else np.asarray(species) == host,
        "features": features if others is None else features & others,
    }
    for name, passes in rules.items():
        counts[name] = 0 if passes is None else int(np.count_nonzero(mask & ~passes))
        if passes is not None:
            mask &= passes
    return mask, counts
