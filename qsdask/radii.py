"""Atomic radii of Miracle et al., the sizes from which interstices are measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

from qsdask.errors import BadDataError
from qsdask.units import ANGSTROM

__all__ = ["MIRACLE", "radius_of", "species_example"]

_TABLE = """
Li 1.52 Be 1.12 B 0.88 C 0.77 N 0.72 O 0.64 Na 1.80 Mg 1.60 Al 1.41 Si 1.10 P 1.02 S 1.03 K 2.30 Ca 2.01 Sc 1.62
Ti 1.42 V 1.34 Cr 1.30 Mn 1.32 Fe 1.25 Co 1.25 Ni 1.26 Cu 1.26 Zn 1.40 Ga 1.34 Ge 1.14 As 1.15 Se 1.18 Rb 2.44
Sr 2.12 Y 1.79 Zr 1.58 Nb 1.43 Mo 1.39 Tc 1.36 Ru 1.34 Rh 1.32 Pd 1.42 Ag 1.44 Cd 1.57 In 1.55 Sn 1.55 Sb 1.55
Te 1.40 Cs 2.64 Ba 2.23 La 1.87 Ce 1.82 Pr 1.83 Nd 1.82 Pm 1.85 Sm 1.85 Eu 1.96 Gd 1.76 Tb 1.76 Dy 1.75 Ho 1.77
Er 1.75 Tm 1.75 Yb 1.90 Lu 1.75 Hf 1.58 Ta 1.45 W 1.35 Re 1.37 Os 1.35 Ir 1.36 Pt 1.39 Au 1.43 Hg 1.52 Tl 1.72
Pb 1.74 Bi 1.62 Po 1.68 Th 1.78 Pa 1.65 U 1.58 Np 1.75 Pu 1.75
"""

#: Elements of examples.
_EXAMPLES = ("Cu", "Zr", "Al", "Ni", "Ti", "Fe", "Pd", "P")

#: Radius of each element. Unit: angstrom. D. B. Miracle et al., doi:10.1179/095066010X12646898728200.
MIRACLE: Mapping[str, float] = dict(zip(_TABLE.split()[::2], map(float, _TABLE.split()[1::2]), strict=True))


def radius_of(names: Sequence[str], given: Mapping[str, float] | None = None, length: str = ANGSTROM) -> list[float]:
    """Radius of every species, the user's own before the table's.

    Parameters
    ----------
    names : sequence of str
        Chemical symbols or other names.
    given : mapping of str to float, optional
        Radii that replace or complete the table.
    length : str
        Unit of all radii; the table is in angstrom, and of no use in another one.

    Returns
    -------
    list of float
        In that unit.

    Raises
    ------
    BadDataError
        ``E-RADIUS`` when a species has no radius, or one that is not positive.
    """
    table = {**(MIRACLE if length == ANGSTROM else {}), **(given or {})}
    unknown = [name for name in names if name not in table]
    if unknown:
        raise BadDataError(
            f"no atomic radius for {', '.join(unknown)}",
            code="E-RADIUS",
            why=f"the table of Miracle et al. holds {len(MIRACLE)} elements, from Li to Pu, and no other names{_alike(unknown)}"
            if length == ANGSTROM
            else f"lengths are in {length}, those of the table of Miracle et al. in angstrom",
            hint=_to_give(unknown, length),
        )
    radii = [float(table[name]) for name in names]
    for name, radius in zip(names, radii, strict=True):
        if not 0.0 < radius < 10.0:
            raise BadDataError(f"radius of {name} is {radius}, expected a positive length in {length}", code="E-RADIUS")
    return radii


def species_example(names: Iterable[object]) -> str:
    """What to type for unknown elements of types or labels, as ``1=Cu,2=Zr``: each another one, so that it is seen to be an example."""
    return ",".join(f"{name}={element}" for name, element in zip(names, cycle(_EXAMPLES), strict=False))


def _alike(unknown: Sequence[str]) -> str:
    """Elements that names begin with, such as Cu of ``Cu1``, or are in another case."""
    near = {name: _symbol(name) for name in unknown}
    told = ", ".join(f"{name} looks like {symbol}" for name, symbol in near.items() if symbol)
    return f"; {told}" if told else ""


def _symbol(name: str) -> str | None:
    """Longest symbol of the table that a name begins with, in any case."""
    letters = re.match(r"[A-Za-z]*", name)
    word = letters[0].capitalize() if letters else ""
    return next((part for part in (word, word[:2], word[:1]) if part in MIRACLE), None) if len(word) < 3 else None


def _to_give(unknown: Sequence[str], length: str) -> str:
    """What to type for species without a radius."""
    if length != ANGSTROM:
        return f"give the radii in {length}, for example --radius {','.join(f'{name}=0.5' for name in unknown)}"
    return (
        f"give one, for example --radius {','.join(f'{name}=1.40' for name in unknown)}; or, where it is a label, the element "
        f"that it stands for: --species {species_example(unknown)}"
    )
