"""Physics checks of made glasses: reads the finished specimens of a folder, writes a table and a page."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis import glass, replicas
from qsdask.analysis.expectation import EXPECTED, remarks, still_rises
from qsdask.errors import BadDataError, NoInputError, storage_errors
from qsdask.files.durable import write_durable
from qsdask.formats import Frame, open_trajectory
from qsdask.radii import radius_of
from qsdask.reporting.glass_page import VERDICTS, write_glass_page
from qsdask.reporting.number import with_error
from qsdask.reporting.page import refuse_other_page
from qsdask.settings.defaults import LABEL_STRAIN, PLASTIC_ABOVE
from qsdask.simulation.progress import read_plan
from qsdask.simulation.schedule import steps_of_a_strain_step
from qsdask.space.strain import NEAR, passes

__all__ = ["glasses", "summary_lines"]

#: Strain at which a relaxed glass has gained elastic energy only; the last row up to it counts.
_EARLY = 0.01
#: Atoms nearer to a free surface are not counted. Unit: angstrom.
_MARGIN = 10.0
#: Measured values to stand beside: elements, what, from where.
_KNOWN = {
    frozenset({"Cu", "Zr"}): "Cu64Zr36 measured: Young's modulus 92.3 GPa, compressive strength about 2 GPa "
    "(Xu et al., Acta Mater. 52, 2621 (2004), doi:10.1016/j.actamat.2004.02.009)"
}


def glasses(folder: str | Path) -> list[dict]:
    """Check the physics of all finished specimens of a folder.

    Parameters
    ----------
    folder : str or Path
        What `qsdask.simulate` filled, or the folder of one specimen.

    Returns
    -------
    list of dict
        A row for each deformation of each specimen, by name: density, packing, g(r), energy, loading; see
        `qsdask.analysis.glass`. ``remarks`` is a list of plain sentences about values outside of what is expected. None
        where a value is unknown.

    Raises
    ------
    NoInputError
        ``E-NO-GLASSES`` when no specimen is finished.
    BadDataError
        ``E-SPECIMEN`` when the files of one cannot be read.

    Notes
    -----
    Writes ``checks.csv``, ``checks.json`` and ``glasses.html`` into the folder; the latter two hold the means over replicas
    as well, see `qsdask.analysis.replicas`. The same specimens give the same bytes.
    """
    folder = Path(folder)
    places = sorted(file.parent for file in [*folder.glob("specimen.json"), *folder.glob("*/specimen.json")])
    if not places:
        raise NoInputError(
            "no finished specimen here", code="E-NO-GLASSES", file=folder, hint="make them with: qsdask simulate RECIPE"
        )
    refuse_other_page(folder / "glasses.html")
    found = [_specimen(place) for place in places]
    rows = [row for specimen in found for row in specimen["rows"]]
    _compare_rates(rows)
    for row in rows:
        row["remarks"] = [*remarks(row), *_words(row)]
    rows = [_plain(row) for row in rows]
    together, energies = replicas.groups(rows), replicas.energy_against_rate(rows)
    unfinished = sorted(
        file.parent.name for file in folder.glob("*/plan.json") if not (file.parent / "specimen.json").is_file()
    )
    known = sorted({text for specimen in found for pair, text in _KNOWN.items() if pair == specimen["elements"]})
    with storage_errors(folder):
        write_durable(folder / "checks.csv", _csv(rows))
        content = {
            "expected": {n: {"low": e.low, "high": e.high, "why": e.why} for n, e in EXPECTED.items()},
            "known": known,
            "rows": rows,
            "groups": _plain(together),
            "energy_against_rate": _plain(energies),
            "unfinished": unfinished,
        }
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_durable(folder / "checks.json", text.encode())
    write_glass_page(
        folder / "glasses.html",
        rows=rows,
        known=known,
        specimens=found,
        energies=energies,
        unfinished=unfinished,
        groups=[{**group, "curve": _mean_curve(group, found)} for group in together],
        expected=[(n, e.title, e.low, e.high, e.why) for n, e in EXPECTED.items()],
    )
    return rows


def summary_lines(rows: list[dict]) -> list[str]:
    """The checks as lines of text: remarks on every deformation, then replicas together.

    Parameters
    ----------
    rows : list of dict
        Of `glasses`.

    Returns
    -------
    list of str
    """
    lines = [f"{row['specimen']} {_deformation(row)}: " + ("; ".join(row["remarks"]) or "as expected") for row in rows]
    for group in replicas.groups(rows):
        number = group["replicas"]
        lines.append(
            f"{group['composition']} at {group['rate_kelvin_per_second']:.3g} K/s, {group['loading']}, {number} "
            f"glass{'es' * (number > 1)}: density {with_error(group['density_g_per_cm3'])} g/cm3, "
            f"energy {with_error(group['energy_ev_per_atom'])} eV/atom, modulus {with_error(group['modulus_gpa'])} GPa, "
            f"highest stress {with_error(group['yield_stress_gpa'])} GPa at strain {with_error(group['yield_strain'])}, "
            f"plastic fraction at 4 % {with_error(group['plastic_fraction'])}"
        )
    lines += [
        f"{line['composition']}, energy and quench rate: "
        f"{with_error({**line, 'mean': line['slope_ev_per_atom_per_decade']})} eV/atom per decade, {VERDICTS[line['verdict']]}"
        for line in replicas.energy_against_rate(rows)
    ]
    return lines


def _deformation(row: Mapping) -> str:
    return row["loading"] + (f" run {row['run']}" if row["run"] > 1 else "")


def _mean_curve(group: Mapping, specimens: list[dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curve of a group; runs of one glass are averaged first."""
    of_glass = []
    for specimen in specimens:
        if specimen["name"] in group["specimens"]:
            pairs = zip(specimen["rows"], specimen["loading"].values(), strict=True)
            runs = [curve for row, curve in pairs if row["loading"] == group["loading"]]
            of_glass.append(replicas.mean_curve(runs)[:2])
    return replicas.mean_curve(of_glass)


