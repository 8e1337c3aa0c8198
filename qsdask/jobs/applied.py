"""A model that exists, given to new glasses: what they must be described with, so that it knows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qsdask.errors import UsageError
from qsdask.learn import Model, loaded
from qsdask.learn.shipped import folder_of
from qsdask.settings import FeatureSettings, Recipe, RespondSettings, Settings, ShellSettings
from qsdask.stages.features import quantity_of, settings_of_set

__all__ = ["applying", "features_of", "shells_of"]


def applying(job: Recipe, base: Path) -> Recipe:
    """A recipe with the settings of the model that it uses; one that learns its own is given back as it is.

    Parameters
    ----------
    job : Recipe
        The recipe.
    base : Path
        Folder that its file names start from.

    Returns
    -------
    Recipe
        Its ``use_model`` is a folder. Settings that the recipe gives itself stand, and are refused later where the model does
        not know them.

    Raises
    ------
    UsageError
        ``E-SETTING`` when it neither learns nor uses a model.
    QSDaskError
        When there is no such model, or it is damaged.
    """
    if job.use_model is None:
        if not any(specimen.role == "train" for specimen in job.specimen):
            raise UsageError(
                "the recipe has no specimen with role = 'train'",
                code="E-SETTING",
                hint="use_model = 'cuzr' takes a model that exists, instead of learning one",
            )
        return job
    beside = base / job.use_model
    folder = beside if beside.exists() else folder_of(job.use_model)
    found = loaded(str(folder))
    learned = {
        "shells": shells_of(found),
        "features": _together(features_of(found)),
        "respond": RespondSettings(**RespondSettings.among(found.label)),
    }
    known: dict[str, Settings] = {"train": job.train.model_copy(update={"set": ",".join(found.sets)})}
    for name, settings in learned.items():
        own = getattr(job, name).arguments(given_only=True)
        known[name] = type(settings)(**(settings.arguments(given_only=True) | own))
    return job.model_copy(update={"use_model": str(folder), **known})


def shells_of(model: Model) -> ShellSettings:
    """Settings of the shells that a model was learned from."""
    return ShellSettings(**model.definition["shells"])


def features_of(model: Model) -> list[FeatureSettings]:
    """Settings of every feature set that a model was learned from; one may have what another does not."""
    known = FeatureSettings.model_fields
    return [
        FeatureSettings(**{name: value for name, value in of_set.items() if name in known})
        for of_set in model.features.values()
    ]


def _together(sets: Sequence[FeatureSettings]) -> FeatureSettings:
    """One table of settings by which every set comes out as it does by its own.

    Raises
    ------
    UsageError
        ``E-SETTING`` when there is none: two sets have one setting with different values.
    """
    if len(sets) == 1:
        return sets[0]
    known: dict[str, Any] = {}
    for one in sets:
        usual = _known(one.set, FeatureSettings(set=one.set))
        known |= {name: value for name, value in _known(one.set, one).items() if usual.get(name) != value}
    found = FeatureSettings(**known, set=",".join(one.set for one in sets))
    if any(_known(one.set, found) != _known(one.set, one) for one in sets):
        raise UsageError(
            f"the feature sets {found.set} of the model have different values of one of {', '.join(known)}",
            code="E-SETTING",
            hint="compute them one by one with 'qsdask features', then 'qsdask predict'",
        )
    return found


def _known(name: str, chosen: FeatureSettings) -> dict[str, Any]:
    """What a set takes of some settings."""
    return settings_of_set(quantity_of(name, chosen), chosen) | {"set": name}
