"""Glasses of an ensemble by composition and thermal history: means over replicas with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis.counts import described
from qsdask.analysis.replicas import mean_and_error
from qsdask.study.conditions import conditions_of

__all__ = ["by_condition"]

#: What is averaged over replicas.
_VALUES = ("qs_mean", "qs_std", "fraction_hard", "fraction_soft")


def by_condition(
    found: xr.Dataset, paths: Sequence[Path], table: str | Path | None = None
) -> tuple[xr.Dataset, list[str]]:
    """Means of the glasses of a condition, each glass once.

    Parameters
    ----------
    found : Dataset
        Of every ``glass``, in the order of `paths`; see `qsdask.compare`.
    paths : sequence of Path
        Stores.
    table : str or Path, optional
        See `qsdask.study.conditions.conditions_of`.

    Returns
    -------
    means : Dataset
        Over ``condition``: for each of ``qs_mean``, ``qs_std``, ``fraction_hard``, ``fraction_soft`` and ``qs_density (bin)`` of a glass
        ``condition_<name>``, its mean over replicas, and ``condition_<name>_error``, its standard error, NaN of a single glass;
        ``condition_glasses``, how many they are; ``composition``, ``quench_rate``.
    notes : list of str
        What is not known of the glasses.
    """
    groups, notes = conditions_of(paths, table)
    place = {path: k for k, path in enumerate(paths)}
    members = [[place[path] for path in dict.fromkeys(mine)] for mine in groups.values()]
    variables: dict[str, xr.Variable] = {}
    for name in _VALUES:
        told = [mean_and_error(found[name].values[mine].tolist()) for mine in members]
        for end, text in (("mean", "mean over replicas"), ("error", "standard error of the mean over replicas")):
            key = f"condition_{name}" + "_error" * (end == "error")
            value = np.array([one[end] for one in told])
            variables[key] = described(value, "condition", f"{found[name].attrs['long_name']}: {text}")
    density = [found["qs_density"].values[mine] for mine in members]
    error = [
        of.std(axis=0, ddof=1) / np.sqrt(len(of)) if len(of) > 1 else np.full(of.shape[1], np.nan) for of in density
    ]
    text = found["qs_density"].attrs["long_name"]
    over = ("condition", "bin")
    variables["condition_qs_density"] = described(
        np.array([of.mean(axis=0) for of in density]), over, f"{text}: mean over replicas"
    )
    variables["condition_qs_density_error"] = described(
        np.array(error), over, f"{text}: standard error of the mean over replicas"
    )
    variables["condition_glasses"] = described(np.array([len(mine) for mine in members]), "condition", "glasses")
    rates = [np.nan if condition.rate is None else condition.rate for condition in groups]
    coords = {
        "condition": described(
            np.array([condition.name for condition in groups]), "condition", "composition and quench rate"
        ),
        "composition": described(np.array([condition.composition for condition in groups]), "condition", "composition"),
        "quench_rate": described(np.array(rates), "condition", "quench rate", "kelvin/second"),
    }
    return xr.Dataset(variables, coords), notes
