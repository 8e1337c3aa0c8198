"""Units of length: those of LAMMPS' unit styles, what a store keeps, and how lengths are told.

A store keeps lengths in angstrom, or, where the file is in ``lj`` units, in sigma, for which no number of angstrom is known:
then nothing is converted, and nothing that is a length has a default. All other styles have lengths of the SI, which are
converted where they are read, by one multiplication: radii, cut-offs and thresholds then mean what they mean in papers.
"""

from __future__ import annotations

import re

__all__ = [
    "ANGSTROM",
    "LENGTH_UNITS",
    "SIGMA",
    "conversion_of",
    "length_in",
    "renamed",
    "scale_of",
    "stored_length",
    "symbol",
    "told_in",
]

#: The two units in which a store may keep lengths, as its attributes ``units`` name them.
ANGSTROM, SIGMA = "angstrom", "sigma"

#: Unit styles of LAMMPS, and the unit of length in each.
LENGTH_UNITS = {
    "lj": SIGMA,
    "real": ANGSTROM,
    "metal": ANGSTROM,
    "si": "metre",
    "cgs": "centimetre",
    "electron": "Bohr",
    "micro": "micrometre",
    "nano": "nanometre",
}

#: Angstrom in one unit of length; the Bohr radius is that of CODATA 2018, doi:10.1103/RevModPhys.93.025010.
_IN_ANGSTROM = {"metre": 1e10, "centimetre": 1e8, "Bohr": 0.529177210903, "micrometre": 1e4, "nanometre": 10.0}


def length_in(style: str | None) -> str:
    """Unit of length of a unit style; that of a file that names none is the angstrom."""
    return LENGTH_UNITS[style] if style else ANGSTROM


def stored_length(style: str | None) -> str:
    """Unit in which a store keeps the lengths of a file of this style."""
    return SIGMA if length_in(style) == SIGMA else ANGSTROM


def scale_of(style: str | None) -> float:
    """Stored lengths in one length of the file."""
    return _IN_ANGSTROM.get(length_in(style), 1.0)


def symbol(length: str) -> str:
    """What stands behind a number in pictures and on pages."""
    return {ANGSTROM: "Å", SIGMA: "σ"}[length]


def told_in(text: str, length: str) -> str:
    """A unit or a phrase that speaks of angstrom, for a store of lengths in another unit: ``sigma^2`` for ``angstrom^2``."""
    return text.replace(ANGSTROM, length)


def renamed(name: str, length: str) -> str:
    """Name of a setting or attribute that ends in its unit: ``cutoff_sigma`` for ``cutoff_angstrom``."""
    return re.sub(rf"_{ANGSTROM}(2?)$", rf"_{length}\1", name)


def conversion_of(units: str | None) -> dict:
    """Unit style of files, and the factor that made their lengths those of a store, for its record; nothing for angstrom."""
    if length_in(units) == ANGSTROM:
        return {}
    return {"units": {"style": units, "stored": stored_length(units), "factor": scale_of(units)}}
