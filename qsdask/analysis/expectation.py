"""What is to be expected of a made glass, and remarks where it is otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["EXPECTED", "Expected", "remarks", "still_rises"]


@dataclass(frozen=True)
class Expected:
    """Range in which a value is unremarkable.

    Attributes
    ----------
    title : str
        Name of the value, with its unit.
    low, high : float
        Ends of the range.
    why : str
        Where the range comes from.
    below, above : str
        What it means to be outside.
    """

    title: str
    low: float
    high: float
    why: str
    below: str
    above: str


#: By the name of the value. Ranges of plausibility, unless the reason names a source.
EXPECTED = {
    "packing": Expected(
        "Packing fraction",
        0.60,
        0.74,
        "plausibility: random packing of equal spheres 0.64, close-packed crystal 0.74; Miracle's radii",
        "too dilute for a metal: voids, or not relaxed",
        "denser than close-packed spheres: crystal or wrong lattice",
    ),
    "g_first_peak": Expected(
        "Height of the first peak of g(r)",
        1.8,
        8.0,
        "plausibility",
        "no short-range order: a gas",
        "a sharp first shell, as in a crystal",
    ),
    "g_far_peak": Expected(
        "Highest g(r) beyond the second shell",
        1.0,
        1.6,
        "plausibility: the order of a glass fades with distance",
        "no atoms beyond the second shell",
        "sharp peaks beyond the second shell: crystalline",
    ),
    "modulus_gpa": Expected(
        "Young's modulus (GPa)",
        20.0,
        220.0,
        "plausibility: metallic glasses",
        "softer than any metallic glass: not solid, or a wrong potential",
        "stiffer than any metallic glass",
    ),
    "yield_stress_over_modulus": Expected(
        "Highest stress / modulus",
        0.015,
        0.07,
        "plausibility: about 0.02 in experiments (shear strain 0.027 at low temperature, doi:10.1103/PhysRevLett.95.195501), "
        "more at the strain rates of simulations",
        "flows early: badly relaxed",
        "yields late: strain too small to see the peak, crystal, or very fast loading",
    ),
    "energy_gain_ev_per_atom": Expected(
        "Energy gained by 1 % strain (eV/atom)",
        -0.002,
        0.01,
        "derived: the elastic energy of 1 % strain is below 0.001 eV/atom for moduli below 200 GPa",
        "the glass still relaxes under the load: quench slower or relax longer",
        "more than elastic energy",
    ),
    "plastic_fraction": Expected(
        "Plastic atoms at 4 %",
        0.035,
        0.060,
        "Wang & Jain, doi:10.1038/s41467-019-13511-9",
        "fewer than in the paper: a better relaxed or very small glass",
        "more than in the paper: a fast quench yields early",
    ),
    "lateral_stress_gpa": Expected(
        "Mean lateral stress (GPa)",
        -0.1,
        0.1,
        "plausibility: the barostat keeps it at zero",
        "lateral compression: the box has not settled, relax longer or strain slower",
        "lateral tension: the box has not settled, relax longer or strain slower",
    ),
    "temperature_over_set": Expected(
        "Temperature / that of the recipe",
        0.95,
        1.05,
        "plausibility",
        "too cold",
        "the work of the load heats the glass",
    ),
}


def still_rises(row: Mapping[str, float]) -> bool:
    """Whether the highest stress is that of the last strain, so that it is no yield stress.

    Parameters
    ----------
    row : mapping
        Of `stress_strain`.

    Returns
    -------
    bool
    """
    return row["yield_strain"] >= 0.99 * row["last_strain"]


def remarks(row: Mapping[str, Any], expected: Mapping[str, Expected] = EXPECTED) -> list[str]:
    """What is remarkable about a glass, in plain sentences.

    Parameters
    ----------
    row : mapping
        Values by the names of `expected`; absent and unknown ones are passed over.
    expected : mapping of str to Expected
        Ranges.

    Returns
    -------
    list of str
        Empty when all is as expected.
    """
    said = []
    for name, range_ in expected.items():
        value = row.get(name)
        if value is None or np.isnan(value) or range_.low <= value <= range_.high:
            continue
        meaning = range_.below if value < range_.low else range_.above
        said.append(f"{range_.title}: {value:.3g}, expected {range_.low:g} to {range_.high:g} ({meaning})")
    return said
