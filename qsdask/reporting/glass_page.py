"""The page of made glasses: what was checked, what is remarkable, and the curves behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from qsdask.reporting import template
from qsdask.reporting.captions import Caption
from qsdask.reporting.number import PERCENT_FINE, SHORT, with_error
from qsdask.reporting.page import write_page
from qsdask.reporting.picture import encode
from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, styled

__all__ = ["VERDICTS", "write_glass_page"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY)
_LINES = ("-", "--", ":", "-.")

#: Columns of the tables: key of the row, title.
_MADE = (
    ("composition", "Alloy"),
    ("rate_kelvin_per_second", "Quench (K/s)"),
    ("atoms", "Atoms"),
    ("density_g_per_cm3", "Density (g/cm³)"),
    ("packing", "Packing"),
    ("energy_ev_per_atom", "Energy (eV/atom)"),
    ("energy_against_faster_ev_per_atom", "Against faster quench"),
    ("glass_transition_kelvin", "Transition (K)"),
)
_STRUCTURE = (
    ("g_first_angstrom", "First peak (Å)"),
    ("g_first_peak", "Its height"),
    ("g_minimum_angstrom", "End of first shell (Å)"),
    ("g_second_peaks", "Maxima of second shell"),
    ("g_far_peak", "Highest beyond"),
    ("crystalline", "Crystalline look"),
)
_LOADED = (
    ("strain_rate_per_second", "Strain rate (1/s)"),
    ("modulus_gpa", "Modulus (GPa)"),
    ("modulus_fit_strain", "Fitted up to"),
    ("yield_stress_gpa", "Highest stress (GPa)"),
    ("yield_strain", "at strain"),
    ("offset_stress_gpa", "0.2 % yield (GPa)"),
    ("offset_strain", "at strain"),
    ("flow_stress_gpa", "Flow (GPa)"),
)
_KEPT = (
    ("plastic_fraction", "Plastic at 4 %"),
    ("plastic_counted", "Atoms counted"),
    ("lateral_stress_gpa", "Lateral stress (GPa)"),
    ("temperature_kelvin", "Temperature (K)"),
    ("energy_gain_ev_per_atom", "Energy gained by 1 % (eV/atom)"),
)
_TOGETHER = (
    ("density_g_per_cm3", "Density (g/cm³)"),
    ("energy_ev_per_atom", "Energy (eV/atom)"),
    ("modulus_gpa", "Modulus (GPa)"),
    ("yield_stress_gpa", "Highest stress (GPa)"),
    ("yield_strain", "at strain"),
    ("plastic_fraction", "Plastic fraction at 4 %"),
)

#: Plain words for the verdicts of `qsdask.analysis.replicas.energy_against_rate`.
VERDICTS = {
    "falls": "falls with slower quenches",
    "rises": "rises with slower quenches: these glasses are not relaxed as they should be",
    "unresolved": "not resolved: the replicas scatter as much",
    "unknown": "unknown: it needs two rates, and two replicas at one of them",
}

#: Deformations about which one thing is said one by one.
_MANY = 4


def write_glass_page(
    path: str | os.PathLike,
    *,
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, object]],
    energies: Sequence[Mapping[str, object]],
    unfinished: Sequence[str],
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
        One for each deformation, see `qsdask.views.glasses.glasses`.
    groups : sequence of mappings
        Of `qsdask.analysis.replicas.groups`, each with ``curve``: strain, mean stress in GPa, its standard error (arrays).
    energies : sequence of mappings
        Of `qsdask.analysis.replicas.energy_against_rate`.
    unfinished : sequence of str
        Names of specimens that were begun only.
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
    first = {row["specimen"]: row for row in reversed(rows)}
    glasses = [first[name] for name in dict.fromkeys(row["specimen"] for row in rows)]
    alloys = len({row["composition"] for row in rows})
    loadings = dict.fromkeys(group["loading"] for group in groups)
    parts = [
        template.tiles(
            [
                ("Glasses", len(glasses), f"of {alloys} composition{'s' * (alloys > 1)}"),
                ("Deformations", len(rows), ""),
                ("Remarks", sum((len(row["remarks"]) for row in rows), start=0), "values outside of what is expected"),
                *([("Not finished", len(unfinished), ", ".join(unfinished))] if unfinished else []),
            ]
        ),
        template.section(
            "Replicas together",
            template.gallery([_energies(glasses, groups), *(_curves(groups, of) for of in loadings)]),
            _together(groups),
            _verdicts(energies),
            lead="Mean ± standard error over independent glasses; a value without an error has one glass. Runs of one glass "
            "are averaged first. A stress that still rises at the last strain is not counted as the highest.",
        ),
        template.bullets("Remarks", _gathered(rows)),
        template.section("The glasses", _table(_MADE, glasses, [row["specimen"] for row in glasses])),
        template.section("Quench", template.gallery([_quench(specimens)])),
        template.section(
            "Structure",
            template.gallery([_g_total(specimens), _g_partial(specimens)]),
            _table(_STRUCTURE, glasses, [row["specimen"] for row in glasses]),
        ),
        template.section(
            "Loading",
            template.gallery([_stress(specimens)]),
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
    page = template.document("Made glasses", lead, parts, "Made by qsdask. Numbers also in checks.csv and checks.json.")
    return write_page(path, page)


def _name(row: Mapping) -> str:
    return f"{row['specimen']} {row['loading']}" + (f" run {row['run']}" if row["run"] > 1 else "")


def _table(columns, rows, names) -> Markup:
    cells = [[name, *(_shown(key, row[key]) for key, _ in columns)] for name, row in zip(names, rows, strict=True)]
    return template.table(["", *(title for _, title in columns)], cells)


def _shown(key: str, value: Any) -> object:
    if key.endswith("_per_second") and value is not None:
        return SHORT(value)
    if key == "plastic_fraction" and value is not None:
        return PERCENT_FINE(value)
    return value


def _gathered(rows) -> list[str]:
    """Remarks, each with the deformation it is about; what is said of many is said once, with the first of them."""
    of: dict[str, list[str]] = {}
    for row in rows:
        for text in row["remarks"]:
            of.setdefault(text.partition(":")[0].partition(",")[0], []).append(f"{_name(row)}: {text}")
    said = []
    for texts in of.values():
        more = f" (and {len(texts) - 1} of the other {len(rows) - 1} deformations: see the tables)"
        said += [texts[0] + more] if len(texts) > _MANY else texts
    return said


def _together(groups) -> Markup:
    cells = [
        [
            group["composition"],
            _shown("rate_kelvin_per_second", group["rate_kelvin_per_second"]),
            group["loading"],
            group["replicas"],
            *(with_error(group[key]) for key, _ in _TOGETHER),
        ]
        for group in groups
    ]
    return template.table(["Alloy", "Quench (K/s)", "Loading", "Glasses", *(title for _, title in _TOGETHER)], cells)


def _verdicts(energies) -> Markup:
    cells = [
        [
            line["composition"],
            line["rates"],
            line["glasses"],
            with_error({**line, "mean": line["slope_ev_per_atom_per_decade"]}),
            VERDICTS[line["verdict"]],
        ]
        for line in energies
    ]
    return template.table(["Alloy", "Rates", "Glasses", "Energy per decade of the rate (eV/atom)", "Energy"], cells)


def _picture(name: str, figure: Figure, title: str, text: str) -> Markup:
    return template.figure(encode(figure, name), Caption(title, text, title))


def _look(groups, one: Mapping) -> dict:
    """Colour by composition, line by quench rate."""
    alloys = list(dict.fromkeys(group["composition"] for group in groups))
    rates = sorted({group["rate_kelvin_per_second"] for group in groups})
    alloy, rate = one["composition"], one["rate_kelvin_per_second"]
    return {
        "color": _COLOURS[alloys.index(alloy) % len(_COLOURS)],
        "linestyle": _LINES[rates.index(rate) % len(_LINES)],
        "label": f"{alloy}, {rate:.3g} K/s",
        "linewidth": 1.1,
    }


def _styles(specimens) -> dict[str, dict]:
    """Replicas look alike and are named once."""
    first = [s["rows"][0] for s in specimens]
    styles, seen = {}, set()
    for s, row in zip(specimens, first, strict=True):
        look = _look(first, row)
        styles[s["name"]] = {**look, "label": None if look["label"] in seen else look["label"]}
        seen.add(look["label"])
    return styles


def _panel(across: str, up: str):
    figure = Figure(figsize=(5.2, 3.7), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


@styled
def _g_total(specimens) -> Markup:
    figure, axes = _panel("Distance r (Å)", "g(r) (no unit)")
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    for s in specimens:
        axes.plot(s["g"]["r"].values, s["g"]["total"].values, **_styles(specimens)[s["name"]])
    axes.set_xlim(1.5, None)
    axes.legend()
    return _picture(
        "g-total",
        figure,
        "Radial distribution of all atoms",
        "Undeformed glass. A glass has a split second peak and fades to 1; a crystal keeps sharp peaks.",
    )


@styled
def _g_partial(specimens) -> Markup:
    figure, axes = _panel("Distance r (Å)", "partial g(r) (no unit)")
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    g = specimens[0]["g"]
    for k, pair in enumerate(g["pair"].values.tolist()):
        axes.plot(g["r"].values, g["partial"].values[k], color=_COLOURS[k % len(_COLOURS)], label=pair, linewidth=1.1)
    axes.set_xlim(1.5, None)
    axes.legend()
    return _picture("g-partial", figure, "Radial distribution by species", f"Undeformed glass {specimens[0]['name']}.")


@styled
def _stress(specimens) -> Markup:
    figure, axes = _panel("Strain (fraction)", "Stress along the load (GPa)")
    for s in specimens:
        look = dict(_styles(specimens)[s["name"]])
        for strain, stress in s["loading"].values():
            axes.plot(strain, stress, **look)
            look["label"] = None
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.legend()
    return _picture(
        "stress-strain",
        figure,
        "Stress and strain",
        "Positive with the load, in compression and in tension. Runs and replicas look alike.",
    )


@styled
def _quench(specimens) -> Markup:
    figure, axes = _panel("Temperature (K)", "Potential energy (eV/atom)")
    for s in specimens:
        axes.plot(s["quench"]["temperature_kelvin"], s["quench"]["energy_ev_per_atom"], **_styles(specimens)[s["name"]])
    axes.legend()
    return _picture(
        "quench",
        figure,
        "Energy during melt, quench and relaxation",
        "A liquid that becomes a glass bends; one that crystallises falls in a step.",
    )


@styled
def _energies(glasses, groups) -> Markup:
    """A panel for each alloy: their energies differ by far more than those of the rates."""
    alloys = list(dict.fromkeys(group["composition"] for group in groups))
    figure = Figure(figsize=(5.2, 1.3 + 1.9 * len(alloys)), layout="constrained")
    every = figure.subplots(len(alloys), 1, sharex=True, squeeze=False)[:, 0]
    for k, (alloy, axes) in enumerate(zip(alloys, every, strict=True)):
        mine = [row for row in glasses if row["composition"] == alloy]
        rate = [row["rate_kelvin_per_second"] for row in mine]
        axes.plot(rate, [row["energy_ev_per_atom"] for row in mine], "o", color=GREY, markersize=3.5)
        # Loadings of a glass share its energy.
        means = {g["rate_kelvin_per_second"]: g["energy_ev_per_atom"] for g in groups if g["composition"] == alloy}
        axes.errorbar(
            list(means),
            [m["mean"] for m in means.values()],
            [m["error"] for m in means.values()],
            color=_COLOURS[k % len(_COLOURS)],
            capsize=3.0,
            linewidth=1.1,
        )
        axes.set_xscale("log")
        axes.set_title(alloy, fontsize="medium", loc="left")
    every[-1].set_xlabel("Quench rate (K/s)")
    figure.supylabel("Energy of the glass (eV/atom)", fontsize="medium")
    return _picture(
        "energy-rate",
        figure,
        "Energy after the quench",
        "Each point a glass; lines and bars their means with standard errors. Slower quenches should lie lower.",
    )


@styled
def _curves(groups, loading: str) -> Markup:
    figure, axes = _panel("Strain (fraction)", "Stress along the load (GPa)")
    mine = [group for group in groups if group["loading"] == loading]
    for group in mine:
        look = _look(groups, group)
        strain, mean, error = group["curve"]
        axes.plot(strain, mean, **look)
        axes.fill_between(strain, mean - error, mean + error, color=look["color"], alpha=0.2, linewidth=0.0)
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.legend()
    return _picture(
        f"stress-strain-{loading}",
        figure,
        f"Mean stress in {loading}",
        "Means over the glasses of one alloy and quench rate; bands are standard errors, of single glasses there are none.",
    )
