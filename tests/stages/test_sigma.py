"""A glass in units of Lennard-Jones: all stages in sigma, and every number without a dimension that of the glass in angstrom."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.cli.tables import print_soft_spots
from qsdask.errors import BadDataError, UsageError
from qsdask.learn import loaded
from qsdask.reporting.softness_map import softness_map
from qsdask.store.reader import StoreReader
from qsdask.study.slice import slice_through
from qsdask.study.spectrum import spectrum
from qsdask.views.info import specimen_of
from qsdask.views.soft_spots import slice_of, soft_spots

#: A power of two, so that both twins have the same digits.
SIGMA = 2.0
OPTIONS = ["--cluster", "threads", "--quiet"]
LENGTHS = {
    "radius": {"Cu": 1.28, "Zr": 1.58},
    "cutoff": 4.0,
    "open_radius": 8.0,
    "threshold": 16.0,
    "margin": 2.0,
    "thick": 4.0,
}


def glass_dump(golden, file, seed: int, scale: float, units: str):
    """The golden glass of 256 atoms, pulled, with atoms that jump; lengths divided by `scale`."""
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    low, high = np.array([line.split() for line in lines[5:8]], float).T
    kind = [line.split()[1] for line in lines[9:]]
    start = np.array([line.split()[2:] for line in lines[9:]], float)
    chance = np.random.default_rng(seed)
    start = np.round((start - low + chance.random(3) * (high - low)) % (high - low), 4)
    text = f"ITEM: UNITS\n{units}\n"
    for step in range(3):
        edge = np.round((high - low) * (1 + 0.02 * step * np.array([0, 0, 1])), 4)
        moved = start * edge / np.round(high - low, 4) + chance.normal(0, 0.25 * step, start.shape)
        moved = np.round(moved, 4) / scale
        text += f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n256\nITEM: BOX BOUNDS ff pp pp\n"
        text += "".join(f"0 {v / scale!r}\n" for v in edge.tolist()) + "ITEM: ATOMS id type x y z\n"
        # Ids of their own: two glasses, not one.
        text += "".join(
            f"{1000 * seed + i} {kind[i]} {x!r} {y!r} {z!r}\n" for i, (x, y, z) in enumerate(moved.tolist())
        )
    file.write_text(text)
    return file


def scaled(scale: float) -> dict:
    radius = {name: r / scale for name, r in LENGTHS["radius"].items()}
    power = {"threshold": 2}
    return {n: v / scale ** power.get(n, 1) for n, v in LENGTHS.items() if n != "radius"} | {"radius": radius}


def made(golden, home, few, scale: float, units: str):
    """Two stores with all stages and a model of the first."""
    home.mkdir()
    of, stores = scaled(scale), []
    for seed in (1, 2):
        dump = glass_dump(golden, home / f"{seed}.dump", seed, scale, units)
        store = qsdask.ingest(dump, home / f"{seed}.zarr", species=["Cu", "Zr"], radius=of["radius"], chunk=80, run=few)
        qsdask.shells(store, cutoff=of["cutoff"], open_radius=of["open_radius"], run=few)
        qsdask.features(store, set="interstice,symmetry_function,volume", run=few)
        qsdask.respond(store, cutoff=of["cutoff"], run=few)
        stores.append(store)
    learned = {"strain": 0.04, "threshold": of["threshold"], "surface_margin": of["margin"]}
    model = qsdask.train(stores[0], model=home / "m.qs", **learned, folds=2, draws=1, trees=10, run=few)
    qsdask.predict(stores[1], model=model, run=few)
    return stores, model


@pytest.fixture(scope="module")
def angstrom(golden, tmp_path_factory, few):
    return made(golden, tmp_path_factory.mktemp("twins") / "metal", few, 1.0, "metal")


@pytest.fixture(scope="module")
def sigma(golden, tmp_path_factory, few):
    return made(golden, tmp_path_factory.mktemp("twins") / "lj", few, SIGMA, "lj")


def test_all_numbers_without_a_dimension_are_the_same(angstrom, sigma):
    trees = [qsdask.open_store(stores[1]) for stores, _ in (angstrom, sigma)]
    for group in ("interstice", "symmetry_function", "volume"):
        one, two = (tree[f"features/{group}"].ds["value"].values for tree in trees)
        assert np.isfinite(one).any()
        np.testing.assert_allclose(two, one, rtol=1e-6, equal_nan=True)
    one, two = (tree["response/d2min"].ds["d2min"].values for tree in trees)
    np.testing.assert_allclose(two * SIGMA**2, one, rtol=1e-9, equal_nan=True)
    one, two = (tree["softness/m"].ds["qs"].values for tree in trees)
    np.testing.assert_allclose(two, one, rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize(
    "asked",
    [{"set": "elastic_network"}, {"set": "soft_sphere_response"}, {"set": "interstice", "coarsen_exponential": [1.0]}],
)
def test_what_is_defined_in_angstrom_is_refused(sigma, few, asked):
    """In a store and in memory; nothing is begun."""
    store = sigma[0][0]
    with pytest.raises(UsageError, match=r"(?s)E-NO-DEFAULT.*in sigma here.*defined by lengths in angstrom"):
        qsdask.features(store, **asked, run=few)
    dump = store.with_suffix(".dump")
    radius = scaled(SIGMA)["radius"]
    with pytest.raises(UsageError, match=r"(?s)E-NO-DEFAULT.*in sigma here"):
        qsdask.describe(dump, **asked, species=["Cu", "Zr"], radius=radius, cutoff=2.0, open_radius=4.0)


def test_all_sets_are_those_that_need_no_angstrom(sigma, few, caplog):
    qsdask.features(sigma[0][1], set="all", run=few)
    made = qsdask.open_store(sigma[0][1])["features"].children
    assert "coordination" in made
    assert not {"elastic_network", "soft_sphere_response"} & set(made)
    assert "all is without elastic_network" in caplog.text


def test_scores_and_questions_are_the_same(angstrom, sigma, few):
    scores = [qsdask.evaluate(stores[1], model=model, run=few) for stores, model in (angstrom, sigma)]
    assert scores[0]["auc_roc"] == pytest.approx(scores[1]["auc_roc"], abs=1e-9)
    for name in ("usable", "plastic", "excluded", "recall", "precision"):
        assert scores[0][name] == scores[1][name]
    assert 0 < scores[0]["excluded"]["surface"] < 256
    whole = [qsdask.activation(stores[1], model=model, run=few) for stores, model in (angstrom, sigma)]
    for name in whole[0].data_vars:
        np.testing.assert_allclose(whole[1][name], whole[0][name], rtol=1e-6)
    one, two = (spectrum(stores[1], model=model, run=few) for stores, model in (angstrom, sigma))
    assert two["d2_count"].sum() == one["d2_count"].sum() > 100
    # The bins follow the threshold, 5 in angstrom^2 if it is not given.
    np.testing.assert_allclose(two["d2_lower"] / 4.0, one["d2_lower"] / 5.0)
    np.testing.assert_allclose(two["d2_mean_all"] * SIGMA**2, one["d2_mean_all"], rtol=1e-6)
    assert (two["d2_lower"].attrs["units"], two.attrs["threshold_sigma2"]) == ("sigma^2", 4.0)
    assert "threshold_angstrom2" not in two.attrs
    cuts = [
        slice_through(stores[1], model=model, thickness=LENGTHS["thick"] / scale, run=few)
        for (stores, model), scale in ((angstrom, 1.0), (sigma, SIGMA))
    ]
    for name in ("u", "v", "radius"):
        np.testing.assert_allclose(cuts[1][name] * SIGMA, cuts[0][name], rtol=1e-9)
        assert cuts[1][name].attrs["units"] == "sigma"
    assert cuts[1].attrs["thickness_sigma"] == 2.0


def test_the_store_says_its_unit_everywhere(sigma, capsys):
    stores, _ = sigma
    tree = qsdask.open_store(stores[1])
    units = {v.attrs.get("units", "1") for node in tree.subtree for v in node.ds.variables.values()}
    assert units == {"1", "sigma", "sigma^2", "sigma^3"}
    shells = next(s for s in qsdask.info(stores[1])["stages"] if s["stage"] == "shells")
    assert (shells["settings"]["cutoff_sigma"], shells["settings"]["open_radius_sigma"]) == (2.0, 4.0)
    assert not any("angstrom" in name for s in qsdask.info(stores[1])["stages"] for name in s["settings"])
    assert specimen_of(stores[1])["units"] == "sigma, as in the file (lj units)"
    assert main(["info", str(stores[1])]) == 0
    said = capsys.readouterr().out
    assert "sigma, as in the file" in said
    assert "angstrom" not in said


def test_page_and_pictures_speak_of_sigma(sigma, tmp_path, capsys):
    (_, store), model = sigma
    out = tmp_path / "page.html"
    command = ["report", str(store), "--model", str(model), "--out", str(out), *OPTIONS]
    assert main(command) == 64
    assert "--slice-thickness NUMBER" in capsys.readouterr().err
    assert main([*command, "--slice-thickness", "2"]) == 0
    page = out.read_text()
    assert "D² &gt; 4 σ² at strain" in page
    # What is published is in angstrom, and nothing else.
    assert re.findall(r"[^<>]{0,10}Å", page) == ["ce of 2.0 Å", " below 10 Å", "ver at 10 Å"]


def test_the_settings_of_the_page_hold_no_python(angstrom, tmp_path):
    (_, store), model = angstrom
    assert main(["report", str(store), "--model", str(model), "--out", str(tmp_path / "page.html"), *OPTIONS]) == 0
    assert "None" not in re.sub(r"base64,[^\"]*", "", (tmp_path / "page.html").read_text())


@pytest.mark.parametrize("said", [True, False])
def test_the_softness_of_a_file_in_sigma_is_told_and_written_in_sigma(sigma, tmp_path, capsys, said):
    """By the unit that the file names, or the user; the picture too, in a slice as thick for its atoms as 4 angstrom."""
    (_, store), model = sigma
    text = (store.parent / "2.dump").read_text()
    dump = tmp_path / "g.dump"
    dump.write_text(text if said else text.replace("ITEM: UNITS\nlj\n", ""))
    radius = ",".join(f"{name}={size / SIGMA}" for name, size in LENGTHS["radius"].items())
    out, png = tmp_path / "qs.dump", tmp_path / "qs.png"
    command = [
        "softness",
        str(dump),
        "--species",
        "Cu,Zr",
        "--radius",
        radius,
        "--model",
        str(model),
        "--accept-outside",
    ]
    command += ["--out", str(out), "--png", str(png), *([] if said else ["--units", "lj"]), *OPTIONS]
    assert main(command) == 0
    assert "Å" not in capsys.readouterr().out
    assert png.stat().st_size
    assert out.read_text().startswith("ITEM: UNITS\nlj\n")
    found, tree = out.read_text().splitlines(), qsdask.open_store(store)
    start = next(k for k, line in enumerate(found) if line.startswith("ITEM: ATOMS"))
    at = found[start].split()[2:].index("qs")
    by_id = {int(line.split()[0]): float(line.split()[at]) for line in found[start + 1 :]}
    wanted = dict(zip(tree["atoms/id"].values.tolist(), tree["softness/m/qs"].values.tolist(), strict=True))
    assert by_id.keys() == wanted.keys()
    np.testing.assert_allclose([by_id[k] for k in wanted], list(wanted.values()), rtol=1e-6)


def test_soft_spots_and_a_slice_say_sigma(sigma, capsys):
    (_, store), model = sigma
    told = soft_spots(StoreReader(store), loaded(str(model)), "m")
    one = {"n_cluster": 1, "clusters": [{"size": 3, "centre": [1.0, 2.0, 3.0]}]}
    print_soft_spots({**told, **one, "model": "m", "frame": 0, "written": []})
    said = capsys.readouterr().out
    assert "centre, σ" in said
    assert "Å" not in said
    cut = slice_of(StoreReader(store), "m")
    assert cut.attrs["length"] == "sigma"
    assert cut.attrs["thickness_sigma"] == pytest.approx(2.5 * LENGTHS["radius"]["Zr"] / SIGMA)
    (axes, _) = softness_map(cut).axes
    assert "σ" in axes.figure.get_suptitle() + axes.get_xlabel() + axes.get_ylabel()
    assert "Å" not in axes.figure.get_suptitle() + axes.get_xlabel() + axes.get_ylabel()


def test_nothing_that_is_a_length_has_a_default(sigma, golden, tmp_path, few):
    dump = glass_dump(golden, tmp_path / "g.dump", 3, SIGMA, "lj")
    with pytest.raises(BadDataError, match=r"(?s)E-RADIUS.*in sigma, for example --radius Cu=0.5,Zr=0.5"):
        qsdask.ingest(dump, tmp_path / "g.zarr", species=["Cu", "Zr"], run=few)
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=["Cu", "Zr"], radius=scaled(SIGMA)["radius"], run=few)
    for call, options in (
        (lambda: qsdask.shells(store, run=few), "--cutoff auto --open-radius NUMBER"),
        (lambda: qsdask.shells(store, cutoff="auto", run=few), "--open-radius NUMBER"),
        (lambda: qsdask.respond(store, run=few), "--cutoff auto"),
        (
            lambda: qsdask.train(sigma[0], model=tmp_path / "m.qs", run=few),
            "--threshold NUMBER --surface-margin NUMBER",
        ),
        (lambda: slice_through(sigma[0][1], model=sigma[1], run=few), "--slice-thickness NUMBER"),
        (lambda: qsdask.open_store(sigma[0][1]).qs.plastic(0.04), "threshold=NUMBER"),
        (lambda: qsdask.open_store(sigma[0][1]).qs.activation(), "threshold=NUMBER"),
        (lambda: qsdask.open_store(sigma[0][1]).qs.slab("x"), "thickness=NUMBER"),
    ):
        with pytest.raises(UsageError) as error:
            call()
        assert error.value.code == "E-NO-DEFAULT"
        assert options in error.value.hint
    some = qsdask.open_store(sigma[0][1]).qs.plastic(0.04, threshold=4.0).sizes["atom"]
    assert 0 < some < 256
    # Deformed frames have the lengths of the undeformed one.
    qsdask.shells(store, cutoff="auto", open_radius=4.0, run=few)
    qsdask.shells(store, step=2, run=few)
    kept = {s["stage"]: s["settings"]["cutoff_sigma"] for s in qsdask.info(store)["stages"] if "shells" in s["stage"]}
    assert kept["shells"] == kept["steps/2/shells"]
    assert 3.4 < kept["shells"] * SIGMA < 4.1


def test_a_model_of_one_unit_is_not_for_the_other(angstrom, sigma, tmp_path, few):
    for (stores, _), (_, model) in ((angstrom, sigma), (sigma, angstrom)):
        with pytest.raises(BadDataError) as error:
            qsdask.predict(stores[1], model=model, run=few)
        assert error.value.code == "E-MODEL-UNITS"
    with pytest.raises(BadDataError, match="E-MODEL-UNITS"):
        qsdask.train([angstrom[0][0], sigma[0][1]], model=tmp_path / "x.qs", run=few)


def test_a_store_in_sigma_is_repaired_and_written_out(sigma, tmp_path, few):
    import shutil

    stores, _ = sigma
    store = shutil.copytree(stores[1], tmp_path / "own.zarr")
    for name in ("frames/position/c/1/0/0", "shells/cutoff/distance/c/0/0", "response/d2min/d2min/c/1/0"):
        (store / name).write_bytes(b"")
    qsdask.repair(store, source=stores[1].with_suffix(".dump"), run=few)
    assert not qsdask.verify(store, progress=False)
    out = qsdask.export(store, tmp_path / "out.dump", columns=["d2min"], step=2)
    again = qsdask.ingest(out, tmp_path / "again.zarr", radius=scaled(SIGMA)["radius"], strain_step=0.01, run=few)
    assert qsdask.open_store(again)["frames"].ds["position"].attrs["units"] == "sigma"


def test_lengths_of_the_si_become_angstrom(golden, tmp_path, few):
    factor = 1e-10
    metal = glass_dump(golden, tmp_path / "metal.dump", 4, 1.0, "metal")
    si = glass_dump(golden, tmp_path / "si.dump", 4, 1.0 / factor, "si")
    silent = tmp_path / "silent.dump"
    silent.write_text(si.read_text().replace("ITEM: UNITS\nsi\n", ""))
    stores = [
        qsdask.ingest(file, tmp_path / f"{file.stem}.zarr", species=["Cu", "Zr"], units=units, run=few)
        for file, units in ((metal, None), (si, None), (silent, "si"))
    ]
    for store in stores:
        qsdask.shells(store, run=few)
        qsdask.features(store, run=few)
    one, *others = (qsdask.open_store(store) for store in stores)
    for two in others:
        assert two["frames"].ds["position"].attrs["units"] == "angstrom"
        np.testing.assert_allclose(two["frames"].ds["position"], one["frames"].ds["position"], rtol=1e-14)
        np.testing.assert_allclose(
            two["features/interstice"].ds["value"], one["features/interstice"].ds["value"], rtol=1e-5
        )
    kept = [qsdask.info(store)["stages"][0] for store in stores]
    assert "units" not in kept[0]["settings"]
    for stage in kept[1:]:
        assert stage["settings"]["units"] == "si"
        factors = stage["provenance"]["units"]
        assert (factors["style"], factors["stored"]) == ("si", "angstrom")
        assert math.isclose(factors["factor"], 1e10)
    assert specimen_of(stores[1])["units"] == "angstrom, 10000000000 times the lengths of the file (si units)"
