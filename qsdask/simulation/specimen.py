"""Which specimens a recipe asks for, and everything that one of them needs."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

from qsdask.errors import BadDataError, UsageError
from qsdask.radii import MIRACLE
from qsdask.settings import AlloySettings, DeformSettings, QuenchSettings, Settings, SimulateRecipe
from qsdask.simulation.potential import check_elements, find_potential, sha256_of

__all__ = ["SpecimenPlan", "seed_of", "specimens"]

#: Atoms times steps between two checkpoints: half a minute to a minute on one core.
_CHECKPOINT = 5_000_000


class SpecimenPlan(Settings):
    """One glass with all its deformations: the file ``plan.json``.

    Attributes
    ----------
    name : str
        Such as ``cu65zr35-2e13-r1``; also the name of its folder.
    composition : dict of str to float
        Fractions of the elements.
    rate_kelvin_per_second : float
        Quench rate.
    replica : int
        Number of the glass among those of one composition and rate, from 1.
    seed : int
        From the recipe's seed and the name.
    atoms : int
        Atoms asked for; the nearest box of whole unit cells is made.
    shape : tuple of float
        Relative lengths of the box along x, y, z.
    alloy, quench, deform
        As in the recipe; ``alloy.potential`` is the absolute path.
    loadings : tuple of str
        Deformations, each from the same glass.
    potential_sha256 : str
        Content of the potential's file.
    threads : int
        OpenMP threads.
    checkpoint_steps : int
        Steps between checkpoints. It belongs to the plan because every part of a run begins by reading a checkpoint,
        whether it was interrupted or not, and reading one changes the rounding of what follows.
    """

    name: str
    composition: dict[str, float]
    rate_kelvin_per_second: float
    replica: int
    seed: int
    atoms: int
    shape: tuple[float, float, float]
    alloy: AlloySettings
    quench: QuenchSettings
    deform: DeformSettings
    loadings: tuple[str, ...]
    potential_sha256: str
    threads: int = 1
    checkpoint_steps: int


def specimens(recipe: SimulateRecipe, beside: str | Path = ".") -> list[SpecimenPlan]:
    """All specimens of a recipe: every composition at every rate, and their replicas.

    Parameters
    ----------
    recipe : SimulateRecipe
        The recipe.
    beside : path
        Folder of the recipe, where the potential is looked for first.

    Returns
    -------
    list of SpecimenPlan
        In the order of the recipe, replicas fastest.

    Raises
    ------
    NoInputError
        ``E-NO-POTENTIAL``.
    BadDataError
        ``E-ELEMENT``, ``E-POTENTIAL``; ``E-RADIUS`` when the lattice constant cannot be estimated.
    UsageError
        ``E-SETTING`` when two specimens would have one name.
    """
    file = find_potential(recipe.alloy.potential, beside, recipe.alloy.elements)
    check_elements(file, recipe.alloy.pair_style, recipe.alloy.elements)
    _check_radii(recipe.alloy)
    digest, ensemble = sha256_of(file), recipe.ensemble
    plans = []
    for table, rate, replica in itertools.product(
        ensemble.composition, ensemble.rate_kelvin_per_second, range(1, ensemble.replicas + 1)
    ):
        composition = {name: table.get(name, 0.0) for name in recipe.alloy.elements}
        name = _name(composition, rate, replica)
        plans.append(
            SpecimenPlan(
                name=name,
                composition=composition,
                rate_kelvin_per_second=rate,
                replica=replica,
                seed=seed_of(ensemble.seed, name),
                atoms=ensemble.atoms,
                shape=ensemble.shape,
                alloy=recipe.alloy.model_copy(update={"potential": str(file)}),
                quench=recipe.quench,
                deform=recipe.deform,
                loadings=tuple(ensemble.loading or [recipe.deform.loading]),
                potential_sha256=digest,
                threads=recipe.threads,
                checkpoint_steps=max(250, _CHECKPOINT // ensemble.atoms),
            )
        )
    names = [plan.name for plan in plans]
    if len(set(names)) != len(names):
        raise UsageError(
            "two specimens would have one name",
            code="E-SETTING",
            hint="name each composition and each rate once; names keep six digits",
        )
    return plans


def seed_of(seed: int, purpose: str) -> int:
    """Seed for one purpose, by a hash, so that seeds do not depend on what else there is.

    Parameters
    ----------
    seed : int
        Seed above it.
    purpose : str
        What the random numbers are for.

    Returns
    -------
    int
        From 1 to 899,999,999: what all of LAMMPS' generators take.
    """
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return 1 + int.from_bytes(digest, "big") % 899_999_999


def _check_radii(alloy: AlloySettings) -> None:
    unknown = [name for name in alloy.elements if name not in MIRACLE]
    if unknown and alloy.lattice_angstrom is None:
        raise BadDataError(
            f"no atomic radius for {', '.join(unknown)}, from which the lattice constant would follow",
            code="E-RADIUS",
            hint="give alloy.lattice_angstrom",
        )


def _name(composition: dict[str, float], rate: float, replica: int) -> str:
    alloy = "".join(f"{name.lower()}{100 * c:.6g}" for name, c in composition.items() if c > 0)
    return f"{alloy}-{rate:.6g}-r{replica}".replace("e+", "e")
