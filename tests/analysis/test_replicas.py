"""Replicas together: means, standard errors, and the verdict on slower quenches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress

from qsdask.analysis.replicas import VALUES, energy_against_rate, groups, mean_and_error, mean_curve


def row(specimen, energy=-4.9, rate=1e13, *, alloy="Cu65 Zr35", loading="compression", peak=0.06, **values):
    return {
        "specimen": specimen,
        "composition": alloy,
        "rate_kelvin_per_second": rate,
        "loading": loading,
        "strain_rate_per_second": 1e9,
        "last_strain": 0.1,
        **dict.fromkeys(VALUES, 1.0),
        "energy_ev_per_atom": energy,
        "yield_strain": peak,
        **values,
    }


def test_the_error_is_that_of_the_mean_of_independent_glasses():
    found = mean_and_error([1.0, 2.0, None, 6.0, math.nan])
    assert found == {"mean": 3.0, "error": pytest.approx(math.sqrt(7.0 / 3.0)), "glasses": 3}
    one, none = mean_and_error([2.0]), mean_and_error([None])
    assert (one["mean"], one["glasses"], none["glasses"]) == (2.0, 1, 0)
    assert math.isnan(one["error"])
    assert math.isnan(none["mean"])


def test_alloys_rates_and_loadings_stand_apart_the_fastest_first():
    rows = [row("a", rate=1e12), row("b"), row("c"), row("b", loading="tension"), row("d", alloy="Al90 Sm10")]
    found = [(g["composition"], g["rate_kelvin_per_second"], g["loading"], g["specimens"]) for g in groups(rows)]
    assert found == [
        ("Al90 Sm10", 1e13, "compression", ["d"]),
        ("Cu65 Zr35", 1e13, "compression", ["b", "c"]),
        ("Cu65 Zr35", 1e13, "tension", ["b"]),
        ("Cu65 Zr35", 1e12, "compression", ["a"]),
    ]


def test_runs_of_one_glass_count_once():
    rows = [row("a", modulus_gpa=60.0), row("a", modulus_gpa=62.0), row("b", modulus_gpa=71.0)]
    (group,) = groups(rows)
    assert group["replicas"] == 2
    assert group["modulus_gpa"] == {"mean": 66.0, "error": 5.0, "glasses": 2}


def test_a_stress_that_still_rises_is_no_yield():
    (group,) = groups([row("a", yield_stress_gpa=2.0), row("b", peak=0.1, yield_stress_gpa=9.0)])
    assert group["yield_stress_gpa"]["mean"] == 2.0
    assert group["yield_strain"]["glasses"] == 1
    assert group["modulus_gpa"]["glasses"] == 2


def test_the_verdict_needs_more_than_the_scatter_of_replicas():
    def verdict(*energies):
        rows = [
            row(f"{rate}-{k}", e, rate)
            for rate, of in zip((1e14, 1e13), energies, strict=True)
            for k, e in enumerate(of)
        ]
        return energy_against_rate(rows)[0]

    falls = verdict((-4.80, -4.81), (-4.90, -4.91))
    assert falls["slope_ev_per_atom_per_decade"] == pytest.approx(0.1)
    # Two glasses each scatter by 0.005 about their mean: the error of a difference of two means.
    assert falls["error"] == pytest.approx(0.005 * math.sqrt(2.0))
    assert falls["verdict"] == "falls"
    assert verdict((-4.90, -4.91), (-4.80, -4.81))["verdict"] == "rises"
    # 0.1 +- 0.07 with two degrees of freedom.
    assert verdict((-4.80, -4.90), (-4.90, -5.00))["verdict"] == "unresolved"
    alone = verdict((-4.80,), (-4.90,))
    assert alone["verdict"] == "unknown"
    assert alone["slope_ev_per_atom_per_decade"] == pytest.approx(0.1)
    assert math.isnan(alone["error"])
    assert verdict((-4.8, -4.9), ())["verdict"] == "unknown"


def test_the_slope_is_that_of_scipy_and_a_bend_is_no_scatter():
    rates = np.repeat([1e14, 1e13, 1e12, 1e11], [3, 1, 2, 3])
    energy = -4.8 - 0.02 * np.log10(1e14 / rates) ** 2
    rows = [row(str(k), e, r) for k, (e, r) in enumerate(zip(energy.tolist(), rates.tolist(), strict=True))]
    (found,) = energy_against_rate(rows)
    line = linregress(np.log10(rates), energy)
    assert found["slope_ev_per_atom_per_decade"] == pytest.approx(line.slope)
    assert (found["rates"], found["glasses"]) == (4, 9)
    assert found["error"] < 1e-9 < line.stderr


def test_deformations_of_a_glass_do_not_add_to_its_energy():
    rows = [row("a", -4.8, 1e14), row("a", -4.8, 1e14, loading="tension"), row("b", -4.9)]
    assert energy_against_rate(rows)[0]["glasses"] == 2


def test_curves_are_averaged_as_far_as_all_of_them_reach():
    strain = np.array([0.0, 0.01, 0.02, 0.03])
    other = np.array([0.0, 0.005, 0.025])
    at, mean, error = mean_curve([(strain, 100.0 * strain), (other, 50.0 * other)])
    np.testing.assert_allclose(at, strain[:3])
    np.testing.assert_allclose(mean, 75.0 * at)
    np.testing.assert_allclose(error, 25.0 * at, atol=1e-12)
    assert np.isnan(mean_curve([(strain, strain)])[2]).all()
