"""Glasses side by side: distributions, distances, and the change of every atom, from the command to the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import wasserstein_distance

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.formats.opening import open_trajectory
from qsdask.store.reader import StoreReader
from qsdask.study.change import change_of_softness, same_atoms
from tests.small_store import SPECIES


def stored(dump: Path, model: Path, few, chunk: int = 24) -> Path:
    store = dump.with_suffix(".zarr")
    qsdask.ingest(dump, store, species=SPECIES, chunk=chunk, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    return qsdask.predict(store, model=model, accept_outside=True, run=few)


@pytest.fixture(scope="module")
def glasses(tiny, tmp_path_factory, few) -> dict[str, Path]:
    """The small glass; itself in other chunks and another order; without an atom; and with its ids dealt out anew."""
    home = tmp_path_factory.mktemp("compared")
    lines = (tiny / "tiny.dump").read_text().splitlines()
    head, atoms = lines[:9], lines[9:57]
    rng = np.random.default_rng(1)
    ids = rng.permutation(48) + 1
    texts = {
        "whole": atoms,
        "cut": [atoms[k] for k in rng.permutation(48)],
        "vacancy": [line for line in atoms if line.split()[0] != "7"],
        "other": [f"{k} {line.split(maxsplit=1)[1]}" for k, line in zip(ids, atoms, strict=True)],
    }
    made = {}
    for name, rows in texts.items():
        dump = home / f"{name}.dump"
        dump.write_text("\n".join([*head[:3], str(len(rows)), *head[4:], *rows]) + "\n")
        made[name] = stored(dump, tiny / "tiny.qs", few, 16 if name == "cut" else 24)
    return made


def qs_by_id(store: Path) -> dict[int, float]:
    root = StoreReader(store)
    return dict(zip(root["atoms/id"][:].tolist(), root["softness/tiny/qs"][:].tolist(), strict=True))


def test_distributions_and_distances_are_those_of_scipy(glasses, tiny, few):
    found = qsdask.compare([glasses["whole"], glasses["vacancy"]], model=tiny / "tiny.qs", run=few)
    known = [np.array([x for x in qs_by_id(glasses[name]).values() if x == x]) for name in ("whole", "vacancy")]
    for k, qs in enumerate(known):
        assert found["n_usable"][k] == len(qs)
        assert found["qs_std"][k].item() == pytest.approx(qs.std(), abs=1e-8)
        assert found["fraction_hard"][k].item() == pytest.approx((qs < 0.1).mean())
    assert found["distance"][0] == 0.0
    assert found["distance"][1].item() == pytest.approx(wasserstein_distance(*known), abs=2.5e-4)
    for variable in found.variables.values():
        assert variable.attrs["long_name"]


def test_the_change_of_each_atom_is_that_of_a_plain_loop(glasses, tiny, few):
    before, after = qs_by_id(glasses["whole"]), qs_by_id(glasses["vacancy"])
    change = change_of_softness(glasses["whole"], glasses["vacancy"], model=tiny / "tiny.qs")
    assert change["id"].values.tolist() == sorted(set(before) - {7})
    plain = np.array([after[k] - before[k] for k in sorted(after)])
    np.testing.assert_array_equal(change["delta_qs"].values, plain)
    plain = plain[np.isfinite(plain)]
    row = qsdask.compare([glasses["whole"], glasses["vacancy"]], model=tiny / "tiny.qs", run=few).isel(glass=1)
    assert row["n_common"] == len(plain) == row["delta_count"].sum()
    assert row["delta_size"].item() == pytest.approx(np.abs(plain).mean())
    assert np.abs(plain).max() > 0.0


def test_chunks_and_order_change_nothing(glasses, tiny, few):
    model = tiny / "tiny.qs"
    same = qsdask.compare([glasses["whole"], glasses["cut"]], model=model, run=few).isel(glass=1)
    assert same["distance"] == same["distance_error"] == same["delta_size"] == 0.0
    one, two = (qsdask.compare([glasses[n], glasses["vacancy"]], model=model, run=few) for n in ("whole", "cut"))
    xr.testing.assert_identical(one.drop_vars("glass"), two.drop_vars("glass"))


def test_ids_alone_do_not_make_the_same_atoms(glasses, tiny, few):
    assert same_atoms(glasses["whole"], glasses["vacancy"])
    assert not same_atoms(glasses["whole"], glasses["other"])
    found = qsdask.compare([glasses["whole"], glasses["other"]], model=tiny / "tiny.qs", run=few)
    assert found["n_common"].values.tolist() == [0, 0]
    with pytest.raises(BadDataError, match="E-OTHER-ATOMS"):
        change_of_softness(glasses["whole"], glasses["other"], model=tiny / "tiny.qs")


def test_what_cannot_be_compared_is_told_with_the_command(glasses, tiny, own, few):
    with pytest.raises(UsageError, match="E-COMPARE"):
        qsdask.compare([glasses["whole"]], model=tiny / "tiny.qs", run=few)
    shutil.rmtree(own / "tiny.zarr" / "ledger" / "softness")
    with pytest.raises(NoInputError, match="E-STAGE-MISSING") as told:
        qsdask.compare([glasses["whole"], own / "tiny.zarr"], model=tiny / "tiny.qs", run=few)
    assert f"qsdask predict {own / 'tiny.zarr'} --model" in told.value.hint


def test_the_command_prints_draws_and_writes(glasses, tiny, tmp_path, capsys):
    pair = [str(glasses[name]) for name in ("whole", "vacancy")]
    asked = ["compare", *pair, "--model", str(tiny / "tiny.qs"), "--cluster", "threads", "--quiet"]
    files = {ending: tmp_path / f"change.{ending}" for ending in ("extxyz", "dump", "zarr")}
    assert main([*asked, "--png", str(tmp_path / "all.png"), "--out", str(files["extxyz"])]) == 0
    assert "became soft" in capsys.readouterr().out
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    for ending in ("dump", "zarr"):
        assert main([*asked, "--out", str(files[ending]), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["n_common"][0] == 0
    change = change_of_softness(*pair, model=tiny / "tiny.qs")
    xr.testing.assert_equal(xr.open_zarr(files["zarr"], consolidated=False).load(), change)
    frame = next(iter(open_trajectory(files["dump"]).read(0, 1)))
    assert sorted(frame.id.tolist()) == change["id"].values.tolist()
    assert files["extxyz"].read_text().splitlines()[1].count("delta_qs:R:1") == 1
    row = next(line.split() for line in files["extxyz"].read_text().splitlines()[2:] if line.split()[4] == "1")
    assert float(row[-1]) == pytest.approx(change["delta_qs"].values[0], abs=1e-12, nan_ok=True)
    assert main([*asked, "--png", str(tmp_path / "all.png")]) != 0
    assert "E-EXISTS" in capsys.readouterr().err


def test_replicas_of_a_condition_are_averaged_with_their_errors(glasses, tiny, tmp_path, few, capsys):
    table, png = tmp_path / "conditions.csv", tmp_path / "ensemble.png"
    table.write_text("store,composition,rate\nwhole,Cu65Zr35,1e13\nvacancy,Cu65Zr35,1e13\nother,Cu50Zr50,5e12\n")
    names, model = ("whole", "vacancy", "other"), str(tiny / "tiny.qs")
    stores = [glasses[name] for name in names]
    found = qsdask.compare(stores, model=model, conditions=table, run=few)
    assert found["condition"].values.tolist() == ["Cu50Zr50, 5e12 K/s", "Cu65Zr35, 1e13 K/s"]
    assert found["condition_glasses"].values.tolist() == [1, 2]
    std = found["qs_std"].values
    np.testing.assert_allclose(found["condition_qs_std"], [std[2], std[:2].mean()])
    np.testing.assert_allclose(found["condition_qs_std_error"], [np.nan, std[:2].std(ddof=1) / np.sqrt(2)])
    np.testing.assert_allclose(found["condition_qs_density"][1], found["qs_density"].values[:2].mean(axis=0))
    turned = qsdask.compare(stores[::-1], model=model, conditions=table, run=few)
    np.testing.assert_allclose(turned["condition_qs_std"], found["condition_qs_std"], rtol=1e-14)
    asked = [*map(str, stores), "--model", model, "--conditions", str(table), "--cluster", "threads", "--quiet"]
    assert main(["compare", *asked, "--png", str(png)]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("0.230", "0.196", "5.4\u00a0%", "standard error over replicas"))
    assert png.read_bytes()[:4] == b"\x89PNG"
