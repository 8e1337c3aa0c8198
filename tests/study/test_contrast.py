"""``qsdask contrast``: the same for every cut, from the command to the picture, and what it refuses."""

from __future__ import annotations

import json

import pytest
import xarray as xr

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.store.reader import StoreReader

#: Softer limits than usual: 256 atoms have few that are hard.
WIDE = {"hard_below": 0.4, "soft_above": 0.5}
TYPED = ("--model", "cuzr-fast", "--cluster", "threads", "--quiet", "--hard-below", "0.4", "--soft-above", "0.5")


def test_the_cut_into_domains_changes_no_number(shaken, few):
    one, other = (
        qsdask.contrast(shaken[name], model="cuzr-fast", block=5.2, run=few, **WIDE) for name in ("whole", "cut")
    )
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    best = one.isel(column=0)
    low, high = best["auc_interval"].values
    assert low < best["auc"].item() < high
    assert (one["separation"].diff("column") <= 0).all()
    assert "interstice" in str(best["column"].item())
    qs = StoreReader(shaken["whole"])["softness/cuzr-fast/qs"][:]
    assert one["n_known"].max("column").values.tolist() == [(qs < 0.4).sum(), (qs > 0.5).sum()]


def test_the_command_prints_draws_and_writes(shaken, tmp_path, capsys):
    png, store = tmp_path / "a.png", str(shaken["whole"])
    assert main(["contrast", store, *TYPED, "--most", "3", "--out", str(png)]) == 0
    printed = capsys.readouterr().out
    assert "3 of 80 columns" in printed
    assert "std of the empty share" in printed
    assert "hard: QS < 0.4; soft: QS > 0.5" in " ".join(printed.split())
    assert png.read_bytes()[:4] == b"\x89PNG"
    one = "SRO__interstice_area__voro__std"
    assert main(["contrast", store, *TYPED, "--columns", one, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["column"] == [one.lower()]


def test_what_cannot_be_is_refused(shaken, few):
    with pytest.raises(UsageError, match="no column 'nonsense'"):
        qsdask.contrast(shaken["whole"], model="cuzr-fast", columns=["nonsense"], run=few)
    with pytest.raises((UsageError, NoInputError), match="bond_order"):
        qsdask.contrast(shaken["whole"], model="cuzr-fast", set="bond_order", run=few)

    with pytest.raises(UsageError, match="no atom may be hard and soft"):
        qsdask.contrast(shaken["whole"], model="cuzr-fast", hard_below=0.6, soft_above=0.5, run=few)


def test_a_glass_without_hard_atoms_is_told_so(shaken, few):
    with pytest.raises(BadDataError, match="no atom is hard") as refused:
        qsdask.contrast(shaken["whole"], model="cuzr-fast", hard_below=1e-6, run=few)
    assert refused.value.code == "E-NO-USABLE"
