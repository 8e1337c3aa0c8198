"""A sample of the suite of faults; all of it by ``python -m tests.chaos.run``, or ``pytest -m chaos``."""

from __future__ import annotations

import shutil

import pytest

from tests.chaos.attacks import ATTACKS, attack
from tests.chaos.faults import Bench, crash_point, full_disk, kill, little_memory, may_mount, short_files
from tests.chaos.ground import Ground
from tests.chaos.strangers import interleave


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A small job, and what it gives undisturbed."""
    return Bench(tmp_path_factory.mktemp("chaos"))


def unharmed(outcome):
    assert outcome.finished, outcome.note
    assert outcome.identical, outcome.note
    assert outcome.told, outcome.note


@pytest.mark.parametrize("target", ["driver", "worker"])
def test_a_killed_process_costs_no_number(bench, target):
    unharmed(kill(bench, target, seed=1))


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("target", ["driver", "worker", "scheduler", "nanny"])
def test_more_killed_processes_cost_no_number(bench, target, seed):
    unharmed(kill(bench, target, seed=seed))


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(("operation", "nth"), [("fsync", 9), ("rename", 30)])
def test_a_crash_at_a_file_operation_costs_no_number(bench, operation, nth):
    outcome = crash_point(bench, operation, nth)
    assert outcome.disturbed
    unharmed(outcome)


def test_what_several_do_to_one_store_shows_nothing_wrong(tmp_path):
    seen = interleave(tmp_path, 6)
    assert seen["answers"]
    assert seen["refused E-OTHER-RUN"]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A small store with its model, for strangers."""
    return Ground(tmp_path_factory.mktemp("strangers") / "ground")


#: Those that no other test does in this way, with processes that sleep and wake.
SAMPLE = {"2 lost lock, amid the work", "5 overwritten amid evaluate"}


@pytest.mark.parametrize(
    "name", [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.chaos) for name in ATTACKS]
)
def test_a_stranger_does_no_harm(ground, name):
    found = attack(ground, name)
    if found is None:
        pytest.skip("needs the right to mount")
    assert found.withstood, found.note


@pytest.mark.parametrize("limit", ["size=700000", pytest.param("nr_inodes=150", marks=pytest.mark.chaos)])
def test_a_full_disk_is_one_message_and_resumable(bench, limit):
    if not may_mount(bench.folder):
        pytest.skip("needs the right to mount a tmpfs")
    outcome = full_disk(bench, limit)
    assert outcome.disturbed
    unharmed(outcome)


@pytest.mark.chaos
def test_a_limit_of_file_size_is_one_message_and_resumable(bench):
    outcome = short_files(bench, 10_000)
    assert outcome.disturbed
    unharmed(outcome)


@pytest.mark.chaos
def test_a_limit_of_memory_is_one_message_and_resumable(bench):
    outcome = little_memory(bench, 100_000_000)
    assert outcome.disturbed
    unharmed(outcome)
