"""Models of labels of the user's own: what they learn, on undeformed glasses too, and how they are scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import roc_auc_score

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.learn import load_model
from qsdask.settings import TrainSettings, validated
from qsdask.store.reader import StoreReader
from tests.conftest import SPECIES, carved
from tests.store_files import files_of

QUICK = {"draws": 1, "trees": 15, "folds": 3, "surface_margin": 0.0, "columns": "short_range"}
RULES = {
    "above": {"threshold": 0.6},
    "below": {"below": 0.4},
    "top": {"top": 0.05},
    "bottom": {"bottom": "5%"},
    "rank_high": {"rank": "high"},
    "rank_low": {"rank": "low"},
}


def undeformed(frame: str, store: Path, chunk: int, few) -> Path:
    """Store of one frame: nothing ever moved."""
    dump = store.with_suffix(".dump")
    dump.write_text(frame)
    qsdask.ingest(dump, store, species=SPECIES, chunk=chunk, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    return store


def barriers(store: Path, seed: int) -> dict[int, float]:
    """A property that follows from the structure in part, in eV; some atoms have none."""
    root = StoreReader(store)
    ids, names = root["atoms/id"][:], root.names("features/interstice/feature")
    one = root["features/interstice/value"][:, names.index("sro__interstice_volume__voro__mean")]
    order = np.argsort(ids)
    ids, one = ids[order], one[order]
    noise = np.random.default_rng(seed).normal(size=len(ids))
    value = 0.5 + 0.1 * (np.argsort(np.argsort(one)) / len(one) - 0.5) * 3 + 0.05 * noise
    value[::97] = np.nan
    return dict(zip(ids.tolist(), np.round(value, 9).tolist(), strict=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory, frames, few) -> Path:
    """Two halves of a glass as undeformed stores, the second one cut in two ways, with barriers; not to be changed."""
    home = tmp_path_factory.mktemp("own")
    half = {"learned": np.arange(1, 6913, 2), "aside": np.arange(2, 6913, 2)}
    for name, chunk in (("learned", 1000), ("aside", 4000), ("cut", 700)):
        frame = carved(frames[0], half.get(name, half["aside"]))
        store = undeformed(frame, home / f"{name}.zarr", chunk, few)
        values = barriers(store, len(half) if name == "learned" else 7)
        qsdask.label(store, values=values, name="barrier", unit="eV", run=few)
    return home


@pytest.fixture(scope="module")
def models(made, few) -> dict[str, Path]:
    found = {}
    for rule, settings in RULES.items():
        model = made / f"{rule}.qs"
        found[rule] = qsdask.train(made / "learned.zarr", model=model, label="barrier", **settings, **QUICK, run=few)
        for store in ("aside", "cut"):
            qsdask.predict(made / f"{store}.zarr", model=model, run=few)
    return found


def by_id(store: Path, name: str) -> np.ndarray:
    root = StoreReader(store)
    return root[name][:][np.argsort(root["atoms/id"][:])]


def softness_and_value(store: Path, model: str) -> tuple[np.ndarray, np.ndarray]:
    qs, value = by_id(store, f"softness/{model}/qs"), by_id(store, "labels/barrier/value")
    known = np.isfinite(qs) & np.isfinite(value)
    return qs[known], value[known]


def extreme(value: np.ndarray, largest: bool) -> np.ndarray:
    order = np.argsort(value if largest else -value)
    found = np.zeros(len(value), dtype=bool)
    found[order[-round(0.05 * len(value)) :]] = True
    return found


@pytest.mark.parametrize("rule", RULES)
def test_scores_are_those_of_scipy_and_scikit_learn_and_do_not_depend_on_the_cut(made, models, few, rule):
    scores = qsdask.evaluate(made / "aside.zarr", model=models[rule], run=few)
    qs, value = softness_and_value(made / "aside.zarr", rule)
    assert scores["usable"] == len(qs) < scores["atoms"]
    assert scores["excluded"]["label"] == 36
    sign = 1 if rule in ("above", "top", "rank_high") else -1
    assert scores["auc_top"] == pytest.approx(roc_auc_score(extreme(value, True), sign * qs), abs=2e-5)
    assert scores["auc_bottom"] == pytest.approx(roc_auc_score(extreme(value, False), -sign * qs), abs=2e-5)
    assert scores["spearman"] == pytest.approx(spearmanr(qs, value).statistic, abs=2e-5)
    assert scores["r2"] == pytest.approx(pearsonr(qs, value).statistic ** 2, abs=2e-6)
    # Something was learned, in the right direction.
    assert sign * scores["spearman"] > 0.3
    assert min(scores["auc_top"], scores["auc_bottom"], scores["auc_roc"]) > 0.6
    other = qsdask.evaluate(made / "cut.zarr", model=models[rule], run=few)
    for name in ("auc_top", "auc_bottom", "spearman", "r2", "auc_roc", "average_precision", "plastic"):
        assert scores[name] == other[name], name


@pytest.mark.parametrize("rule", RULES)
def test_a_model_says_what_it_learned_and_which_atoms_were_soft(made, models, few, rule):
    label = load_model(models[rule]).label
    assert (label["name"], label["unit"], label["rule"]) == ("barrier", "eV", rule)
    assert "strain" not in label
    assert load_model(models[rule]).record()["format_version"] == 2
    value = by_id(made / "aside.zarr", "labels/barrier/value")
    known = value[np.isfinite(value)]
    wanted = {
        "above": (known > 0.6).sum(),
        "below": (known < 0.4).sum(),
        "top": round(0.05 * len(known)),
        "bottom": round(0.05 * len(known)),
        "rank_high": len(known) // 2,
        "rank_low": len(known) // 2,
    }
    scores = qsdask.evaluate(made / "aside.zarr", model=models[rule], run=few)
    assert scores["plastic"] == wanted[rule]
    assert (scores["label"], scores["unit"]) == ("barrier", "eV")
    assert "strain" not in scores


def test_the_model_does_not_depend_on_the_cut_nor_on_the_learning_again(made, models, few, tmp_path):
    for rule in ("top", "rank_low"):
        again = qsdask.train(
            made / "learned.zarr", model=tmp_path / f"{rule}.qs", label="barrier", **RULES[rule], **QUICK, run=few
        )
        assert load_model(again).digest() == load_model(models[rule]).digest()
        one, two = (
            qsdask.train(
                made / f"{store}.zarr",
                model=tmp_path / f"{store}-{rule}.qs",
                label="barrier",
                **RULES[rule],
                **QUICK,
                run=few,
            )
            for store in ("aside", "cut")
        )
        assert load_model(one).trees == load_model(two).trees


def test_d2min_as_a_label_of_its_own_gives_the_trees_of_d2min(glass, few, tmp_path):
    glass = shutil.copytree(glass, tmp_path / "glass.zarr")
    root = StoreReader(glass)
    values = dict(zip(root["atoms/id"][:].tolist(), root["response/d2min/d2min"][3].tolist(), strict=True))
    qsdask.label(glass, values=values, name="moved", unit="angstrom^2", run=few)
    quick = {**QUICK, "threshold": 5}
    theirs = load_model(qsdask.train(glass, model=tmp_path / "d2min.qs", strain=0.04, **quick, run=few))
    mine = load_model(qsdask.train(glass, model=tmp_path / "own.qs", label="moved", **quick, run=few))
    assert mine.trees == theirs.trees
    # The label of the response is kept as it always was.
    assert set(theirs.label) == {
        "strain",
        "threshold",
        "surface_margin_angstrom",
        "host",
        "cutoff_angstrom",
        "normalise",
    }


def test_ranks_are_learned_as_lightgbm_learns_them(made, models):
    model = load_model(models["rank_high"])
    assert all("objective=cross_entropy" in text for text in model.trees.values())
    assert model.prior == pytest.approx(0.5, abs=1e-3)
    lightgbm = pytest.importorskip("lightgbm")
    root = StoreReader(made / "aside.zarr")
    names = root.names("features/interstice/feature")
    X = root["features/interstice/value"][:][:, [names.index(name) for name in model.columns]]
    X = X[np.isfinite(X).all(axis=1)]
    peer = [lightgbm.Booster(model_str=model.trees[name]).predict(X) for name in sorted(model.trees)]
    from qsdask.learn import probabilities

    np.testing.assert_array_equal(probabilities(model, X), peer)


@pytest.mark.parametrize("rule", ["bottom", "rank_high", "above"])
def test_the_linear_learner_learns_the_ranks_whatever_the_rule_and_the_cut(made, few, tmp_path, rule):
    settings = {
        "label": "barrier",
        **RULES[rule],
        "learner": "response",
        "columns": "short_range",
        "surface_margin": 0.0,
    }
    found = {}
    for store in ("aside", "cut", "learned"):
        model = qsdask.train(made / f"{store}.zarr", model=tmp_path / f"{rule}-ridge-{store}.qs", **settings, run=few)
        found[store] = load_model(model)
    assert found["aside"].record()["linear"] == found["cut"].record()["linear"]
    sign = -1 if rule == "bottom" else 1
    assert found["learned"].settings["target"] == {"rank": "low" if sign < 0 else "high"}
    qsdask.predict(made / "aside.zarr", model=model, run=few)
    scores = qsdask.evaluate(made / "aside.zarr", model=model, run=few)
    qs, value = softness_and_value(made / "aside.zarr", model.stem)
    assert scores["spearman"] == pytest.approx(spearmanr(qs, value).statistic, abs=2e-5)
    assert sign * scores["spearman"] > 0.5
    assert min(scores["auc_top"], scores["auc_bottom"], scores["auc_roc"]) > 0.7


def test_stores_must_have_the_label_in_one_unit(made, models, few, tmp_path, frames):
    with pytest.raises(NoInputError) as caught:
        qsdask.train(made / "learned.zarr", model=tmp_path / "m.qs", label="p_hop", top=0.05, run=few)
    assert caught.value.code == "E-STAGE-MISSING"
    assert "qsdask label" in caught.value.hint
    other = undeformed(carved(frames[0], np.arange(2, 600, 2)), tmp_path / "other.zarr", 65536, few)
    values = {k: 1000.0 * v for k, v in barriers(other, 1).items()}
    qsdask.label(other, values=values, name="barrier", unit="meV", run=few)
    with pytest.raises(BadDataError, match="in meV in this store, in eV") as caught:
        qsdask.train([made / "learned.zarr", other], model=tmp_path / "m.qs", label="barrier", top=0.05, run=few)
    assert caught.value.code == "E-LABEL-UNIT"
    qsdask.predict(other, model=models["top"], accept_outside=True, run=few)
    with pytest.raises(BadDataError) as caught:
        qsdask.evaluate(other, model=models["top"], run=few)
    assert caught.value.code == "E-LABEL-UNIT"


def test_a_label_without_two_classes_is_told_by_its_name(made, few, tmp_path):
    with pytest.raises(BadDataError, match="barrier quantiles") as caught:
        qsdask.train(made / "learned.zarr", model=tmp_path / "m.qs", label="barrier", threshold=99, **QUICK, run=few)
    assert caught.value.code == "E-ONE-CLASS"
    assert "D2min" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"label": "barrier"}, "exactly one of threshold, below, top, bottom, rank; given: none"),
        ({"label": "barrier", "top": "5%", "threshold": 1}, "given: threshold, top"),
        ({"label": "barrier", "top": "60%"}, "top"),
        ({"label": "barrier", "top": "many"}, "top"),
        ({"label": "barrier", "top": "5%", "strain": 0.04}, "has no strain"),
        ({"label": "d2min", "bottom": 0.05}, "bottom is of labels of your own"),
        ({"label": "d2min", "threshold": -1}, "greater than 0"),
        ({"label": "D2min", "threshold": 1}, "cannot be the name of a label"),
    ],
)
def test_settings_that_do_not_fit_the_label_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        validated(TrainSettings, **settings)


def test_what_models_and_jobs_keep_of_the_usual_labels_is_as_before():
    assert not {"below", "top", "bottom", "rank"} & set(TrainSettings().stored())
    assert validated(TrainSettings, label="barrier", threshold=-3.5).own_rule == ("above", -3.5)
    assert validated(TrainSettings, label="barrier", bottom="5%").own_rule == ("bottom", 0.05)
    assert validated(TrainSettings, label="propensity").own_rule is None


def test_questions_about_strain_say_what_the_model_does_not_know(glass, models, made, few, tmp_path):
    glass = shutil.copytree(glass, tmp_path / "glass.zarr")
    qsdask.predict(glass, model=models["top"], accept_outside=True, run=few)
    with pytest.raises(UsageError, match="learned barrier") as caught:
        qsdask.activation(glass, model=models["top"], run=few)
    assert caught.value.code == "E-THRESHOLD"
    assert qsdask.activation(glass, model=models["top"], threshold=5.0, run=few).sizes["step"] == 4
    for ask in (qsdask.evaluate, qsdask.report):
        with pytest.raises(UsageError) as caught:
            ask(made / "aside.zarr", model=models["top"], frame=1, run=few)
        assert caught.value.code == "E-STEP"
    with pytest.raises(NoInputError) as caught:
        qsdask.evaluate(glass, model=models["top"], run=few)
    assert caught.value.code == "E-STAGE-MISSING"


def test_the_page_of_an_undeformed_glass_has_the_scores(made, models, few, tmp_path):
    page = qsdask.report(made / "aside.zarr", model=models["bottom"], out=tmp_path / "page.html", run=few).read_text()
    assert "smallest 5 % of barrier in each glass" in page
    assert "Spearman of QS and barrier" in page
    assert "0.771" not in page.partition("Test on the held-out glass")[2].partition("</section>")[0]


def test_the_commands_do_so_too(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    where = ["--cluster", "threads", "--quiet"]
    table = Path("b.csv")
    value = by_id(made / "aside.zarr", "labels/barrier/value")
    ids = np.sort(StoreReader(made / "aside.zarr")["atoms/id"][:])
    table.write_text("atom;E\n" + "".join(f"{k};{v}\n" for k, v in zip(ids, value, strict=True)))
    typed = ["--from", str(table), "--name", "energy", "--unit", "eV", "--id-column", "atom", "--column", "E"]
    assert main(["label", str(made / "aside.zarr"), *typed, *where]) == 0
    assert "3420 atoms have a value, 36 have none" in capsys.readouterr().out
    learn = ["--label", "barrier", "--bottom", "5%", "--draws", "1", "--trees", "5", "--surface-margin", "0"]
    assert main(["train", str(made / "learned.zarr"), "--model", "low.qs", *learn, *where]) == 0
    assert main(["predict", str(made / "aside.zarr"), "--model", "low.qs", *where]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(made / "aside.zarr"), "--model", "low.qs", "--json", *where]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert {"auc_top", "auc_bottom", "spearman", "r2", "auc_roc"} <= set(scores)
    assert main(["evaluate", str(made / "aside.zarr"), "--model", "low.qs", *where]) == 0
    assert "Spearman of QS and barrier" in capsys.readouterr().out
    assert (
        main(["label", str(made / "aside.zarr"), "--from", str(table), "--name", "qs", "--id-column", "atom", *where])
        == 64
    )
    assert "E-NAMING" in capsys.readouterr().err


def test_ranks_are_learned_as_tasks_and_together(made, models, tmp_path, few):
    given = {"label": "barrier", **RULES["rank_low"], **QUICK, "run": few}
    apart = qsdask.train(made / "learned.zarr", model=tmp_path / "rank_low.qs", parallel="models", **given)
    assert files_of(apart) == files_of(models["rank_low"])
    together = load_model(qsdask.train(made / "learned.zarr", model=tmp_path / "t.qs", parallel="data", **given))
    assert all("objective=cross_entropy" in text for text in together.trees.values())
    assert together.scores["mean"]["auc"] == pytest.approx(load_model(apart).scores["mean"]["auc"], abs=0.05)
