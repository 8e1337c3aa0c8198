"""Where a job writes: below its own folder, and nowhere else.

A recipe comes from anybody; what it reads may lie anywhere, what it writes may not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from qsdask.errors import UsageError
from qsdask.files.location import absolute, located
from qsdask.files.taken import refuse_bucket, refuse_in_store
from qsdask.names import checked_name, name_of_model
from qsdask.settings import Recipe

__all__ = ["Places", "below", "home_of", "places_of"]


@dataclass(frozen=True)
class Places:
    """Files and folders that a job writes.

    Attributes
    ----------
    home : Path
        Folder of the job.
    answers : Path
        What it remembers.
    model : Path
        Model folder; of a recipe that uses one that exists, that one, which is not written.
    learned : bool
        Whether the recipe makes it.
    stores : dict of str to Path
        By specimen; the stores of other runs of a glass by ``NAME-run2`` and so on.
    reports : dict of str to Path
        By held-out specimen.
    """

    home: Path
    answers: Path
    model: Path
    learned: bool
    stores: dict[str, Path]
    reports: dict[str, Path]

    def told(self) -> list[tuple[str, Path]]:
        """What each is, and where."""
        return [
            ("what the job remembers", self.answers),
            *((f"store of {name}", path) for name, path in self.stores.items()),
            *([("model", self.model)] if self.learned else []),
            *((f"report of {name}", path) for name, path in self.reports.items()),
        ]


def home_of(given: str | Path | None, named: str) -> Path:
    """Folder that everything goes into: what the user gave, or what the recipe names, below the current folder.

    Raises
    ------
    UsageError
        ``E-OUTSIDE``, ``E-NAMING``.
    CannotCreateError
        ``E-IN-STORE``; ``E-BUCKET``: stores may lie in a bucket, by ``storage.stores``, and nothing else.
    """
    refuse_bucket(given or named)
    home = Path(given) if given else below(Path(), named, "folder")
    refuse_in_store(home / "any")
    return home


def below(base: Path, place: str, setting: str) -> Path:
    """A place that a recipe names, if it is below a folder.

    Parameters
    ----------
    base : Path
        The folder.
    place : str
        As the recipe says.
    setting : str
        Name of the setting, for the message.

    Raises
    ------
    UsageError
        ``E-OUTSIDE`` when it is not, also where a link leads out; ``E-NAMING`` for hidden files and what is no name.
    """
    target, inside = base / place, os.path.realpath(base)
    within = os.path.commonpath([inside, os.path.realpath(target)]) == inside
    if ".." in Path(place).parts or not within:
        where = "the current folder" if setting == "folder" else f"the folder {str(base)!r}"
        raise UsageError(
            f"{setting} = {place!r}: a recipe writes below {where} only",
            code="E-OUTSIDE",
            file=target,
            why="a recipe may come from somebody else",
            hint="a name without '..'; --folder on the command line takes any folder",
        )
    for part in Path(os.path.relpath(target, base)).parts if Path(place).is_absolute() else Path(place).parts:
        checked_name(part, f"file of a recipe ({setting})")
    return target


def _store(prefix: str | None, home: Path, name: str) -> Path:
    """Where a store goes: below the folder, or into the bucket that the recipe names."""
    inside = below(home, name, "specimen.name")
    return inside if prefix is None else located(prefix) / name


def places_of(plan: Recipe, home: Path) -> Places:
    """Where a recipe writes.

    Parameters
    ----------
    plan : Recipe
        The recipe.
    home : Path
        Folder of the job.

    Returns
    -------
    Places

    Raises
    ------
    UsageError
        ``E-OUTSIDE``, ``E-NAMING``; ``E-SETTING`` when two of them are one place, or one is inside of another.
    """
    model = Path(plan.use_model) if plan.use_model else below(home, plan.model, "model")
    checked_name(name_of_model(model), "model", key=True)
    out = Path(plan.report.out)
    checked_name(out.name, "report")
    tests = [specimen.name for specimen in plan.specimen if specimen.role == "test"]
    pages = {name: str(out if len(tests) == 1 else out.with_name(f"{name}-{out.name}")) for name in tests}
    names = [name for specimen in plan.specimen for name in (specimen.name, *specimen.run_names)]
    found = Places(
        home,
        home / "job.json",
        model,
        plan.use_model is None,
        {name: _store(plan.storage.stores, home, f"{name}.zarr") for name in names},
        {name: below(home, page, "report.out") for name, page in pages.items()},
    )
    for (one, first), (two, second) in combinations(found.told(), 2):
        a, b = (located(absolute(path)) for path in (first, second))
        if a == b or a in b.parents or b in a.parents:
            raise UsageError(f"{one} and {two} would be written to one place", code="E-SETTING", file=second)
    return found
