"""Question ``change``: how the softness of every atom differs between two glasses that have the same atoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis.counts import described
from qsdask.engine.reading import read_box
from qsdask.errors import BadDataError
from qsdask.files.location import located
from qsdask.files.memory import memory_at_hand
from qsdask.store.reader import StoreReader
from qsdask.study.rows import softness_group

__all__ = ["change_of_softness", "same_atoms"]

#: Atoms, about, by which it is seen whether two glasses have the same ones.
SAMPLE = 200_000

#: Bytes of an atom whose change is found, with what sorting takes.
_BYTES = 120


def change_of_softness(first: str | Path, second: str | Path, *, model: str | Path) -> xr.Dataset:
    """Softness of the atoms that two glasses have in common: before and after an atom was taken, swapped, or the glass annealed.

    Parameters
    ----------
    first, second : path
        Stores after `qsdask.predict`.
    model : str or Path
        Model folder, or its name.

    Returns
    -------
    xarray.Dataset
        ``id``, ``qs_first``, ``qs_second`` and ``delta_qs`` over (atom,), by rising id; NaN where one has no softness.

    Raises
    ------
    BadDataError
        ``E-OTHER-ATOMS`` when they are not the same atoms; ``E-MEMORY`` when there are too many.
    QSDaskError
        When the softness is missing or incomplete.
    """
    paths = located(first), located(second)
    groups = [softness_group(path, model) for path in paths]
    if not same_atoms(*paths):
        raise BadDataError(
            f"its atoms are not those of {paths[0]}",
            code="E-OTHER-ATOMS",
            file=paths[1],
            why="fewer than half of the ids are in both, or atoms of the same id lie farther apart than neighbours do",
            hint="what is compared atom by atom must keep its ids and its box",
        )
    roots = [StoreReader(path) for path in paths]
    n_atom = sum(root["atoms/id"].shape[0] for root in roots)
    if n_atom * _BYTES > (there := memory_at_hand()):
        raise BadDataError(
            f"{n_atom:,} atoms need {n_atom * _BYTES / 1e9:.3g} GB to be found in one another, and {there / 1e9:.3g} are free",
            code="E-MEMORY",
            file=paths[1],
            hint="use a computer with more memory",
        )
    one, two = (root["atoms/id"][:] for root in roots)
    common, at_first, at_second = np.intersect1d(one, two, assume_unique=True, return_indices=True)
    before, after = (
        root[f"{group}/qs"][:][at] for root, group, at in zip(roots, groups, (at_first, at_second), strict=True)
    )
    return xr.Dataset(
        {
            "id": described(common, "atom", "atom id given by the trajectory"),
            "qs_first": described(before, "atom", "quench-in softness in the first glass"),
            "qs_second": described(after, "atom", "quench-in softness in the second glass"),
            "delta_qs": described(after - before, "atom", "change of quench-in softness"),
        },
        attrs={"first": str(first), "second": str(second), "model": str(model)},
    )


def same_atoms(first: Path, second: Path) -> bool:
    """Whether undeformed glasses have the same atoms: half of the ids or more, at about the same reduced coordinates.

    Ids alone say nothing: all glasses count from 1.
    """
    roots = [StoreReader(path) for path in (first, second)]
    fewer = min(root["atoms/id"].shape[0] for root in roots)
    # The same ids in both, however the rows lie.
    every = max(1, fewer // SAMPLE)
    (one, here), (two, there) = (_sampled(root, every) for root in roots)
    common, at_first, at_second = np.intersect1d(one, two, assume_unique=True, return_indices=True)
    if 2 * len(common) < min(len(one), len(two)) or not len(common):
        return False
    box = read_box(roots[0], 0)
    apart = there[at_second] - here[at_first]
    apart = np.where(box.periodic, apart - np.rint(apart), apart)
    x, y, z = (sum(apart[:, k] * box.cell[k, axis] for k in range(3)) for axis in range(3))
    neighbour = (box.volume / roots[0]["atoms/id"].shape[0]) ** (1 / 3)
    return bool(np.median(np.sqrt(x**2 + y**2 + z**2)) < neighbour)


def _sampled(root: StoreReader, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids that `every` divides and their reduced coordinates in the undeformed frame."""
    box, ids, places = read_box(root, 0), [], []
    for domain in range(root.n_domain):
        rows = root.rows(domain)
        mine = root["atoms/id"][rows]
        chosen = mine % every == 0
        ids.append(mine[chosen])
        places.append(box.reduced(root["frames/position"][0, rows][chosen]))
    return np.concatenate(ids), np.concatenate(places)
