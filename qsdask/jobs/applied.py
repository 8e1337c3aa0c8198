"""A model that exists, given to new glasses: what they must be described with, so that it knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qsdask.errors import UsageError
from qsdask.learn import Model, loaded
from qsdask.learn.shipped import folder_of
from qsdask.settings import FeatureSettings, Recipe, RespondSettings, Settings, ShellSettings

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
        "features": features_of(found),
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


def features_of(model: Model) -> FeatureSettings:
    """Settings of the features that a model was learned from, of all its sets together.

    Raises
    ------
    UsageError
        ``E-SETTING`` when two sets have one setting with different values: they are computed one by one then.
    """
    known: dict[str, Any] = {}
    for of_set in model.features.values():
        for name in set(of_set) & set(FeatureSettings.model_fields) - {"set"}:
            if known.setdefault(name, of_set[name]) != of_set[name]:
                raise UsageError(
                    f"the feature sets {', '.join(model.sets)} of the model have different values of {name}",
                    code="E-SETTING",
                    hint="compute them one by one with 'qsdask features', then 'qsdask predict'",
                )
    return FeatureSettings(**known, set=",".join(model.sets))
