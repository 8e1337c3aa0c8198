"""What is counted while the page is open equals NumPy, and the questions of the same names."""

from __future__ import annotations

from threading import Event, Thread

import numpy as np
import pytest

import qsdask
from qsdask.explorer.cache import Cache
from qsdask.explorer.counting import MARKS, Counted
from qsdask.explorer.glass import Glass


def counted(store) -> dict:
    counts, going = Counted(Glass(store, None, Cache())), Event()
    going.set()
    counts.count(going, Event())
    told = counts.told()
    assert told["finished"]
    return told


def test_counts_of_softness_equal_numpy(soft_glass):
    found = counted(soft_glass)["softness"]
    qs = qsdask.open_store(soft_glass).qs.atoms().qs.values
    assert found["count"].tolist() == np.histogram(qs, 50, (0.0, 1.0))[0].tolist()
    assert found["above"].tolist() == [int((qs > mark).sum()) for mark in MARKS]
    assert found["below"].tolist() == [int((qs < mark).sum()) for mark in MARKS]
    assert (found["usable"], found["unusable"]) == (6912, 0)
    assert found["mean"] == pytest.approx(qs.mean(), abs=1e-8)
    assert found["std"] == pytest.approx(qs.std(), abs=1e-8)


def test_activation_is_that_of_the_question(soft_glass, few):
    found = counted(soft_glass)["activation"]
    glass = Glass(soft_glass, None, Cache())
    asked = qsdask.activation(soft_glass, model=glass.model, run=few)
    for name in ("n_plastic", "n_newly", "n_activated", "plastic_fraction", "qs_mean_newly", "qs_mean_at_risk", "auc"):
        np.testing.assert_array_equal(found[name], asked[name], err_msg=name)
    atoms = qsdask.open_store(soft_glass).qs.atoms()
    plastic = ((atoms.d2min > glass.threshold) & atoms.valid).values
    for step in range(glass.n_step):
        by_qs = np.histogram(atoms.qs.values[plastic[step]], 200, (0.0, 1.0))[0]
        assert found["plastic_by_qs"][step].tolist() == by_qs.tolist()
    assert found["usable_by_qs"].tolist() == np.histogram(atoms.qs.values, 200, (0.0, 1.0))[0].tolist()


def test_where_something_is_missing_it_is_said(tilted):
    told = counted(tilted)
    assert "qsdask predict" in told["softness"]["why"]
    assert "qsdask respond" in told["activation"]["why"]


def test_counting_stops_when_the_page_is_closed_and_waits_for_pictures(soft_glass):
    counts, going, stop = Counted(Glass(soft_glass, None, Cache())), Event(), Event()
    thread = Thread(target=counts.count, args=(going, stop))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert counts.told()["softness"]["done"] <= 1
    stop.set()
    going.set()
    thread.join(20)
    assert not thread.is_alive()
    assert not counts.told()["finished"]
