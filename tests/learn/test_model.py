"""Training, the model folder, and softness."""

import hashlib
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from qsdask.errors import BadDataError, CannotCreateError, NoInputError, UsageError
from qsdask.kernels.trees import forest_probabilities
from qsdask.learn import (
    Model,
    Specimen,
    Table,
    concatenate,
    definition_digest,
    load_model,
    probabilities,
    quench_in_softness,
    same_glass,
    save_model,
    train,
)
from qsdask.learn.definition import canonical
from qsdask.learn.forest import forest_of
from qsdask.learn.gbdt import train_one
from qsdask.learn.score import auc_roc
from qsdask.learn.tally import Tally
from qsdask.learn.tree_text import read_trees
from qsdask.settings import TrainSettings
from tests.learn.peer import authors_trees

FEW = TrainSettings(trees=20, draws=2)
ONCE = TrainSettings(trees=20, draws=1)
DEFINITION = {
    "features": {"set": "interstice", "convention": "paper"},
    "cutoff_angstrom": 4.0,
    "facet_fraction": 0.05,
    "radii": {"Cu": 1.26, "Zr": 1.58},
}
LABEL = {"strain": 0.04, "threshold": 5.0, "normalise": "sum", "cutoff_angstrom": 4.0, "surface_margin_angstrom": 0.0}


