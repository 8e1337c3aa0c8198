"""``qsdask spectrum``: from the command to the picture, the same for every cut, and of undeformed glasses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError
from qsdask.reporting.published import spectrum_rows
from qsdask.store.reader import StoreReader

ASKED = ("--model", "cuzr-fast", "--cluster", "threads", "--quiet", "--block", "5.2", "--strain", "0.02")


def test_the_cut_into_domains_changes_no_number(shaken, few):
    one, other = (
        qsdask.spectrum(shaken[name], model="cuzr-fast", strain=0.02, block=5.2, run=few) for name in ("whole", "cut")
    )
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    assert one.attrs["blocks"] == 27
    assert np.isfinite(one["qs_std_interval"]).all()
    low, high = one["p_plastic_all_interval"].values
    assert low < one["p_plastic_all"].item() < high


def test_numbers_are_those_of_the_store(shaken, few):
    found = qsdask.spectrum(shaken["cut"], model="cuzr-fast", frame=4, run=few)
    root = StoreReader(shaken["cut"])
    qs, d2 = root["softness/cuzr-fast/qs"][:], root["response/d2min/d2min"][4]
    known = np.isfinite(qs)
    assert found["p_plastic_all"].item() == pytest.approx((d2[known] > 5.0).mean(), abs=1e-12)
    assert found["qs_std"].item() == pytest.approx(qs[known].std(), abs=1e-8)
    assert found["d2_mean_all"].item() == pytest.approx(d2[known].mean(), rel=1e-6)


def test_the_command_prints_draws_and_writes(shaken, tmp_path, capsys):
    store, png, whole = str(shaken["whole"]), tmp_path / "a.png", tmp_path / "a.zarr"
    assert main(["spectrum", store, *ASKED, "--out", str(png), "--out", str(whole)]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("P(plastic | QS = 0.5)", "0.230", "27 blocks of space", "at equal classes"))
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert xr.open_zarr(whole, consolidated=False)["p_ratio"].attrs["units"] == "1"
    assert main(["spectrum", store, *ASKED, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["p_plastic_interval"]) == len(found["wide_qs"]) == 20
    assert found["strain"] == 0.02
    assert main(["spectrum", store, *ASKED, "--out", str(png)]) == 73
    assert "E-EXISTS" in capsys.readouterr().err
    assert main(["spectrum", store, *ASKED, "--out", "a.csv"]) == 64
    assert ".png" in capsys.readouterr().err


def test_limits_of_hard_and_soft_are_those_asked_for(shaken, few):
    limits = {"hard_below": 0.4, "soft_above": 0.5}
    found = qsdask.spectrum(shaken["cut"], model="cuzr-fast", block=5.2, run=few, **limits)
    qs = StoreReader(shaken["cut"])["softness/cuzr-fast/qs"][:]
    for name, share in (("hard", (qs < 0.4).mean()), ("soft", (qs > 0.5).mean())):
        assert found[f"fraction_{name}"] == share
        low, high = found[f"fraction_{name}_interval"].values
        assert low < share < high
    rows = {row.name: row for row in spectrum_rows(found)}
    assert rows["Atoms with QS < 0.4"].published == rows["Atoms with QS > 0.5"].published == ""
    assert rows["Standard deviation of QS"].published == "0.230"


def test_an_undeformed_glass_has_a_distribution_and_no_plasticity(shaken, tmp_path, few, capsys):
    png = tmp_path / "a.png"
    asked = ["spectrum", str(shaken["first"]), "--model", "cuzr-fast", "--cluster", "threads", "--quiet"]
    assert main([*asked, "--out", str(png)]) == 0
    out, err = capsys.readouterr()
    assert "Standard deviation of QS" in out
    assert "P(plastic)" not in out
    assert "W-FEW-BLOCKS" in err
    with pytest.raises(BadDataError, match="strain"):
        qsdask.spectrum(shaken["first"], model="cuzr-fast", strain=0.04, run=few)
