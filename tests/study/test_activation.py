"""``qsdask activation``: localisation, crossover, avalanches and branches, the same for every cut, and its picture."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import qsdask
from qsdask.cli import main
from qsdask.store.reader import StoreReader

TYPED = ("--model", "cuzr-fast", "--cluster", "threads", "--quiet", "--block", "5.2")


def test_the_cut_into_domains_changes_no_number(shaken, few):
    one, other = (qsdask.activation(shaken[name], model="cuzr-fast", block=5.2, run=few) for name in ("whole", "cut"))
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    assert one.attrs["blocks"] == 27
    assert one["loading_branch"].values.tolist() == ["loading"]
    assert one["n_newly_branch"].values.tolist() == [int(one["n_newly"].sum())]


def test_avalanches_are_the_connected_newly_plastic_atoms(shaken, few):
    found = qsdask.activation(shaken["cut"], model="cuzr-fast", run=few)
    root = StoreReader(shaken["cut"])
    plastic = (root["response/d2min/d2min"][:] > 5.0) & np.isfinite(root["softness/cuzr-fast/qs"][:])
    first = np.where(plastic.any(axis=0), plastic.argmax(axis=0), -1)
    neighbour = root["shells/cutoff/neighbour"][:]
    line, slot = np.nonzero(neighbour >= 0)
    there = neighbour[line, slot]
    alike = (first[line] == first[there]) & (first[line] >= 0)
    _, group = connected_components(coo_array((np.ones(alike.sum()), (line[alike], there[alike])), shape=(256, 256)))
    sizes = np.bincount(group[first >= 0], minlength=group.max() + 1)
    for step in range(5):
        mine = sizes[np.unique(group[first == step])]
        assert found["n_avalanche"].values[step] == len(mine)
        assert found["avalanche_largest"].values[step] == mine.max(initial=0)
    assert found["avalanche_count"].sum() == (sizes > 0).sum()


def test_the_command_prints_draws_and_writes(shaken, tmp_path, capsys):
    png, whole = tmp_path / "a.png", tmp_path / "a.zarr"
    store = str(shaken["whole"])
    assert main(["activation", store, *TYPED, "--out", str(png), "--out", str(whole)]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("shear banding begins", "none found", "about 0.065", "Avalanches"))
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert xr.open_zarr(whole, consolidated=False)["stage"].values.tolist() == ["shear banding", "propagation"]
    assert main(["activation", store, *TYPED, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["crossover"] == [None, None]
