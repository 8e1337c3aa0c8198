"""Physics of made glasses: against exact crystals, random points, freud, and curves drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.analysis.expectation import EXPECTED, remarks
from qsdask.analysis.glass import glass_transition, nonaffine, packing, radial_distribution, stress_strain, structure
from qsdask.testing.blocks import LATTICES, specimen

NONE = np.zeros(3)
EVERYWHERE = np.array([True] * 3)


def g_of(position, cell, species=None, periodic=EVERYWHERE, **more):
    species = np.zeros(len(position), dtype=int) if species is None else species
    names = [f"X{k}" for k in range(species.max() + 1)]
    return radial_distribution(position, cell, NONE, periodic, species, names, **more)


def crystal(name: str, shake: float) -> tuple[np.ndarray, np.ndarray]:
    position, cell = LATTICES[name]()
    # Nearest neighbours 2.6 angstrom apart.
    away = np.linalg.norm(position[1:] - position[0], axis=1).min()
    position, cell = position * 2.6 / away, cell * 2.6 / away
    return position + np.random.default_rng(1).normal(0.0, shake, position.shape), cell


def gas(n=4000, edges=(30.0, 32.0, 34.0), seed=2):
    return np.random.default_rng(seed).random((n, 3)) * edges, np.diag(edges)


def brute(position, cell, reach, width, a, b):
    """g(r) of two sets of atoms by counting every pair of images."""
    n = int(np.floor(reach / width))
    count = np.zeros(n)
    for i in np.ndindex(5, 5, 5):
        shift = (np.array(i) - 2) @ cell
        d = np.linalg.norm(position[a][:, None] - position[b][None] + shift, axis=2).ravel()
        # Bins are open below and closed above.
        bins = np.ceil(d / width).astype(int) - 1
        bins = bins[(d > 0) & (bins < n)]
        count += np.bincount(bins, minlength=n)
    edges = np.arange(n + 1) * width
    shell = 4 / 3 * np.pi * np.diff(edges**3) / np.linalg.det(cell)
    return count / (len(a) * len(b) * shell)


def test_g_counts_every_pair_and_image_in_a_tilted_box():
    rng = np.random.default_rng(3)
    cell = np.array([[6.0, 0, 0], [1.5, 7.0, 0], [-1.0, 2.0, 6.5]])
    position = rng.random((20, 3)) @ cell
    species = (np.arange(20) % 3 == 0).astype(int)
    g = g_of(position + cell[0] - 2 * cell[2], cell, species, reach=7.5, width=0.25)
    every, one, two = np.arange(20), np.flatnonzero(species == 0), np.flatnonzero(species == 1)
    for found, a, b in (
        (g["total"], every, every),
        (g["partial"][0], one, one),
        (g["partial"][1], one, two),
        (g["partial"][2], two, two),
    ):
        np.testing.assert_allclose(found, brute(position, cell, 7.5, 0.25, a, b), rtol=1e-9, atol=1e-12)
    assert g["pair"].values.tolist() == ["X0-X0", "X0-X1", "X1-X1"]


def test_g_is_that_of_freud(freud):
    position, cell = crystal("fcc", 0.2)
    # Larger than twice the reach, as freud asks for.
    n = 3
    shifts = np.array(list(np.ndindex(n, n, n))) @ cell
    position, cell = (position[None] + shifts[:, None]).reshape(-1, 3), cell * n
    reach = min(8.0, np.diag(cell).min() / 2 - 0.1) // 0.1 * 0.1
    g = g_of(position, cell, reach=reach + 1e-9, width=0.1)
    oracle = freud.density.RDF(len(g["r"]), reach)
    box = freud.box.Box(*np.diag(cell))
    oracle.compute((box, box.wrap(position - np.diag(cell) / 2)))
    # freud works with 32 bits, which move a few pairs over the edge of a bin.
    np.testing.assert_allclose(g["total"], oracle.rdf, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("periodic", [(1, 1, 1), (1, 1, 0), (0, 1, 0), (0, 0, 0)])
def test_random_points_have_no_structure_with_free_sides_too(periodic):
    position, cell = gas()
    g = g_of(position, cell, periodic=np.array(periodic, dtype=bool), width=0.5)
    # 1 to within four standard deviations of the number of pairs, and 3 % for points that happen to lie near surfaces.
    counted = 4000**2 / 2 * 4 * np.pi * g["r"].values ** 2 * 0.5 / np.prod(np.diag(cell))
    assert (np.abs(g["total"].values - 1.0) < 4.0 / np.sqrt(0.5 * counted) + 0.03)[3:].all()


def test_an_absent_species_has_no_g():
    position, cell = gas(200)
    g = radial_distribution(position, cell, NONE, EVERYWHERE, np.zeros(200, dtype=int), ["A", "B"])
    assert np.isnan(g["partial"].values[1:]).all()
    assert np.isfinite(g["partial"].values[0]).all()


@pytest.mark.parametrize("name", ["fcc", "bcc", "hcp", "sc"])
@pytest.mark.parametrize("shake", [0.0, 0.08])
def test_a_crystal_is_told_from_a_glass(name, shake):
    found = structure(g_of(*crystal(name, shake)))
    assert found["crystalline"]
    assert any("crystalline" in said for said in remarks(found))
    assert found["g_first_angstrom"] == pytest.approx(2.6, abs=0.1)


def test_a_gas_is_told_from_a_glass():
    found = structure(g_of(*gas()))
    assert not found["crystalline"]
    assert any("a gas" in said for said in remarks(found))


def test_a_shipped_glass_is_a_glass(shipped):
    from qsdask.formats import open_trajectory

    frames = open_trajectory(shipped / "cu65_a.dump.gz")
    first = next(frames.read(0, 1))
    g = radial_distribution(first.position, first.cell, first.origin, first.periodic, first.type - 1, ["Cu", "Zr"])
    found = structure(g)
    assert not found["crystalline"]
    assert remarks(found) == []
    assert found["g_second_peaks"] == 2
    assert found["g_first_angstrom"] == pytest.approx(2.77, abs=0.1)
    # The end of the first shell, between 3.6 and 4.0 angstrom.
    assert 3.5 < found["g_minimum_angstrom"] < 4.0


def test_plastic_atoms_are_those_of_the_store(shipped, glass):
    from qsdask.formats import open_trajectory
    from qsdask.store.reader import StoreReader

    frames = open_trajectory(shipped / "cu65_a.dump.gz")
    first, last = next(frames.read(0, 1)), next(frames.read(8, 9))
    a, b = np.argsort(first.id), np.argsort(last.id)
    d2 = nonaffine(first.position[a], last.position[b], first.cell, last.cell, first.origin, first.periodic)
    root = StoreReader(glass)
    stored = root["response/d2min/d2min"][3][np.argsort(root["atoms/id"][:])]
    np.testing.assert_allclose(d2, stored, rtol=1e-9, atol=1e-12)
    assert (d2 > 5).mean() == pytest.approx(0.0314, abs=0.0002)


def test_an_affine_strain_is_not_plastic():
    made = specimen("tilted")
    strain = np.array([[1.02, 0.01, 0.0], [0.0, 0.97, 0.0], [0.03, 0.0, 1.0]])
    box = made.box
    moved = (made.position - box.origin) @ strain + box.origin
    d2 = nonaffine(made.position, moved, box.cell, box.cell @ strain, box.origin, box.periodic)
    assert np.isfinite(d2).all()
    assert d2.max() < 1e-15


def bilinear(strain, modulus=80.0, yields=0.02, flow=1.2):
    peak = modulus * yields
    after = flow + (peak - flow) * np.exp(-(strain - yields) / 0.005)
    return np.where(strain <= yields, modulus * strain, after)


def test_modulus_yield_and_flow_of_a_drawn_curve():
    strain = np.arange(0, 0.1001, 0.00125)
    found = stress_strain(strain, bilinear(strain))
    assert found["modulus_gpa"] == pytest.approx(80.0)
    assert found["modulus_fit_strain"] == pytest.approx(0.02)
    assert found["yield_stress_gpa"] == pytest.approx(1.6)
    assert found["yield_strain"] == pytest.approx(0.02)
    assert found["flow_stress_gpa"] == pytest.approx(1.2, abs=1e-3)
    assert found["yield_stress_over_modulus"] == pytest.approx(0.02)
    # The curve leaves the line at 0.02 and loses 0.16 GPa against it within a thousandth.
    assert 0.02 < found["offset_strain"] < 0.022
    at = np.interp(found["offset_strain"], strain, bilinear(strain))
    assert found["offset_stress_gpa"] == pytest.approx(at)
    assert at == pytest.approx(80.0 * (found["offset_strain"] - 0.002), abs=1e-9)


def test_a_first_stress_left_from_the_quench_does_not_change_the_modulus():
    strain = np.arange(0, 0.0601, 0.0025)
    found = stress_strain(strain, bilinear(strain) + 0.3)
    assert found["modulus_gpa"] == pytest.approx(80.0)


def test_a_curve_that_only_rises_has_no_flow_and_no_offset_yield():
    strain = np.arange(0, 0.0201, 0.0025)
    found = stress_strain(strain, 70.0 * strain)
    assert np.isnan(found["flow_stress_gpa"])
    assert np.isnan(found["offset_strain"])
    assert found["yield_strain"] == found["last_strain"]


def test_a_curve_that_yields_inside_the_fit_has_no_offset_yield():
    strain = np.arange(0, 0.1001, 0.00125)
    found = stress_strain(strain, bilinear(strain, yields=0.01, flow=0.3))
    assert np.isnan(found["offset_strain"])
    assert np.isnan(found["offset_stress_gpa"])


def test_a_stress_that_falls_from_the_beginning_has_no_yield_over_modulus():
    strain = np.arange(0, 0.0401, 0.005)
    found = stress_strain(strain, 2.0 - 30.0 * strain)
    assert found["modulus_gpa"] == pytest.approx(-30.0)
    assert np.isnan(found["yield_stress_over_modulus"])
    assert np.isnan(found["offset_strain"])


def test_two_points_make_no_modulus():
    found = stress_strain(np.array([0.0, 0.015, 0.03, 0.04]), np.array([0.0, 0.5, 1.0, 1.1]))
    assert np.isnan(found["modulus_gpa"])
    assert np.isnan(found["yield_stress_over_modulus"])


def test_the_glass_transition_is_where_two_lines_meet():
    kelvin = np.linspace(2000.0, 50.0, 200)
    energy = np.where(kelvin > 700, -4.0 + 3e-4 * (kelvin - 700), -4.0 + 1.3e-4 * (kelvin - 700))
    # The highest third is all liquid, the lowest all glass.
    assert glass_transition(kelvin, energy) == pytest.approx(700.0, abs=1.0)
    assert np.isnan(glass_transition(kelvin, 1e-4 * kelvin))
    assert np.isnan(glass_transition(kelvin[::50], energy[::50]))


def test_touching_spheres_on_fcc_fill_three_quarters():
    # Four atoms in a cube of edge 4, touching along its face diagonal.
    assert packing(4 / 64, [1.0], [np.sqrt(2.0)]) == pytest.approx(np.pi / np.sqrt(18.0))
    assert packing(4 / 64, [0.5, 0.5], [np.sqrt(2.0), 0.0]) == pytest.approx(np.pi / np.sqrt(72.0))


def test_remarks_name_value_range_and_meaning_and_pass_over_the_unknown():
    usual = {name: 0.5 * (e.low + e.high) for name, e in EXPECTED.items()}
    assert remarks(usual) == []
    assert remarks({**usual, "modulus_gpa": None, "packing": float("nan")}) == []
    (said,) = remarks({**usual, "plastic_fraction": 0.2})
    assert said.startswith("Plastic atoms at 4 %: 0.2, expected 0.035 to 0.06 (")
    for name, e in EXPECTED.items():
        for outside in (e.low - 1.0, e.high + 1.0):
            assert len(remarks({**usual, name: outside})) == 1