def _specimen(place: Path) -> dict:
    """Rows and curves of one specimen."""
    try:
        facts = json.loads((place / "specimen.json").read_bytes())
        quench = _table(place / facts["quench"])
        elements = [facts["species"][kind] for kind in sorted(facts["species"], key=int)]
        curves, g, rows = {}, None, []
        for one in facts["deformations"]:
            thermo = _table(place / one["thermo"])
            reference, current = _frames(place / one["dump"], facts)
            if g is None:
                g = _g(reference, elements)
                prepared = _prepared(facts, elements, quench, thermo, g)
            label = Path(one["thermo"]).name.partition(".")[0]
            strain, stress = _strain(place, thermo, facts), _stress(thermo, facts, one["loading"])
            curves[label] = (strain, stress)
            rows.append(
                {
                    **prepared,
                    "loading": one["loading"],
                    "run": one["run"],
                    "strain_rate_per_second": facts["strain_rate_per_second"],
                    **glass.stress_strain(strain, stress),
                    **_kept(thermo, facts),
                    **_plastic(reference, current, facts),
                }
            )
    except (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError) as error:
        raise BadDataError(
            f"the files of this specimen cannot be read: {type(error).__name__}: {error}",
            code="E-SPECIMEN",
            file=place,
            hint="remove the folder and run 'qsdask simulate' again",
        ) from None
    heat = {name: quench[name] for name in ("time_ps", "temperature_kelvin", "energy_ev_per_atom")}
    return {
        "name": facts["name"],
        "elements": frozenset(elements),
        "rows": rows,
        "g": g,
        "quench": heat,
        "loading": curves,
    }


def _table(path: Path) -> dict[str, np.ndarray]:
    head, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    value = np.array(rows, dtype=np.float64)
    return dict(zip(head, value.T, strict=True))


def _frames(path: Path, facts: Mapping) -> tuple[Frame, Frame | None]:
    """The undeformed frame and the one at 4 % strain, None when it was not kept."""
    strain = np.array(facts["strain"])
    step = next(iter(passes(strain, LABEL_STRAIN)), 0)
    source = open_trajectory(path)
    return next(source.read(0, 1)), next(source.read(step, step + 1)) if step else None


def _g(frame: Frame, elements: list[str]) -> xr.Dataset:
    return glass.radial_distribution(
        frame.position, frame.cell, frame.origin, frame.periodic, np.asarray(frame.type) - 1, elements
    )


def _prepared(facts: Mapping, elements: list[str], quench: Mapping, thermo: Mapping, g: xr.Dataset) -> dict:
    """What is known before the load."""
    share = [facts["composition"][name] for name in elements]
    density = float(thermo["density_g_per_cm3"][0])
    # The box of the melt holds no vacuum yet.
    number = facts["n_atom"] / float(np.prod([quench[f"l{axis}_angstrom"][0] for axis in "xyz"]))
    atoms = number * density / float(quench["density_g_per_cm3"][0])
    # Not the melt, whose first rows may be crystal, nor the relaxation; half a femtosecond for rounding.
    begin, end = facts["cooling_ps"]
    cooling = (quench["time_ps"] > begin + 5e-4) & (quench["time_ps"] < end + 5e-4)
    return {
        "specimen": facts["name"],
        "composition": " ".join(f"{name}{100 * c:.4g}" for name, c in zip(elements, share, strict=True)),
        "rate_kelvin_per_second": float(facts["rate_kelvin_per_second"]),
        "replica": facts["replica"],
        "atoms": facts["n_atom"],
        "density_g_per_cm3": density,
        "packing": glass.packing(atoms, share, radius_of(elements)),
        "energy_ev_per_atom": float(thermo["energy_ev_per_atom"][0]),
        "glass_transition_kelvin": glass.glass_transition(
            quench["temperature_kelvin"][cooling], quench["energy_ev_per_atom"][cooling]
        ),
        **glass.structure(g),
    }


