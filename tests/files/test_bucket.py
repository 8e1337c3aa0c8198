"""Objects of a bucket: paths that look like those of folders, three verbs, what is tried again, and one writer at a time."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from qsdask.errors import QSDaskError, UsageError
from qsdask.files import bucket_lock, location
from qsdask.files.location import absolute, beside, in_bucket, located, opened, seen_from
from qsdask.files.lock import LOCK, refuse_lost, writing
from qsdask.files.taken import refuse_bucket, refuse_in_store


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A lock that is stale after a moment; a bucket that nobody has tried."""
    monkeypatch.setattr(bucket_lock, "HEARTBEAT", 0.05)
    monkeypatch.setattr(bucket_lock, "SILENCE", 0.6)
    monkeypatch.setattr(bucket_lock, "_proven", set())


@pytest.mark.parametrize("text", ["s3://lab/a/b.zarr", "gs://lab/a/b.zarr", "az://lab/a/b.zarr"])
def test_a_name_in_a_bucket_is_one_place_whoever_wrote_it(text):
    place = located(text)
    assert str(place) == str(located(Path(text))) == str(located(place)) == absolute(text) == text
    assert (place.name, place.stem, place.suffix, str(place.parent)) == ("b.zarr", "b", ".zarr", f"{text[:2]}://lab/a")
    assert [str(path) for path in place.parents] == [f"{text[:2]}://lab/a", f"{text[:2]}://lab"]
    with pytest.raises(TypeError):
        Path(place)  # never taken for a file of this machine


def test_a_name_without_a_bucket_is_a_path(tmp_path):
    assert located("file:///data/my%20glass.zarr") == Path("/data/my glass.zarr")
    assert located(tmp_path) == tmp_path
    assert in_bucket("s3.zarr") is None
    with pytest.raises(UsageError, match="names no place"):
        located("s3://lab/../other")


def test_places_are_kept_as_seen_from_one_another(tmp_path):
    home = located("s3://lab/study")
    for name in ("s3://lab/study/run2.zarr", "s3://lab/other/run2.zarr", "s3://lab2/run2.zarr", "/data/run2.zarr"):
        assert str(beside(home, seen_from(home, name))) == name
    assert seen_from(home, "s3://lab/other/run2.zarr") == "../other/run2.zarr"
    assert beside(tmp_path, seen_from(tmp_path, "s3://lab/run2.zarr")) == located("s3://lab/run2.zarr")
    assert beside(tmp_path, seen_from(tmp_path, tmp_path / "a" / "b")) == tmp_path / "a" / "b"


def test_objects_answer_as_files_and_prefixes_as_folders(bucket):
    root = located("s3://lab/a")
    assert not root.exists()
    (root / "x").put(b"12")
    (root / "deep/y").put(b"345")
    assert root.is_dir()
    assert not root.is_file()
    assert (root / "x").is_file()
    assert not (root / "x").is_dir()
    assert root.sizes() == {"deep/y": 3, "x": 2}
    assert [path.name for path in root.iterdir()] == ["deep", "x"]
    assert [path.name for path in root.folders()] == ["deep"]
    assert [path.name for path in root.glob("*x*")] == ["x"]
    assert (root / "x").read_text() == "12"
    assert (root / "x").stat().st_size == 2
    with pytest.raises(FileNotFoundError):
        (root / "z").read_bytes()
    (root / "z").unlink()
    root.copy_all(located("s3://lab/b"), lambda: None)
    root.remove_all(lambda: None)
    assert bucket.below("lab/") == {"b/deep/y": b"345", "b/x": b"12"}


def test_what_is_there_is_not_made_and_what_has_changed_is_not_replaced(bucket):
    place = located("s3://lab/record")
    first = place.create(b"one")
    assert place.create(b"two") is None
    second = place.replace(b"two", first)
    assert place.replace(b"three", first) is None
    assert place.got() == (b"two", second)
    assert located("s3://lab/none").replace(b"x", first) is None


@pytest.mark.parametrize("fault", ["500", "503", "cut", "409"])
def test_a_request_that_fails_is_tried_again(bucket, fault):
    left = [2]

    def disturb(method: str, path: str) -> str:
        if fault == "409" and method != "PUT":
            return ""  # of writers that meet
        left[0] -= 1
        return fault if left[0] >= 0 else ""

    place = located("s3://lab/record")
    bucket.disturb = disturb
    assert place.create(b"one") == place.version()
    left[0] = 2
    place.put(b"one")
    left[0] = 2
    assert place.got()[0] == b"one"
    assert located("s3://lab").sizes() == {"record": 3}
    # What was lost was the answer: the second try finds its own writing, and does not take it for somebody else's.
    version = place.version()
    left[0] = 1
    assert place.replace(b"two", version) == place.version()


