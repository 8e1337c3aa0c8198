"""Recipes: TOML files that hold all settings of a job."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, overload

from qsdask.errors import NoInputError, UsageError
from qsdask.settings import Recipe, Settings, SimulateRecipe, as_toml, refuse_defaults, validated
from qsdask.settings.toml import read_toml

__all__ = ["SHIPPED", "load_recipe", "settings_text", "shipped_recipe"]

#: Begins the name of what comes with the package.
SHIPPED = "shipped:"

#: Recipes by the command that takes them.
_KINDS: dict[str, type[Settings]] = {"run": Recipe, "simulate": SimulateRecipe}

S = TypeVar("S", bound=Settings)


@overload
def load_recipe(path: str | Path, changes: Sequence[str] = ...) -> tuple[Recipe, Path]: ...
@overload
def load_recipe(path: str | Path, changes: Sequence[str], kind: type[S]) -> tuple[S, Path]: ...
def load_recipe(path: str | Path, changes: Sequence[str] = (), kind: type[Settings] = Recipe) -> tuple[Settings, Path]:
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
        ``E-NO-FILE`` when there is no such file; of what comes with the package, with all that there is.
    BadDataError
        ``E-RECIPE`` when it is not TOML.
    UsageError
        ``E-SETTING`` when a setting does not fit.
    """
    shipped = str(path).startswith(SHIPPED)
    file = shipped_recipe(str(path).removeprefix(SHIPPED)) if shipped else Path(path)
    if shipped and not file.is_file():
        names = sorted(other.stem for other in file.parent.glob("*.toml"))
        raise NoInputError(
            f"no recipe {path} comes with qsdask",
            code="E-NO-FILE",
            hint=f"one of {', '.join(SHIPPED + name for name in names)}",
        )
    text = _table(file)
    if kind is Recipe and isinstance(text.get("simulate"), str):
        text["simulate"] = _glasses(file.parent / text["simulate"])
    for other, section in (("run", "specimen"), ("simulate", "ensemble")):
        if section in text and (kind is Recipe) != (other == "run"):
            raise UsageError(
                f"this is a recipe of 'qsdask {other}'", code="E-RECIPE", file=file, hint=f"qsdask {other} {path}"
            )
    for change in changes:
        _apply(text, change)
    try:
        return validated(kind, **text), file.resolve().parent
    except UsageError as error:
        [command] = [name for name, other in _KINDS.items() if other is kind]
        error.file = str(file)
        if error.code == "E-SETTING":
            error.hint = f"'qsdask {command} --settings' prints all settings"
        raise


def settings_text(command: str) -> str:
    """Every setting of a recipe with type, default and meaning, as commented TOML.

    Parameters
    ----------
    command : {"run", "simulate"}
        Command that takes the recipe.

    Returns
    -------
    str
    """
    return as_toml(_KINDS[command], f"All settings of a recipe of 'qsdask {command}', with their defaults.")


def shipped_recipe(name: str) -> Path:
    """Recipe that comes with the package, installed or in a checkout."""
    inside = Path(__file__).parents[1] / "pipelines"
    return (inside if inside.is_dir() else Path(__file__).parents[2] / "pipelines") / f"{name}.toml"


def _table(file: Path) -> dict:
    if not file.is_file():
        shipped = f"{SHIPPED}{file.name} comes with qsdask" if shipped_recipe(file.name).is_file() else None
        raise NoInputError("no recipe here", code="E-NO-FILE", file=file, hint=shipped)
    return read_toml(file)


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


def refuse_no_defaults(job: Recipe, length: str) -> None:
    """Refuse a recipe that leaves a length to its default, for glasses of another unit, before any stage does.

    Parameters
    ----------
    job : Recipe
        The recipe.
    length : str
        Unit of the lengths of a glass.

    Raises
    ------
    UsageError
        ``E-NO-DEFAULT``.
    """
    for part in (job.shells, job.respond, job.train, job.report):
        refuse_defaults(part, length)
