"""Recipes: TOML files that hold all settings of a job."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.settings import Recipe, Settings, validated

__all__ = ["SHIPPED", "load_recipe", "shipped_recipe"]

#: Begins the name of what comes with the package.
SHIPPED = "shipped:"

S = TypeVar("S", bound=Settings)


def load_recipe(path: str | Path, changes: Sequence[str] = (), kind: type[S] = Recipe) -> tuple[S, Path]:
    """Read and check a recipe.

    Parameters
    ----------
    path : str or Path
        TOML file, or ``shipped:NAME`` for one that comes with the package.
    changes : sequence of str
        ``"section.name=value"``, the value as in TOML; plain words need no quotes.
    kind : type of Settings
        `Recipe` for ``qsdask run``, `SimulateRecipe` for ``qsdask simulate``.

    Returns
    -------
    tuple of (Settings, Path)
        The recipe, and the folder that its file names start from.

    Raises
    ------
    NoInputError
        ``E-NO-FILE`` when there is no such file.
    BadDataError
        ``E-RECIPE`` when it is not TOML.
    UsageError
        ``E-SETTING`` when a setting does not fit.
    """
    shipped = str(path).startswith(SHIPPED)
    file = shipped_recipe(str(path).removeprefix(SHIPPED)) if shipped else Path(path)
    text = _table(file)
    if kind is Recipe and isinstance(text.get("simulate"), str):
        text["simulate"] = _glasses(file.parent / text["simulate"])
    for other, section in (("run", "specimen"), ("simulate", "ensemble")):
        if section in text and (kind is Recipe) != (other == "run"):
            raise UsageError(
                f"this is a recipe of 'qsdask {other}'",
                code="E-RECIPE",
                file=file,
                hint=f"qsdask {other} {path}",
            )
    for change in changes:
        _apply(text, change)
    return validated(kind, **text), file.resolve().parent


def shipped_recipe(name: str) -> Path:
    """Recipe that comes with the package, installed or in a checkout."""
    inside = Path(__file__).parents[1] / "pipelines" / f"{name}.toml"
    return inside if inside.is_file() else Path(__file__).parents[2] / "pipelines" / f"{name}.toml"


def _table(file: Path) -> dict:
    if not file.is_file():
        raise NoInputError("no recipe here", code="E-NO-FILE", file=file)
    try:
        return tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDataError(f"the recipe is not TOML: {error}", code="E-RECIPE", file=file) from None


def _glasses(file: Path) -> dict:
    """The recipe of `qsdask simulate` that another one names: its folder and potential stay where they are for it."""
    table = _table(file)
    if isinstance(table.get("folder"), str):
        table["folder"] = str(Path(table["folder"]).absolute())
    potential = table.get("alloy", {}).get("potential")
    if isinstance(potential, str) and (file.parent / potential).is_file():
        table["alloy"]["potential"] = str((file.parent / potential).absolute())
    return table


def _apply(text: dict, change: str) -> None:
    name, equals, value = change.partition("=")
    *sections, key = name.strip().split(".")
    if not equals or not key:
        raise UsageError(
            f"expected section.name=value, got {change!r}", code="E-SETTING", hint="--set train.threshold=4.5"
        )
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value.strip()
    for section in sections:
        text = text.setdefault(section, {})
        if not isinstance(text, dict):
            raise UsageError(f"{name} does not name a setting", code="E-SETTING")
    text[key] = found
