"""The page of made glasses: what was checked, what is remarkable, and the curves behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from qsdask.reporting import template
from qsdask.reporting.captions import Caption
from qsdask.reporting.figures import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, styled
from qsdask.reporting.page import write_page
from qsdask.reporting.picture import encode

__all__ = ["write_glass_page"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY)
_LINES = ("-", "--", ":", "-.")

#: Columns of the tables: key of the row, title.
_MADE = (
    ("composition", "Alloy"), ("rate_kelvin_per_second", "Quench (K/s)"), ("atoms", "Atoms"),
    ("density_g_per_cm3", "Density (g/cm³)"), ("packing", "Packing"), ("energy_ev_per_atom", "Energy (eV/atom)"),
    ("energy_against_faster_ev_per_atom", "Against faster quench"), ("glass_transition_kelvin", "Transition (K)"),
)  # fmt: skip
_STRUCTURE = (
    ("g_first_angstrom", "First peak (Å)"), ("g_first_peak", "Its height"), ("g_minimum_angstrom", "End of first shell (Å)"),
    ("g_second_peaks", "Maxima of second shell"), ("g_far_peak", "Highest beyond"), ("crystalline", "Crystalline look"),
)  # fmt: skip
_LOADED = (
    ("strain_rate_per_second", "Strain rate (1/s)"), ("modulus_gpa", "Modulus (GPa)"), ("modulus_fit_strain", "Fitted up to"),
    ("yield_stress_gpa", "Highest stress (GPa)"), ("yield_strain", "at strain"), ("offset_stress_gpa", "0.2 % yield (GPa)"),
    ("offset_strain", "at strain"), ("flow_stress_gpa", "Flow (GPa)"),
)  # fmt: skip
_KEPT = (
    ("plastic_fraction", "Plastic at 4 %"), ("plastic_counted", "Atoms counted"), ("lateral_stress_gpa", "Lateral stress (GPa)"),
    ("temperature_kelvin", "Temperature (K)"), ("energy_gain_ev_per_atom", "Energy gained by 1 % (eV/atom)"),
)  # fmt: skip


def write_glass_page(
    path: str | os.PathLike,
    *,
    rows: Sequence[Mapping[str, object]],
    specimens: Sequence[Mapping[str, object]],
    expected: Sequence[tuple[str, str, float, float, str]],
    known: Sequence[str],
) -> Path:
    """Write the page of an ensemble of glasses as a single HTML file.

    Parameters
    ----------
    path : path-like
        File to write.
    rows : sequence of mappings
        One for each deformation, see `qsdask.stages.glass_checks.check_glasses`.
    specimens : sequence of mappings
        ``name``, ``rows``; ``g``, a Dataset of g(r); ``quench``, a mapping of ``temperature_kelvin`` and
        ``energy_ev_per_atom`` (arrays); ``loading``, a mapping from deformation to (strain, stress in GPa).
    expected : sequence of tuples
        Name of a value, its title, both ends of its range, where the range comes from.
    known : sequence of str
        Measured values to stand beside.

    Returns
    -------
    Path
        The file written; the same input gives the same bytes.
    """
    remarkable = [f"{_name(row)}: {text}" for row in rows for text in row["remarks"]]
    first = {row["specimen"]: row for row in reversed(rows)}
    glasses = [first[name] for name in dict.fromkeys(row["specimen"] for row in rows)]
    alloys = len({row["composition"] for row in rows})
    parts = [
        template.tiles(
            [
                ("Glasses", len(glasses), f"of {alloys} composition{'s' * (alloys > 1)}"),
                ("Deformations", len(rows), ""),
                ("Remarks", len(remarkable), "values outside of what is expected"),
            ]
        ),
        template.bullets("Remarks", remarkable),
        template.section("The glasses", _table(_MADE, glasses, [row["specimen"] for row in glasses])),
        template.section("Quench", _gallery(_quench(specimens), _energies(glasses))),
        template.section(
            "Structure",
            _gallery(_g_total(specimens), _g_partial(specimens)),
            _table(_STRUCTURE, glasses, [row["specimen"] for row in glasses]),
        ),
        template.section(
            "Loading",
            _gallery(_stress(specimens)),
            _table(_LOADED, rows, [_name(row) for row in rows]),
            _table(_KEPT, rows, [_name(row) for row in rows]),
        ),
        template.section(
            "What is expected",
            template.table(
                ["Value", "From", "To", "Where the range comes from"],
                [(title, low, high, why) for _, title, low, high, why in expected],
            ),
            lead="; ".join(known),
        ),
    ]
    lead = "Physics checks of the glasses in this folder: structure, quench and loading."
    page = template.document(
        "Made glasses", lead, parts, "Made by qsdask. Numbers also in checks.csv and checks.json."
    )
    return write_page(path, page)


def _name(row: Mapping) -> str:
    return f"{row['specimen']} {row['loading']}" + (f" run {row['run']}" if row["run"] > 1 else "")


def _table(columns, rows, names) -> str:
    cells = [
        [name, *(_shown(key, row[key]) for key, _ in columns)] for name, row in zip(names, rows, strict=True)
    ]
    return template.table(["", *(title for _, title in columns)], cells)


def _shown(key: str, value: object) -> object:
    if key.endswith("_per_second") and value is not None:
        return f"{value:.3g}"
    if key == "plastic_fraction" and value is not None:
        return f"{100.0 * value:.2f} %"
    return value


def _gallery(*pictures: str) -> str:
    return f'<div class="pictures">{"".join(pictures)}</div>'


def _picture(name: str, figure: Figure, title: str, text: str) -> str:
    return template.figure(encode(figure, name), Caption(title, text, title))


def _styles(specimens) -> dict[str, dict]:
    """Colour by composition, line by quench rate; replicas look alike and are named once."""
    alloys = list(dict.fromkeys(s["rows"][0]["composition"] for s in specimens))
    rates = sorted({s["rows"][0]["rate_kelvin_per_second"] for s in specimens})
    styles, seen = {}, set()
    for s in specimens:
        alloy, rate = s["rows"][0]["composition"], s["rows"][0]["rate_kelvin_per_second"]
        label = f"{alloy}, {rate:.3g} K/s"
        styles[s["name"]] = {
            "color": _COLOURS[alloys.index(alloy) % len(_COLOURS)],
            "linestyle": _LINES[rates.index(rate) % len(_LINES)],
            "label": None if label in seen else label,
            "linewidth": 1.1,
        }
        seen.add(label)
    return styles


def _panel(across: str, up: str):
    figure = Figure(figsize=(5.2, 3.7), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


@styled
def _g_total(specimens) -> str:
    figure, axes = _panel("Distance r (Å)", "g(r) (no unit)")
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    for s in specimens:
        axes.plot(s["g"]["r"].values, s["g"]["total"].values, **_styles(specimens)[s["name"]])
    axes.set_xlim(1.5, None)
    axes.legend()
    return _picture(
        "g-total", figure, "Radial distribution of all atoms",
        "Undeformed glass. A glass has a split second peak and fades to 1; a crystal keeps sharp peaks.",
    )  # fmt: skip


@styled
def _g_partial(specimens) -> str:
    figure, axes = _panel("Distance r (Å)", "partial g(r) (no unit)")
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    g = specimens[0]["g"]
    for k, pair in enumerate(g["pair"].values.tolist()):
        axes.plot(
            g["r"].values,
            g["partial"].values[k],
            color=_COLOURS[k % len(_COLOURS)],
            label=pair,
            linewidth=1.1,
        )
    axes.set_xlim(1.5, None)
    axes.legend()
    return _picture(
        "g-partial", figure, "Radial distribution by species", f"Undeformed glass {specimens[0]['name']}."
    )


@styled
def _stress(specimens) -> str:
    figure, axes = _panel("Strain (fraction)", "Stress along the load (GPa)")
    for s in specimens:
        look = dict(_styles(specimens)[s["name"]])
        for strain, stress in s["loading"].values():
            axes.plot(strain, stress, **look)
            look["label"] = None
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.legend()
    return _picture(
        "stress-strain", figure, "Stress and strain",
        "Positive with the load, in compression and in tension. Runs and replicas look alike.",
    )  # fmt: skip


@styled
def _quench(specimens) -> str:
    figure, axes = _panel("Temperature (K)", "Potential energy (eV/atom)")
    for s in specimens:
        axes.plot(
            s["quench"]["temperature_kelvin"],
            s["quench"]["energy_ev_per_atom"],
            **_styles(specimens)[s["name"]],
        )
    axes.legend()
    return _picture(
        "quench", figure, "Energy during melt, quench and relaxation",
        "A liquid that becomes a glass bends; one that crystallises falls in a step.",
    )  # fmt: skip


@styled
def _energies(glasses) -> str:
    figure, axes = _panel("Quench rate (K/s)", "Energy of the glass (eV/atom)")
    for k, alloy in enumerate(dict.fromkeys(row["composition"] for row in glasses)):
        mine = [row for row in glasses if row["composition"] == alloy]
        rate = np.array([row["rate_kelvin_per_second"] for row in mine])
        energy = np.array([row["energy_ev_per_atom"] for row in mine])
        colour = _COLOURS[k % len(_COLOURS)]
        axes.plot(rate, energy, "o", color=colour, label=alloy)
        each = np.unique(rate)
        axes.plot(each, [energy[rate == r].mean() for r in each], color=colour, linewidth=1.0)
    axes.set_xscale("log")
    axes.legend()
    return _picture(
        "energy-rate", figure, "Energy after the quench",
        "Each point a glass, the line their means. Slower quenches should lie lower; small glasses scatter.",
    )  # fmt: skip