def test_a_store_that_stays_silent_is_one_message(bucket, monkeypatch):
    monkeypatch.setattr("qsdask.files.object_client.PAUSE", 0.0)
    monkeypatch.setattr("qsdask.files.object_client.TRIES", 1)
    bucket.disturb = lambda method, path: "500"
    with pytest.raises(QSDaskError, match="does not answer") as refused:
        located("s3://lab/record").got()
    assert refused.value.code == "E-BUCKET"
    assert "AWS_ENDPOINT_URL" in refused.value.hint


def test_an_endpoint_in_the_clear_must_be_wanted(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(UsageError, match="not encrypted"):
        located("s3://lab/record").exists()


def test_an_object_is_read_by_ranges_and_stays_what_it_was(bucket, monkeypatch):
    monkeypatch.setattr("qsdask.files.ranged.AHEAD", 1000)
    data = bytes(range(256)) * 20
    place = located("s3://lab/dump")
    place.put(data)
    with opened("s3://lab/dump") as file:
        assert file.read(10) == data[:10]
        file.seek(3000)
        assert file.read() == data[3000:]
        assert file.seek(-5, 2) == len(data) - 5
        assert file.read(9) == data[-5:]
    raw = opened("s3://lab/dump", 0)
    assert raw.read(4) == data[:4]
    place.put(data[::-1])
    raw.seek(4000)
    with pytest.raises(QSDaskError, match="changed while it was read"):
        raw.read(4)
    with pytest.raises(FileNotFoundError):
        opened("s3://lab/none")


def test_storage_that_ignores_conditions_is_refused(bucket):
    bucket.heeds = False
    with pytest.raises(QSDaskError) as refused, writing("s3://lab/glass.zarr"):
        pass
    assert refused.value.code == "E-STORE-CONDITIONS"
    assert refused.value.exit_status == 73
    assert bucket.objects == {}


def test_one_writer_at_a_time_and_the_lock_says_that_it_is_free_again(bucket):
    lock = "lab/glass.zarr/.lock"
    with writing("s3://lab/glass.zarr"):
        first = json.loads(bucket.objects[lock])
        time.sleep(0.2)
        assert json.loads(bucket.objects[lock])["beat"] >= 1  # a sign of life
        with writing("s3://lab/glass.zarr"):
            refuse_lost("s3://lab/glass.zarr/frames")
    assert json.loads(bucket.objects[lock]) == {"free": True}
    with writing("s3://lab/glass.zarr"):
        assert json.loads(bucket.objects[lock])["token"] != first["token"]


def owner(**change: object) -> bytes:
    return json.dumps({"host": "elsewhere", "space": "", "pid": 1, "token": "other", **change}).encode()


def test_a_lock_elsewhere_that_gives_signs_of_life_is_respected(bucket):
    place = located("s3://lab/glass.zarr") / LOCK
    place.put(owner())
    stop = threading.Event()

    def live() -> None:
        count = 0
        while not stop.wait(0.1):
            count += 1
            place.put(owner(beat=count))

    threading.Thread(target=live, daemon=True).start()
    with pytest.raises(QSDaskError, match="on elsewhere") as refused, writing("s3://lab/glass.zarr"):
        pass
    stop.set()
    assert refused.value.code == "E-LOCKED"


def test_a_lock_elsewhere_that_stays_silent_is_taken_over_by_one(bucket):
    (located("s3://lab/glass.zarr") / LOCK).put(owner())
    seen: list[str] = []

    def take() -> None:
        mine = {"host": "here", "token": threading.current_thread().name}
        try:
            with bucket_lock.locked_object(located("s3://lab/glass.zarr") / LOCK, mine):
                seen.append("taken")
                time.sleep(0.5)
        except QSDaskError as refused:
            seen.append(refused.code)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["E-LOCKED"] * 3 + ["taken"]


def test_who_lost_the_lock_writes_no_more(bucket, monkeypatch):
    with writing("s3://lab/glass.zarr"):
        monkeypatch.setattr(bucket_lock, "HEARTBEAT", 60.0)
        time.sleep(0.2)
        (located("s3://lab/glass.zarr") / LOCK).put(owner())
        refuse_lost("s3://lab/glass.zarr")  # nobody takes a lock that was renewed a moment ago
        time.sleep(0.5)
        with pytest.raises(QSDaskError, match="the lock was lost"):
            refuse_lost("s3://lab/glass.zarr/frames")
    assert json.loads(bucket.objects["lab/glass.zarr/.lock"])["token"] == "other"  # and does not let go of another's


def test_what_is_no_store_is_not_made_in_a_bucket(bucket):
    for place in ("s3://lab/report.html", Path("s3://lab/report.html")):
        with pytest.raises(QSDaskError, match="this machine only"):
            refuse_bucket(place)
    bucket.objects["lab/glass.zarr/zarr.json"] = b"{}"
    with pytest.raises(QSDaskError, match="into a store"):
        refuse_in_store(located("s3://lab/glass.zarr/deep/other.zarr"))
    assert location.size_of("s3://lab/glass.zarr/zarr.json") == 2
