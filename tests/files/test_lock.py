"""One writer per store: the second is refused at once, the lock of a dead one is taken over by one alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from qsdask.errors import ResumableError
from qsdask.files import lock
from qsdask.files.lock import LOCK, writing

HOLD = """
    import sys, time
    from qsdask.errors import ResumableError
    from qsdask.files.lock import writing
    try:
        with writing(sys.argv[1]):
            print("held", flush=True)
            sys.stdin.read()
    except ResumableError as refusal:
        print(refusal.code, flush=True)
"""


@pytest.fixture
def start():
    """Starts processes that hold a lock until their input ends."""
    running = []

    def start(path) -> subprocess.Popen:
        one = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(HOLD), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(one)
        return one

    yield start
    for one in running:
        one.kill()
        one.communicate()


def test_the_lock_makes_the_folder_of_a_new_store_and_leaves_nothing(tmp_path):
    store = tmp_path / "deep" / "new.zarr"
    with writing(store):
        assert json.loads((store / LOCK).read_text())["pid"] == os.getpid()
    assert not store.exists()
    store.mkdir()
    with writing(store):
        (store / "zarr.json").write_text("{}")
    assert [f.name for f in store.iterdir()] == ["zarr.json"]


def test_a_second_writer_is_refused_within_two_seconds_and_told_whom_to_wait_for(tmp_path, start):
    first = start(tmp_path)
    assert first.stdout.readline() == "held\n"
    before = time.perf_counter()
    with pytest.raises(ResumableError, match="E-LOCKED") as refusal, writing(tmp_path):
        pass
    assert time.perf_counter() - before < 2.0
    assert f"process {first.pid} on {socket.gethostname()}" in str(refusal.value)
    assert refusal.value.exit_status == 75


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, start):
    first = start(tmp_path)
    assert first.stdout.readline() == "held\n"
    first.kill()
    first.wait()
    assert (tmp_path / LOCK).exists()
    with writing(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_process_number_given_out_anew_does_not_keep_a_lock(tmp_path):
    owner = {**lock.myself(), "pid": os.getppid(), "start": 1.0, "token": "x"}
    (tmp_path / LOCK).write_text(json.dumps(owner))
    with writing(tmp_path):
        pass


def test_the_lock_of_another_host_counts_until_it_is_silent_for_two_minutes(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({**lock.myself(), "host": "elsewhere", "token": "x"}))
    with pytest.raises(ResumableError, match="on elsewhere"), writing(tmp_path):
        pass
    now = (tmp_path / LOCK).stat().st_mtime
    os.utime(tmp_path / LOCK, (now - 130, now - 130))
    with writing(tmp_path):
        pass


def test_of_many_takers_one_wins(tmp_path, start):
    (tmp_path / LOCK).write_text(json.dumps({**lock.myself(), "pid": 2**22 + 7, "token": "x"}))
    takers = [start(tmp_path) for _ in range(6)]
    answers = [one.stdout.readline().strip() for one in takers]
    assert sorted(answers) == ["E-LOCKED"] * 5 + ["held"]
    assert [f.name for f in tmp_path.iterdir()] == [LOCK]


def test_a_thread_enters_twice_and_another_thread_is_refused(tmp_path):
    said = []

    def other():
        try:
            with writing(tmp_path):
                said.append("in")
        except ResumableError as refusal:
            said.append(refusal.code)

    with writing(tmp_path):
        with writing(tmp_path / "." / ""):
            pass
        assert (tmp_path / LOCK).exists()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert said == ["E-LOCKED"]


def test_the_lock_shows_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.02)
    with writing(tmp_path):
        os.utime(tmp_path / LOCK, (0, 0))
        deadline = time.perf_counter() + 5
        while (tmp_path / LOCK).stat().st_mtime == 0 and time.perf_counter() < deadline:
            time.sleep(0.01)
        assert (tmp_path / LOCK).stat().st_mtime > 0


def test_the_lock_of_a_process_that_is_dead_and_not_yet_buried_is_taken_over(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), tmp_path / "a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"held\n"
    child.kill()
    time.sleep(0.2)  # nobody waits for it: a zombie
    with writing(tmp_path / "a"):
        assert json.loads((tmp_path / "a" / LOCK).read_text())["pid"] == os.getpid()
    child.wait()


def test_a_clock_that_is_set_takes_no_lock_from_a_living_writer(tmp_path):
    with writing(tmp_path / "a"):
        file = tmp_path / "a" / LOCK
        owner = json.loads(file.read_text())
        file.write_text(json.dumps({**owner, "start": owner["start"] - 3.0}))
        assert not lock._is_stale(file, file)
        file.write_text(json.dumps({**owner, "ticks": owner["ticks"] - 1}))
        assert lock._is_stale(file, file)
        file.write_text(json.dumps(owner))


def test_a_lost_lock_stops_its_owner(tmp_path):
    lock.refuse_lost(tmp_path)
    with writing(tmp_path / "a"):
        file = tmp_path / "a" / LOCK
        lock.refuse_lost(tmp_path / "a")
        mine = file.read_text()
        file.write_text(json.dumps({"token": "another", "pid": 7, "host": "elsewhere"}))
        with pytest.raises(ResumableError, match=r"(?s)E-LOCKED.*process 7 on elsewhere"):
            lock.refuse_lost(tmp_path / "a")
        file.unlink()
        with pytest.raises(ResumableError, match="E-LOCKED"):
            lock.refuse_lost(tmp_path / "a")
        file.write_text(mine)