def _strain(place: Path, thermo: Mapping, facts: Mapping) -> np.ndarray:
    """Strains that the stresses belong to.

    At a constant rate a stress is an average over the second half of the last piece of the way to its strain, which on
    average was a quarter of the piece before; else the strain stands still meanwhile.
    """
    strain = thermo["strain"]
    if facts["mode"] != "rate":
        return strain
    plan = read_plan(place)
    pieces = math.ceil(steps_of_a_strain_step(plan) / plan.checkpoint_steps)
    return np.where(strain > 0, strain - plan.deform.strain_step / pieces / 4.0, strain)


def _stress(thermo: Mapping, facts: Mapping, loading: str) -> np.ndarray:
    axis = facts["axis"]
    return thermo[f"stress_{axis}{axis}_gpa"] * (-1.0 if loading == "compression" else 1.0)


def _kept(thermo: Mapping, facts: Mapping) -> dict:
    """Temperature and lateral stress under load; without motion there is no temperature to keep."""
    axes = [a for a, kind in zip("xyz", facts["boundary"], strict=True) if a != facts["axis"] and kind == "p"]
    lateral = [float(thermo[f"stress_{a}{a}_gpa"][1:].mean()) for a in axes]
    kelvin = float(thermo["temperature_kelvin"][1:].mean())
    # Rounding of text must not decide about a row.
    strain, energy = thermo["strain"].round(9), thermo["energy_ev_per_atom"]
    early = int(np.searchsorted(strain, _EARLY, side="right")) - 1
    near = strain[early] >= _EARLY - NEAR
    still = facts["mode"] == "quasistatic"
    return {
        "lateral_stress_gpa": max(lateral, key=abs) if lateral else math.nan,
        "temperature_kelvin": kelvin,
        "energy_gain_ev_per_atom": float(energy[early] - energy[0]) if near else math.nan,
        "temperature_over_set": math.nan if still else kelvin / facts["kelvin"],
    }


def _plastic(reference: Frame, current: Frame | None, facts: Mapping) -> dict:
    """Share of the plastic atoms at 4 %, away from free surfaces."""
    if current is None:
        return {"plastic_fraction": math.nan, "plastic_counted": 0}
    order, other = np.argsort(reference.id), np.argsort(current.id)
    position = reference.position[order]
    d2 = glass.nonaffine(
        position, current.position[other], reference.cell, current.cell, reference.origin, reference.periodic
    )
    inner = np.isfinite(d2)
    for axis in np.flatnonzero(~reference.periodic):
        x = position[:, axis]
        inner &= np.minimum(x - x.min(), x.max() - x) >= _MARGIN
    counted = int(inner.sum())
    share = float((d2[inner] > PLASTIC_ABOVE).mean()) if counted else math.nan
    return {"plastic_fraction": share, "plastic_counted": counted}


def _compare_rates(rows: list[dict]) -> None:
    """Energy against that of the next faster quench of the same alloy, replicas averaged."""
    energy: dict[tuple[str, float], dict[str, float]] = {}
    for row in rows:
        key = (row["composition"], row["rate_kelvin_per_second"])
        energy.setdefault(key, {})[row["specimen"]] = row["energy_ev_per_atom"]
    known = {key: replicas.mean_and_error(list(found.values())) for key, found in energy.items()}
    for row in rows:
        alloy, rate = row["composition"], row["rate_kelvin_per_second"]
        faster = min((r for a, r in known if a == alloy and r > rate), default=None)
        slow = known[alloy, rate]
        fast = replicas.mean_and_error([]) if faster is None else known[alloy, faster]
        row["energy_against_faster_ev_per_atom"] = slow["mean"] - fast["mean"]
        row["energy_against_faster_error"] = math.hypot(slow["error"], fast["error"])


def _words(row: Mapping) -> list[str]:
    """Remarks on what has no range."""
    said = []
    if (higher := row["energy_against_faster_ev_per_atom"]) > 0:
        by = with_error({"mean": higher, "error": row["energy_against_faster_error"]})
        said.append(
            f"Energy is higher than after the next faster quench, by {by} eV/atom: slower rates should give lower energies"
        )
    if row["g_second_peaks"] < 2:
        said.append("The second peak of g(r) is not split as in a glass")
    if not row["plastic_counted"]:
        said.append("Plastic atoms at 4 %: no frame at that strain, or all atoms near free surfaces")
    if still_rises(row):
        said.append("The stress still rises at the last strain: no yield stress, no flow stress")
    return said


def _plain(value: object) -> object:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv(rows: list[dict]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "remarks": "; ".join(row["remarks"])})
    return text.getvalue().encode()
