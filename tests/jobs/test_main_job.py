"""The whole job through the command line, on the shipped glasses: scores, files, resuming, refusals."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.engine.where import Run
from qsdask.jobs.recipe import load_recipe, shipped_recipe


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The quickstart in a folder, done once with worker processes."""
    folder = tmp_path_factory.mktemp("job")
    return qsdask.quickstart(folder, run=Run("local", 2, False, False))


def test_scores_of_the_held_out_glass(job):
    scores = job["scores"]["cu65_b"]
    assert scores["atoms"] == 6912
    assert scores["plastic_fraction"] == pytest.approx(0.0434, abs=1e-3)
    assert 0.66 < scores["auc_roc"] < 0.75
    assert scores["auc_roc"] > scores["auc_models_mean"] > scores["baselines"]["random"]["auc"] == 0.5
    assert json.loads((job["model"] / "model.json").read_text())["specimens"][0]["n_plastic"] == 217


def test_the_report_stands_alone(job):
    page = job["reports"]["cu65_b"].read_text()
    assert page.count("<img") >= 9
    assert not re.search(r"""(?:src|href)\s*=\s*["']?https?:""", page)
    assert "Quench-in softness of cu65_b" in page


def test_running_again_does_nothing_and_stays_the_same(job):
    before = {p: p.stat().st_mtime_ns for s in job["stores"].values() for p in s.rglob("*") if p.is_file()}
    again = qsdask.quickstart(job["folder"], run=Run("threads", 2, False, False))
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert again["scores"]["cu65_b"]["auc_roc"] == job["scores"]["cu65_b"]["auc_roc"]