def glass(key, n=1200, seed=0, n_feature=20):
    """Weak, partly non-linear signal in many columns, as interstices give; about 5 % plastic."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_feature)).astype(np.float32)
    drive = 0.5 * X[:, :6].sum(axis=1) + 0.6 * X[:, 6] * X[:, 7] + rng.normal(scale=2.0, size=n)
    y = drive > np.quantile(drive, 0.92)
    fingerprint = tuple(float(d) for d in rng.uniform(2.4, 3.4, 6))
    specimen = Specimen(key, f"glass {key}", n, fingerprint=fingerprint, species=("Cu", "Zr"))
    columns = tuple(f"sro__c{k}" for k in range(n_feature))
    return Table((specimen,), np.zeros(n, int), np.arange(n) + 1, X, y, columns)


@pytest.fixture(scope="module")
def tables():
    return glass("0a", seed=1), glass("0b", seed=2)


@pytest.fixture(scope="module")
def model(tables):
    return train(tables, definition=DEFINITION, label=LABEL, settings=FEW)


@pytest.fixture
def folder(model, tmp_path):
    save_model(model, tmp_path / "m.qs")
    return tmp_path / "m.qs"


def test_training_depends_neither_on_order_nor_threads_nor_float_width(model, tables):
    a, b = tables
    order = np.random.default_rng(0).permutation(len(a))
    wide = Table(b.specimens, b.specimen, b.id, b.X.astype(np.float64), b.y, b.columns)
    parts = [wide, a.take(order[:500]), a.take(order[500:])]
    again = train(concatenate(parts), definition=DEFINITION, label=LABEL, settings=FEW, threads=2)
    assert again.trees == model.trees
    assert again.digest() == model.digest()


def test_model_text_is_the_same_for_one_and_two_threads_with_many_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 8)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + rng.normal(size=30_000) > 0
    columns = [f"c{k}" for k in range(8)]
    texts = {train_one(X, y, columns, FEW, seed=3, threads=n) for n in (1, 2, 3)}
    assert len(texts) == 1
    assert train_one(X, y, columns, FEW, seed=4) not in texts


def test_training_on_the_rows_that_undersampling_chooses_is_enough(model, tables):
    from qsdask.learn import undersample

    whole = concatenate(tables)
    chosen = [undersample(whole.y, whole.hashes(0, "undersample", d), tie=whole.specimen) for d in range(2)]
    part = whole.take(np.unique(np.concatenate(chosen)))
    assert len(part) < len(whole) / 3
    again = train(part, definition=DEFINITION, label=LABEL, settings=FEW)
    assert again.digest() == model.digest()
    assert again.prior == model.prior == whole.prior
    assert model.trained_prior == pytest.approx(0.5)


def test_the_seed_changes_the_models(model, tables):
    other = train(tables, definition=DEFINITION, label=LABEL, settings=TrainSettings(trees=20, draws=2, seed=1))
    assert not set(other.trees.values()) & set(model.trees.values())
    assert len(set(model.trees.values())) == 10


def test_auc_stands_beside_scikit_learn():
    train_on, test_on = glass("0a", n=4000, seed=3), glass("0b", n=12_000, seed=4)
    ours = train(train_on, definition=DEFINITION, label=LABEL, settings=TrainSettings(draws=1))
    qs, _ = quench_in_softness(ours, test_on.X)
    rng = np.random.default_rng(0)
    few, many = np.flatnonzero(train_on.y), np.flatnonzero(~train_on.y)
    rows = np.concatenate([few, rng.choice(many, len(few), replace=False)])
    fold = rng.permutation(len(rows)) % 5
    peer = np.mean(
        [
            authors_trees(k)
            .fit(train_on.X[rows[fold != k]], train_on.y[rows[fold != k]])
            .predict_proba(test_on.X)[:, 1]
            for k in range(5)
        ],
        axis=0,
    )
    # Two undersamplings differ by more than two libraries do; over seeds the difference is nil.
    assert auc_roc(Tally.of(test_on.y, qs)) > auc_roc(Tally.of(test_on.y, peer)) - 0.02
    assert auc_roc(Tally.of(test_on.y, qs)) > 0.7
    assert ours.scores["mean"]["auc"] == pytest.approx(auc_roc(Tally.of(test_on.y, qs)), abs=0.05)


def test_one_library_against_the_other_on_the_same_rows():
    train_on, test_on = glass("0a", n=4000, seed=3), glass("0b", n=12_000, seed=4)
    rng = np.random.default_rng(1)
    rows = np.concatenate([np.flatnonzero(train_on.y), rng.choice(np.flatnonzero(~train_on.y), 320, replace=False)])
    X, y = train_on.X[rows], train_on.y[rows]
    ours, peer = [], []
    for k in range(4):
        text = train_one(X, y, train_on.columns, seed=k)
        forest = forest_of([read_trees(text, train_on.columns)])
        ours.append(auc_roc(Tally.of(test_on.y, forest_probabilities(forest, test_on.X)[0])))
        sklearn_model = authors_trees(k).fit(X, y)
        peer.append(auc_roc(Tally.of(test_on.y, sklearn_model.predict_proba(test_on.X)[:, 1])))
    assert np.mean(ours) > np.mean(peer) - 0.01


def test_spatial_block_training(tables):
    from dataclasses import replace

    a, b = (replace(t, block=np.arange(len(t)) // 60) for t in tables)
    model = train(
        [a, b], definition=DEFINITION, label=LABEL, settings=TrainSettings(trees=20, draws=1, fold_kind="spatial_block")
    )
    assert len(model.trees) == 5
    with pytest.raises(UsageError, match="E-FOLDS"):
        train(tables, definition={}, label={}, settings=TrainSettings(fold_kind="spatial_block"))


def relabelled(table, y):
    specimens = tuple(Specimen(s.key, s.name, s.n_atoms) for s in table.specimens)
    return Table(specimens, table.specimen, table.id, table.X, y, table.columns)


def test_labels_that_cannot_be_learned(tables):
    table = tables[0]
    n = len(table)
    for label in (False, True):
        with pytest.raises(BadDataError, match=r"E-ONE-CLASS(.|\n)*0\.1, 0\.2, 0\.3"):
            train(relabelled(table, np.full(n, label)), definition={}, label={}, d2_quantiles=[0.1, 0.2, 0.3])
    with pytest.raises(BadDataError, match="E-FEW-PLASTIC"):
        train(relabelled(table, np.arange(n) < 9), definition={}, label={})
    thin = train(relabelled(table, np.arange(n) < 30), definition={}, label={}, settings=ONCE)
    assert thin.warnings[0].startswith("W-FEW-PLASTIC: only 30")
    with pytest.raises(BadDataError, match="E-ONE-CLASS"):
        train_one(table.X, np.zeros(n, bool), table.columns)
    with pytest.raises(UsageError, match="E-COLUMN-NAME"):
        train_one(table.X, table.y, ["a b", *table.columns[1:]])
    with pytest.raises(UsageError, match="E-GBDT-SETTINGS"):
        train_one(table.X, table.y, table.columns, TrainSettings(trees=200_000))


def test_a_specimen_without_plastic_atoms_is_said(tables):
    quiet = relabelled(tables[1], np.arange(len(tables[1])) < 2)
    model = train([tables[0], quiet], definition={}, label={}, settings=ONCE)
    assert any("glass 0b" in w and "2 plastic" in w for w in model.warnings)


def test_constant_columns_give_a_valid_model():
    y = np.arange(400) < 60
    specimen = (Specimen("0a", "a"),)
    table = Table(specimen, np.zeros(400, int), np.arange(400), np.zeros((400, 2)), y, ("a", "b"))
    model = train(table, definition={}, label={}, settings=ONCE)
    qs, std = quench_in_softness(model, np.zeros((3, 2)))
    np.testing.assert_allclose(qs, 0.5, atol=0.01)
    assert model.scores["mean"]["auc"] == 0.5
    assert std.max() < 0.01


def test_softness_is_mean_and_spread_and_works_in_chunks(model, tables):
    X = tables[1].X.copy()
    X[3, 2], X[10, 0] = np.nan, np.inf
    each = probabilities(model, X)
    qs, std = quench_in_softness(model, X)
    assert np.isnan(qs[[3, 10]]).all()
    assert np.isnan(std[[3, 10]]).all()
    assert np.isfinite(np.delete(qs, [3, 10])).all()
    np.testing.assert_allclose(qs, each.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(std, each.std(axis=0), rtol=1e-12)
    for size in (1, 7, 500):
        parts = [quench_in_softness(model, X[i : i + size]) for i in range(0, 60, size)]
        np.testing.assert_array_equal(np.concatenate([p[0] for p in parts])[:60], qs[:60])
        np.testing.assert_array_equal(np.concatenate([p[1] for p in parts])[:60], std[:60])
    empty = quench_in_softness(model, X[:0])
    assert empty[0].shape == (0,)
    with pytest.raises(BadDataError, match="E-FEATURES-DIFFER"):
        quench_in_softness(model, X[:, 1:])


def test_the_folder_returns_the_same_model(model, folder, tables):
    loaded = load_model(folder)
    assert loaded.digest() == model.digest()
    assert loaded.trees == model.trees
    assert loaded.specimens == model.specimens
    assert loaded.columns == model.columns
    np.testing.assert_array_equal(quench_in_softness(loaded, tables[0].X), quench_in_softness(model, tables[0].X))
    assert sorted(os.listdir(folder)) == sorted(["model.json", *model.trees])
    assert os.listdir(folder.parent) == ["m.qs"]
    travelled = pickle.loads(pickle.dumps(loaded))
    np.testing.assert_array_equal(quench_in_softness(travelled, tables[0].X), quench_in_softness(model, tables[0].X))


def test_the_record_holds_what_is_needed(folder):
    record = json.loads((folder / "model.json").read_text())
    assert record["definition"] == DEFINITION
    assert record["definition_sha256"] == definition_digest(DEFINITION)
    assert record["label"] == LABEL
    assert record["settings"]["gbdt"]["n_trees"] == 20
    assert [s["key"] for s in record["specimens"]] == ["0a", "0b"]
    assert record["specimens"][0]["n_plastic"] == 96
    assert set(record["versions"]) == {"qsdask", "lightgbm", "numpy"}
    for name, checksum in record["trees"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum
    assert len(record["scores"]["folds"]) == 10


def test_scores_without_value_survive_the_folder(model, tmp_path):
    from dataclasses import replace

    odd = replace(
        model, scores={"folds": [{"auc": float("nan")}], "mean": {"auc": float("nan"), "auc_std": float("nan")}}
    )
    save_model(odd, tmp_path / "odd.qs")
    assert np.isnan(load_model(tmp_path / "odd.qs").scores["folds"][0]["auc"])


def test_saving_never_destroys(model, folder, tmp_path):
    before = (folder / "model.json").read_bytes()
    with pytest.raises(CannotCreateError, match="E-EXISTS"):
        save_model(model, folder)
    save_model(model, folder, overwrite=True)
    assert (folder / "model.json").read_bytes() == before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    (tmp_path / "link.qs").symlink_to(folder)
    (tmp_path / "network").mkdir()
    for name in ("model.json", "weights.bin"):
        (tmp_path / "network" / name).write_text("{}")
    for other in ("thesis", "link.qs", "network"):
        with pytest.raises(CannotCreateError, match="E-EXISTS"):
            save_model(model, tmp_path / other, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").exists()
    assert (tmp_path / "network" / "weights.bin").exists()
    with pytest.raises(CannotCreateError, match="E-MODEL-WRITE"):
        save_model(model, folder / "model.json" / "below.qs")


def test_a_failed_rename_leaves_the_old_model(model, folder, monkeypatch):
    real = os.rename

    def rename(source, target):
        if str(source).endswith(".new"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(CannotCreateError, match="E-MODEL-WRITE"):
        save_model(model, folder, overwrite=True)
    monkeypatch.undo()
    assert load_model(folder).digest() == model.digest()
    assert os.listdir(folder.parent) == ["m.qs"]


def test_features_are_matched_by_name_and_definition(model):
    columns = ["other", *reversed(model.columns)]
    index = model.check_features(columns, {**DEFINITION, "cutoff_angstrom": 4})
    assert [columns[k] for k in index] == list(model.columns)
    with pytest.raises(BadDataError, match=r"E-FEATURES-DIFFER(.|\n)*columns missing: sro__c0, sro__c1"):
        model.check_features(model.columns[2:], DEFINITION)
    changed = {**DEFINITION, "cutoff_angstrom": 4.5, "radii": {"Cu": 1.28, "Ni": 1.26}, "smear": True}
    with pytest.raises(BadDataError, match="E-FEATURES-DIFFER") as caught:
        model.check_features(model.columns, changed)
    text = str(caught.value)
    assert "cutoff_angstrom: model 4, store 4.5" in text
    assert "radii.Cu: model 1.26, store 1.28" in text
    assert "smear: model '(not given)', store True" in text
    assert "Ni" not in text
    with pytest.raises(BadDataError, match="names a column twice"):
        model.check_features([*model.columns, model.columns[0]], DEFINITION)


def test_a_specimen_cannot_stand_on_both_sides(model):
    first = model.specimens[0]
    rounded = [round(d, 2) for d in first.fingerprint]
    with pytest.raises(BadDataError, match=r"E-SPECIMEN-BOTH-SIDES.*glass 0a"):
        model.check_specimen("0a")
    with pytest.raises(BadDataError, match="E-SPECIMEN-BOTH-SIDES"):
        model.check_specimen("ff", rounded)
    model.check_specimen("ff", [d + 0.02 for d in rounded])
    model.check_specimen("ff", rounded[:-1])
    model.check_specimen("ff")


def test_one_glass_is_known_after_strain_and_others_of_its_species_are_not_taken_for_it():
    rng = np.random.default_rng(3)
    glass, other = rng.uniform(3.0, 15.0, (2, 63))
    strained = glass * rng.uniform(0.9, 1.0, 63)
    assert same_glass("0a", glass, "0a", strained)
    assert same_glass("0a", glass, "0a:17", strained)
    assert not same_glass("0a", glass, "0a", other)
    assert not same_glass("0a", glass, "ff", strained)
    assert same_glass("0a", glass, "ff", glass + 0.005)
    # What cannot be compared is not trusted.
    assert same_glass("0a", glass[:2], "0a", other[:2])
    assert same_glass("0a", (), "0a", other)


def test_other_elements_are_named(model):
    assert model.outside_domain(["Zr", "Cu"]) == []
    assert model.outside_domain(["P", "Fe", "Cu"]) == ["Fe", "P"]


def rewrite(folder, change=None, tree=None):
    """Change a model folder and mend every checksum, as somebody would who means harm."""
    record = json.loads((folder / "model.json").read_text())
    record.pop("sha256")
    if tree is not None:
        (folder / "fold-0-0.txt").write_bytes(tree)
        record["trees"]["fold-0-0.txt"] = hashlib.sha256(tree).hexdigest()
    if change is not None:
        change(record)
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    (folder / "model.json").write_text(json.dumps(record))


def test_damaged_folders_are_refused_by_name(model, folder):
    name = folder / "fold-1-2.txt"
    good = name.read_bytes()

    def refused(code, file):
        with pytest.raises(BadDataError, match=code) as caught:
            load_model(folder)
        assert str(file) in str(caught.value)

    name.write_bytes(good[:-1])
    refused("E-MODEL-CHECKSUM", name)
    name.unlink()
    refused("E-MODEL-FILES", folder)
    name.symlink_to(folder / "fold-0-0.txt")
    refused("E-MODEL-FILES", name)
    name.unlink()
    name.mkdir()
    refused("E-MODEL-FILES", name)
    name.rmdir()
    os.mkfifo(name)
    refused("E-MODEL-FILES", name)
    name.unlink()
    name.write_bytes(good)
    (folder / "payload.pkl").write_bytes(b"")
    refused("E-MODEL-FILES", folder)
    (folder / "payload.pkl").unlink()
    load_model(folder)


def test_damaged_records_are_refused(folder):
    path = folder / "model.json"
    good = path.read_bytes()
    digest = json.loads(good)["sha256"].encode()
    for data, code in (
        (good[: len(good) // 2], "E-MODEL-JSON"),
        (b"", "E-MODEL-JSON"),
        (b"[]", "E-MODEL-JSON"),
        (b"\xff\xfe", "E-MODEL-JSON"),
        (b"[" * 200_000, "E-MODEL-JSON"),
        (good.replace(b'"label": {', b'"label": NaN, "x": {'), "E-MODEL-JSON"),
        (good.replace(b'"columns": [', b'"columns": [], "columns": ['), "E-MODEL-JSON"),
        (good.replace(b'"format_version": 1', b'"format_version": 99'), "E-MODEL-VERSION"),
        (good.replace(b'"format_version": 1', b'"format_version": true'), "E-MODEL-JSON"),
        (good.replace(b'"threshold": 5', b'"threshold": 4'), "E-MODEL-CHECKSUM"),
        (good.replace(b'"threshold": 5', b'"threshold": 1e999'), "E-MODEL-CHECKSUM"),
        (good.replace(digest, b"0" * 64), "E-MODEL-CHECKSUM"),
    ):
        assert data != good
        path.write_bytes(data)
        with pytest.raises(BadDataError, match=code):
            load_model(folder)
    path.unlink()
    with pytest.raises(NoInputError, match="E-NO-MODEL"):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(columns=[]),
        lambda r: r.update(columns=["a", "a"]),
        lambda r: r.update(columns="abc"),
        lambda r: r.update(trees={}),
        lambda r: r["trees"].update({"../../etc/passwd": "0" * 64}),
        lambda r: r["trees"].update({"fold-0-9.txt": "zz"}),
        lambda r: r["settings"].pop("ratio"),
        lambda r: r["specimens"].clear(),
        lambda r: r["specimens"][0].update(n_usable=0),
        lambda r: r["specimens"][0].update(fingerprint=["x"]),
        lambda r: r["specimens"][0].pop("key"),
        lambda r: r.update(surplus=1),
        lambda r: r["warnings"].append(1),
    ],
)
def test_records_of_wrong_form_are_refused_though_their_checksum_is_right(folder, change):
    rewrite(folder, change)
    with pytest.raises(BadDataError, match="E-MODEL-JSON"):
        load_model(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"num_leaves=4", b"num_leaves=5"),
        (b"num_leaves=4", b"num_leaves=400000000"),
        (b"num_cat=0", b"num_cat=1"),
        (b"is_linear=0", b"is_linear=1"),
        (b"left_child=1 ", b"left_child=0 "),
        (b"left_child=1 ", b"left_child=7 "),
        (b"left_child=1 ", b"left_child=2 "),
        (b"right_child=2 ", b"right_child=1 "),
        (b"decision_type=2", b"decision_type=1"),
        (b"num_class=1", b"num_class=9"),
        (b"max_feature_idx=19", b"max_feature_idx=99"),
        (b"tree_sizes=", b"tree_sizes=9"),
        (b"Tree=1\n", b"Tree=2\n"),
        (b"leaf_value=", b"leaf_value=nan "),
        (b"end of trees", b"end of treez"),
        (b"feature_names=sro__c0", b"feature_names=sro__c1"),
        (b"feature_infos=[", b"feature_infos=[x"),
        (b"binary sigmoid:1", b"binary sigmoid:9"),
        (b"\nnum_cat", b"\r\nnum_cat"),
        (b"feature_importances:\n", b"feature_importances:\nother=1\n"),
    ],
)
def test_texts_of_wrong_structure_are_refused_though_their_checksum_is_right(folder, old, new):
    good = (folder / "fold-0-0.txt").read_bytes()
    assert old in good
    rewrite(folder, tree=good.replace(old, new, 1))
    with pytest.raises(BadDataError, match=r"E-MODEL-TREE(.|\n)*fold-0-0\.txt"):
        load_model(folder)


@pytest.mark.parametrize("seed", [0, 1])
def test_random_edits_are_refused_or_still_predict(model, tmp_path, seed):
    """Edited texts are refused, or load and predict finite numbers; the process lives on."""
    text = model.trees["fold-0-0.txt"]
    (tmp_path / "good.txt").write_text(text)
    code = FUZZ.format(path=str(tmp_path / "good.txt"), seed=seed, columns=list(model.columns))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, accepted = map(int, done.stdout.split())
    assert refused > 300
    assert accepted < 200


FUZZ = """
import random
import numpy as np
from qsdask.errors import BadDataError
from qsdask.kernels.trees import forest_probabilities
from qsdask.learn.forest import forest_of
from qsdask.learn.tree_text import read_trees
good = open({path!r}).read()
columns = {columns!r}
r = random.Random({seed})
X = np.random.default_rng(0).normal(size=(50, len(columns)))
refused = accepted = 0
for _ in range(500):
    text = good
    for _ in range(r.choice([1, 1, 2, 5])):
        at = r.randrange(len(text))
        kind = r.randrange(5)
        if kind == 0:
            text = text[:at] + r.choice("0123456789-. =e\\n") + text[at + 1:]
        elif kind == 1:
            text = text[:at] + text[at + r.randrange(1, 9):]
        elif kind == 2:
            text = text[:at] + r.choice(["-", "9", "999999999", " ", "\\n", "nan", "1e308"]) + text[at:]
        elif kind == 3:
            text = text[:at]
        else:
            lines = text.split("\\n")
            i, j = r.randrange(len(lines)), r.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
            text = "\\n".join(lines)
        if not text:
            break
    if text == good:
        continue
    try:
        forest = forest_of([read_trees(text, columns)])
    except BadDataError:
        refused += 1
        continue
    accepted += 1
    p = forest_probabilities(forest, X)
    assert np.all((p >= 0) & (p <= 1)), "not a probability"
