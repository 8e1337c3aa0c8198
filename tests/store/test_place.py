"""Files of a store by their keys."""

from __future__ import annotations

import pytest

from qsdask.store.place import Place


@pytest.fixture
def place(tmp_path) -> Place:
    for key, size in (("a/b/c", 3), ("a/d", 4), ("e", 5)):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(b"x" * size)
    (tmp_path / "link").symlink_to("e")
    (tmp_path / "nowhere").symlink_to("f")
    return Place(tmp_path)


def test_plain_files_are_listed_and_others_named(place):
    assert place.files()[0] == {"a/b/c": 3, "a/d": 4, "e": 5}
    assert sorted(place.files()[1]) == ["link", "nowhere"]
    assert place.files("a") == ({"a/b/c": 3, "a/d": 4}, [])
    assert (place.size("a"), place.size("nothing")) == (7, 0)


def test_what_is_removed_is_gone_and_nothing_else(place):
    assert place.remove("link")
    assert place.remove("nothing")
    place.remove_all("a/b")
    assert place.files()[0] == {"a/d": 4, "e": 5}
    assert place.exists("nowhere")
    assert place.read("e") == b"xxxxx"


def test_a_folder_is_moved_into_the_place_of_another(place, tmp_path):
    home = Place(tmp_path / "home")
    place.move("a", "new/a", home)
    assert home.files()[0] == {"new/a/b/c": 3, "new/a/d": 4}
    place.move("home/new/a", "e2")
    assert set(place.files()[0]) == {"e", "e2/b/c", "e2/d"}
