"""What is whole is called whole; leftovers and strangers are told apart; unfinished stages are judged by their receipts."""

from __future__ import annotations

import pytest

from qsdask.care.verify import verify
from qsdask.errors import NoInputError
from qsdask.store import ledger


def test_a_whole_store_has_no_damage(glass):
    assert verify(glass, progress=False) == []


def test_no_store_is_said_so(tmp_path):
    with pytest.raises(NoInputError, match="E-NO-STORE"):
        verify(tmp_path / "nothing.zarr")


def test_leftovers_and_foreign_files_are_harmless_and_strangers_are_not(own):
    store = own / "tiny.zarr"
    places = {
        "frames/position/c/0/0/.0.77.7f.partial": "leftover",
        ".scratch/id.npy": "leftover",
        "notes.txt": "foreign",
        "frames/position/c/0/0/1": "extra",
        "features/readme": "extra",
        "softness/other/qs/c/0": "orphan",
    }
    for name in places:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text("x")
    (store / ".lock").write_text("{}")
    found = verify(store, progress=False)
    assert {d.file: d.kind for d in found} == places
    assert {d.kind for d in found if d.harmless} == {"foreign", "leftover"}


def test_an_unfinished_stage_is_checked_as_far_as_its_receipts_go(own):
    store = own / "tiny.zarr"
    ledger.reopen(store, ledger.require(store, "response/d2min"), [(0, 0, 0), (0, 1, 0)])
    assert verify(store, progress=False) == []
    for index in ("0/0", "0/1", "1/0", "1/1"):
        (store / "response/d2min/d2min/c" / index).write_bytes(b"x")
    assert {d.file for d in verify(store, progress=False)} == {
        "response/d2min/d2min/c/0/1",
        "response/d2min/d2min/c/1/1",
    }


def test_exchanged_receipts_are_found(own):
    store = own / "tiny.zarr"
    one, two = (store / ledger.receipt_key("shells", (0, 0, k)) for k in (0, 1))
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)
    assert {d.task for d in verify(store, progress=False)} == {(0, 0, 0), (0, 0, 1)}


def test_names_of_files_cannot_steer_the_terminal(own):
    (own / "tiny.zarr/atoms/\x1b[2J").write_text("x")
    (damage,) = verify(own / "tiny.zarr", progress=False)
    assert "\x1b" not in str(damage)
    assert "\\x1b[2J" in str(damage)
