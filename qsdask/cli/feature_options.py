"""Which settings a feature set knows, and a word when a given one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from qsdask.errors import UsageError
from qsdask.quantity import feature_sets, surroundings
from qsdask.settings import FeatureSettings
from qsdask.settings.describe import short_name
from qsdask.stages.features import set_names

__all__ = ["refuse_unused", "settings_of"]


def settings_of(name: str) -> list[str]:
    """Settings of `qsdask.settings.FeatureSettings`, by their short names, that change columns or numbers of a set.

    Parameters
    ----------
    name : str
        Name of the set.

    Returns
    -------
    list of str
    """
    kind = feature_sets()[name]
    known = [short_name(FeatureSettings, f.name) for f in fields(kind) if f.name in FeatureSettings.model_fields]
    ways = surroundings(kind())
    # Without stored shells there are no neighbours over which it could be taken again.
    return [s for s in known if (ways or not s.startswith("coarsen")) and (kind.shells or s != "coarsen")]


def refuse_unused(text: str | None, settings: Mapping[str, object]) -> None:
    """Refuse a setting that none of the chosen sets knows: it would be passed over in silence.

    Parameters
    ----------
    text : str or None
        Names of the sets joined by commas, ``"all"``, or None for the default.
    settings : mapping
        By the short names of `qsdask.settings.FeatureSettings`; those that are None are not given.

    Raises
    ------
    UsageError
        ``E-OPTION-UNUSED`` with the sets that know it; ``E-FEATURE-SET`` for an unknown set.
    """
    names = set_names(text or FeatureSettings().set)
    used = {setting for name in names for setting in settings_of(name)}
    for setting, value in settings.items():
        if value is not None and setting not in used:
            option = setting.replace("_", "-")
            those = [name for name in feature_sets() if setting in settings_of(name)]
            raise UsageError(
                f"--{option} changes nothing in {', '.join(names)}",
                code="E-OPTION-UNUSED",
                why=f"it is a setting of {', '.join(those)}",
                hint=f"leave it out, or add --set {those[0]}",
            )
