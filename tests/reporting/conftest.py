"""A small made-up glass, analysed."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.analysis import activation, slab, spectrum

THRESHOLD = 5.0


def analysed(n_atom: int, n_step: int = 9, *, plastic: bool = True, known: bool = True) -> dict:
    """The three Datasets of a glass of `n_atom` atoms, with or without plastic atoms and known QS."""
    rng = np.random.default_rng(11)
    qs = rng.beta(2.0, 2.5, n_atom) if known else np.full(n_atom, np.nan)
    strain = np.arange(n_step) * 0.01
    growth = strain[:, None] / 0.04 * (1.0 if plastic else 0.0)
    d2 = growth * rng.lognormal(0.0, 1.0, (n_step, n_atom)) * np.exp(2.0 * np.nan_to_num(qs))
    valid = np.ones_like(d2, dtype=bool)
    step = min(4, n_step - 1)
    cell, origin, periodic = np.diag([30.0, 40.0, 25.0]), np.zeros(3), np.array([True, False, True])
    cut = slab.cut_slab(
        rng.random((n_atom, 3)) @ cell,
        cell,
        origin,
        periodic,
        qs,
        d2[step],
        np.full(n_atom, 1.3),
        strain=strain[step],
        threshold=THRESHOLD,
    )
    return {
        "activation": activation.finalise(activation.partial(qs, d2, valid, strain, THRESHOLD)),
        "spectrum": spectrum.finalise(spectrum.partial(qs, d2[step], valid[step], THRESHOLD, strain=strain[step])),
        "slice": slab.finalise(cut),
    }


@pytest.fixture(scope="session")
def glass():
    """Datasets of a usual glass."""
    return analysed(2000)


@pytest.fixture(
    scope="session",
    params=[
        {"n_atom": 300, "plastic": False},
        {"n_atom": 300, "known": False},
        {"n_atom": 40, "n_step": 1},
        {"n_atom": 0},
    ],
    ids=["nothing plastic", "no QS known", "one step", "no atom"],
)
def odd_glass(request):
    """Datasets of glasses with little or nothing to show."""
    return analysed(**request.param)


@pytest.fixture(scope="session")
def turning():
    """Activation of a glass that is loaded, unloaded and loaded again, as `qsdask.activation` describes it."""
    from qsdask.space.strain import branch_name

    branch = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    found = analysed(2000)["activation"].assign_coords(
        strain=("step", np.array([0, 0.02, 0.04, 0.06, 0.04, 0.02, -0.01, 0.02, 0.05])),
        frame=("step", np.arange(9)),
        branch=("step", branch, {"flag_meanings": " ".join(map(branch_name, range(3)))}),
    )
    return found.assign_attrs(along="frame")