def test_softness_is_the_mean_of_the_fold_models(job):
    from qsdask.learn import load_model, probabilities

    tree = qsdask.open_store(job["stores"]["cu65_b"])
    value = tree["features/interstice"].ds["value"].values
    each = probabilities(load_model(job["model"]), value)
    softness = tree["softness/cu65"].ds
    np.testing.assert_allclose(softness["qs"].values, each.mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(softness["qs_std"].values, each.std(axis=0), atol=1e-15)


def test_chunks_and_order_of_specimens_give_the_same_model(job, tmp_path):
    where = Run("threads", 2, False, False)
    copies = []
    for name, chunk in (("cu65_b", 6912), ("cu65_a", 1000)):
        store = tmp_path / f"{name}-{chunk}.zarr"
        data = shipped_recipe("quickstart").parents[1] / "qsdask" / "data"
        qsdask.ingest(
            data / f"{name}.dump.gz",
            store,
            species={1: "Cu", 2: "Zr"},
            strain_step=0.005,
            chunk=chunk,
            name=name,
            run=where,
        )
        qsdask.shells(store, run=where)
        qsdask.features(store, run=where)
        qsdask.respond(store, run=where)
        copies.append(store)
    few = {"draws": 1, "trees": 20}
    one = qsdask.train(list(job["stores"].values()), model=tmp_path / "one.qs", run=where, **few)
    two = qsdask.train(copies, model=tmp_path / "two.qs", run=where, **few)
    assert {f.name: f.read_bytes() for f in one.iterdir()} == {f.name: f.read_bytes() for f in two.iterdir()}


def command(*arguments: str) -> int:
    return main([str(a) for a in arguments])


def test_every_command_has_help_with_an_example(capsys):
    from qsdask.cli import cli

    for name in cli.commands:
        assert command(name, "--help") == 0
        assert f"qsdask {name}" in capsys.readouterr().out


def test_commands_print_tables_and_json(job, tmp_path, capsys):
    store, model = job["stores"]["cu65_b"], job["model"]
    assert command("info", store, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["specimen"]["atoms"] == 6912
    assert all(stage["complete"] for stage in found["stages"])
    assert command("info", store) == 0
    assert "interstice" in capsys.readouterr().out
    assert command("evaluate", store, "--model", model, "--json", "--cluster", "threads", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["auc_roc"] == job["scores"]["cu65_b"]["auc_roc"]
    assert command("activation", store, "--model", model, "--cluster", "threads", "--quiet") == 0
    assert "activation (mean QS of all atoms" in capsys.readouterr().out
    assert command("run", shipped_recipe("quickstart"), "--dry-run") == 0
    assert "memory per worker" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["frame.extxyz", "frame.dump"])
def test_export_holds_what_the_store_holds(job, tmp_path, name):
    store, out = job["stores"]["cu65_b"], tmp_path / name
    assert command("export", store, "--step", 8, "--columns", "qs,d2min", "--out", out) == 0
    lines = out.read_text().splitlines()
    start, key = (2, 4) if name.endswith("extxyz") else (9, 0)
    rows = [line.split() for line in lines[start:]]
    tree = qsdask.open_store(store)
    expected = dict(zip(tree["atoms"].ds["id"].values.tolist(), tree["softness/cu65"].ds["qs"].values, strict=True))
    assert len(rows) == 6912
    assert all(float(row[-2]) == expected[int(row[key])] for row in rows)


def test_refusals_have_codes_and_exit_statuses(job, tmp_path, capsys):
    store, model = job["stores"]["cu65_a"], job["model"]
    quiet = ("--cluster", "threads", "--quiet")
    assert command("predict", store, "--model", model, *quiet) == 0
    for arguments, status, code in (
        (("evaluate", store, "--model", model, *quiet), 65, "E-SPECIMEN-BOTH-SIDES"),
        (("shells", tmp_path / "none.zarr", *quiet), 66, "E-NO-STORE"),
        (("shells", store, "--cutoff", "3.5", *quiet), 73, "E-SETTINGS"),
        (("shells", store, "--cutoff", "-1", *quiet), 64, "E-SETTING"),
        (("features", store, "--set", "nonsense", *quiet), 64, "E-FEATURE-SET"),
        (("ingest", tmp_path / "none.dump", tmp_path / "x.zarr", *quiet), 66, "E-NO-FILE"),
        (("train", store, "--model", tmp_path / "m.qs", "--strain", "0.3", *quiet), 65, "E-STRAIN"),
        (("train", store, "--model", tmp_path / "m.qs", "--threshold", "1e6", *quiet), 65, "E-ONE-CLASS"),
        (("train", store, "--model", model, "--threshold", "4", *quiet), 73, "E-EXISTS"),
        (("train", store, store, "--model", tmp_path / "m.qs", *quiet), 65, "E-SPECIMEN-KEY"),
        (("export", store, "--out", tmp_path / "x.dump", "--columns", "nonsense"), 64, "E-COLUMN"),
        (("export", store, "--out", tmp_path / "x.dump", "--step", "99"), 64, "E-STEP"),
        (("run", tmp_path / "none.toml", *quiet), 66, "E-NO-FILE"),
        (("info", store, "--cluster", "nonsense"), 64, "No such option"),
        (("shells", store, "--overwrite", "--cluster", "nonsense", "--quiet"), 64, "E-CLUSTER"),
    ):
        assert command(*arguments) == status, arguments
        shown = capsys.readouterr().err
        assert code in shown, arguments
        assert "Traceback" not in shown


def test_a_model_refuses_features_defined_otherwise(job, tmp_path):
    where = Run("threads", 2, True, False)
    store = shutil.copytree(job["stores"]["cu65_b"], tmp_path / "other.zarr")
    qsdask.features(store, convention="amlearn", run=where)
    with pytest.raises(qsdask.QSDaskError, match="E-FEATURES-DIFFER") as refusal:
        qsdask.predict(store, model=job["model"], run=where)
    assert "convention" in str(refusal.value)


def test_recipes_are_checked(tmp_path):
    recipe, _ = load_recipe(shipped_recipe("quickstart"), ["train.threshold=4.5", "report.slice_axis=z"])
    assert recipe.train.threshold == 4.5
    assert recipe.report.slice_axis == "z"
    for change, found in (
        ("train.treshold=4", "treshold"),
        ("shells.cutoff_angstrom=-2", "cutoff_angstrom"),
        ("oops", "oops"),
    ):
        with pytest.raises(qsdask.QSDaskError, match=f"(?s)E-SETTING.*{found}"):
            load_recipe(shipped_recipe("quickstart"), [change])
    (tmp_path / "bad.toml").write_text("folder = [")
    with pytest.raises(qsdask.QSDaskError, match="E-RECIPE"):
        load_recipe(tmp_path / "bad.toml")