print(refused, accepted)
"""


def test_the_check_accepts_every_text_that_training_writes(model):
    for text in model.trees.values():
        assert len(read_trees(text, model.columns).n_leaf) == 20
    assert isinstance(model, Model)


NO_MODEL = {
    "one label": lambda r: [s.update(n_plastic=0) for s in r["specimens"]],
    "have one label": lambda r: [s.update(n_plastic=s["n_usable"]) for s in r["specimens"]],
    "its label has no strain": lambda r: r["label"].clear(),
    "its label has no threshold": lambda r: r["label"].update(threshold="5"),
    "its label has no surface_margin_angstrom": lambda r: r["label"].pop("surface_margin_angstrom"),
    "its label has no frequency": lambda r: r["label"].update(frequency=None),
    "it has no scores": lambda r: r["scores"].clear(),
    "no scores": lambda r: r["scores"].update(mean={}),
    "its definition names no feature set": lambda r: r["definition"].clear(),
}


@pytest.mark.parametrize("said", NO_MODEL)
def test_a_model_that_is_whole_and_no_model_is_told(folder, said):
    file = folder / "model.json"
    record = json.loads(file.read_text())
    del record["sha256"]
    NO_MODEL[said](record)
    record["definition_sha256"] = definition_digest(record["definition"])
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    file.write_text(json.dumps(record))
    with pytest.raises(BadDataError, match=f"(?s)E-MODEL-CONTENT: the model cannot be used.*{said}"):
        load_model(folder)


def test_too_few_are_counted_among_all_atoms_not_the_rows_drawn(tables):
    table, rows = tables[0], np.arange(len(tables[0]))
    for few, told, way in (
        (rows < 9, "9 plastic and 99991 other", "lower"),
        (rows >= 9, "99991 plastic and 9 other", "higher"),
    ):
        plastic = 9 if few[0] else 99991
        specimens = (Specimen("0a", "a", 100000, 100000, plastic), *relabelled(table, few).specimens[1:])
        thin = Table(specimens, table.specimen, table.id, table.X, few, table.columns)
        with pytest.raises(
            BadDataError, match=rf"(?s)E-FEW-PLASTIC: {told} usable atoms are too few.*a {way} threshold"
        ):
            train(thin, definition={}, label={})
