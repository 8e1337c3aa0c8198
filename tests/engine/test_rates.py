"""What a stage will take, from straight lines through what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.engine.cost import Size, StagePlan
from qsdask.engine.rates import FIRST_FRAME, SCHEDULER_SECONDS, cost_of, load_of, measured_rates
from tests.benchmarks.cost_curve import line_through

SIZE = Size(1_000_000, 5, 50_000, (250.0, 250.0, 250.0))
LINES = {"worker_seconds": [2.0, 1e-5, 0.1], "driver_seconds": [1.0, 0.0, None]}
OTHERS = {name: [0.0, 1.0, None] for name in ("read", "written", "files", "driver_bytes")}
RATES = {"stages": {"shells": {"largest": 1e5, **LINES, **OTHERS}}}


def test_a_stage_looks_at_its_atoms_and_halos_and_some_at_every_frame():
    assert load_of("shells", SIZE, 0) == 1_000_000
    assert load_of("shells", SIZE, 5_000) == 1_000_000 + 20 * 5_000
    assert load_of("respond", SIZE, 5_000) == 5 * (1_000_000 + 20 * 5_000)
    assert load_of("ingest", SIZE, 0) == (5 + FIRST_FRAME) * 1_000_000


@pytest.mark.parametrize(("cores", "share"), [(1, 1.0), (7, 3 / 20), (20, 1 / 20), (400, 1 / 20)])
def test_cores_divide_the_work_of_workers_as_far_as_there_are_tasks(cores, share):
    plan = StagePlan("shells", tasks=20, ghosts=0, bytes_written=0, bytes_memory=7)
    cost = cost_of(plan, SIZE, (cores,), RATES)
    assert cost.core_seconds == pytest.approx(2.0 + 10.0 + 1.0)
    assert cost.wall_seconds[cores] == pytest.approx(1.0 + 12.0 * share)
    assert (cost.extrapolated, cost.worker_bytes, cost.error) == (10.0, 7, 0.1)


def test_the_scheduler_bounds_what_more_cores_can_do():
    plan = StagePlan("shells", tasks=10**7, ghosts=0, bytes_written=0, bytes_memory=0)
    assert cost_of(plan, SIZE, (10**6,), RATES).wall_seconds[10**6] == 10**7 * SCHEDULER_SECONDS


def test_what_nobody_measured_has_no_cost():
    assert cost_of(StagePlan("features", 1, 0, 0, 0, part="mine"), SIZE) is None


def test_the_rates_of_the_package_know_every_stage():
    stages = measured_rates()["stages"]
    assert {"ingest", "surface", "shells", "respond", "features interstice", "train", "predict", "activation"} <= set(
        stages
    )
    for lines in stages.values():
        assert lines["largest"] > 0
        assert all(fixed >= 0 and per >= 0 for fixed, per, _ in (v for k, v in lines.items() if k != "largest"))


def test_a_glass_of_another_size_has_the_same_density():
    large = SIZE.scaled(8_000_000, 2)
    assert large == Size(8_000_000, 2, 50_000, (500.0, 500.0, 500.0))
    assert SIZE.scaled() == SIZE


def test_lines_are_found_and_their_error_covers_new_points():
    load = np.array([1e4, 1e5, 1e6, 1e7])
    a, b, error = line_through(load, 3.0 + 2e-6 * load)
    assert (a, b) == (pytest.approx(3.0), pytest.approx(2e-6))
    assert error < 1e-6
    rng, inside = np.random.default_rng(3), 0
    for _ in range(300):
        noisy = (3.0 + 2e-6 * load) * rng.normal(1.0, 0.05, load.shape)
        a, b, error = line_through(load, noisy)
        inside += abs(rng.normal(1.0, 0.05) * (3.0 + 2e3) / (a + b * 1e9) - 1.0) <= error
    assert 0.92 < inside / 300 < 0.99


def test_one_point_gives_no_error():
    assert line_through(np.array([10.0]), np.array([5.0])) == [0.0, 0.5, None]
    assert line_through(np.array([10.0, 20.0]), np.array([0.0, 0.0])) == [0.0, 0.0, 0.0]
