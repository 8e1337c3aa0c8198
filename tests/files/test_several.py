"""Several files at once: all are worked on, an error ends in one, and only when nothing is at work any more."""

from __future__ import annotations

import threading
import time

import pytest

from qsdask.files.several import AT_ONCE, each


@pytest.mark.parametrize("count", [0, 1, 2, 5, 1000])
def test_every_item_is_worked_on_once(count):
    seen: list[int] = []
    each(seen.append, range(count))
    assert sorted(seen) == list(range(count))


def test_several_at_once_and_not_more():
    at_work, most, guard = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal at_work, most
        with guard:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.01)
        with guard:
            at_work -= 1

    each(work, range(40))
    assert 1 < most <= AT_ONCE


def test_an_error_is_raised_when_the_others_have_ended():
    done: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise OSError("no room")
        time.sleep(0.02)
        done.append(item)

    with pytest.raises(OSError, match="no room"):
        each(work, range(8))
    assert sorted(done) == list(range(1, 8))
