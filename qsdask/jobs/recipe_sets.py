"""Feature sets of a recipe, refused before anything runs where a later stage would refuse them."""

from __future__ import annotations

from qsdask.errors import UsageError
from qsdask.settings import Recipe
from qsdask.stages.features import quantity_of, set_names
from qsdask.stages.shells import facts_of_shells

__all__ = ["sets_of"]


def sets_of(job: Recipe) -> list[str]:
    """Feature sets that a recipe makes.

    Parameters
    ----------
    job : Recipe
        The recipe.

    Returns
    -------
    list of str
        ``all`` stands for those that can be made on the shells of the recipe.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for an unknown set; ``E-SOFT-FACETS`` for soft facets on shells without their small ones;
        ``E-SETTING`` when the set to learn from is not among those that are made, or there is none to learn from.
    """
    facts = facts_of_shells(job.shells.stored())
    names = set_names(job.features.set, facts)
    for name in names:
        try:
            quantity_of(name, job.features, facts)
        except UsageError as error:
            if error.code == "E-SOFT-FACETS":
                error.hint = "--set shells.facet_fraction=0; with --overwrite where shells are made already"
            raise
    lacking = [name for name in set_names(job.train.set) if name not in names]
    if lacking:
        raise UsageError(
            f"train.set is {job.train.set!r}, and features.set makes {', '.join(names)} only",
            code="E-SETTING",
            hint=f"--set features.set={','.join([*names, *lacking])}, or --set train.set={names[0]}",
        )
    return names
