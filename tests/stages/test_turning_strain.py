"""A strain that is passed more than once: what takes a strain takes the first pass, says so, and can name another frame."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, UsageError
from qsdask.learn import load_model
from qsdask.study.slice import slice_through
from qsdask.study.spectrum import spectrum
from tests.conftest import SPECIES
from tests.stages.test_steps import dump_of

PATH = [0, 0.02, 0.0403, 0.06, 0.04, 0.0, -0.03]
QUICK = {"threshold": 8.0, "folds": 2, "draws": 1, "trees": 5, "surface_margin": 0.0}
ONCE, AGAIN = 2, 4


def command(*arguments) -> int:
    return main([str(a) for a in (*arguments, "--cluster", "threads", "--quiet")])


def command_alone(*arguments) -> int:
    return main([str(a) for a in arguments])


def strained(place, seed: int, few, path=PATH):
    """Store of 120 atoms whose box is pressed along x, let go and pulled; more and more atoms move by themselves."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(5), np.arange(6), indexing="ij"), axis=-1)
    rest = rng.permutation(grid.reshape(-1, 3) + rng.uniform(-0.2, 0.2, (120, 3))) / (4, 5, 6)
    jump, frames = rng.normal(0.0, 0.04, (120, 3)), []
    for step, strain in enumerate(path):
        moved = np.where(np.arange(120)[:, None] % 12 < 1 + step, jump, 0.0)
        frames.append((np.diag([9.2 * (1 - strain), 11.4, 13.6]), rest + moved))
    place.with_suffix(".dump").write_text(dump_of(frames))
    qsdask.ingest(place.with_suffix(".dump"), place, species=SPECIES, chunk=64, run=few)
    for stage in (qsdask.shells, qsdask.features, qsdask.respond):
        stage(place, run=few)
    return place


@pytest.fixture(scope="module")
def learned(tmp_path_factory, few):
    """Two glasses and a model learned from the first pass of the first one; the second has its softness."""
    home = tmp_path_factory.mktemp("turning")
    glass, other = (strained(home / f"{name}.zarr", seed, few) for seed, name in enumerate("ab"))
    model = qsdask.train(glass, model=home / "m.qs", **QUICK, run=few)
    qsdask.predict(other, model=model, run=few)
    return glass, other, model


def plastic_atoms(store, frame: int) -> int:
    return int((qsdask.open_store(store)["response/d2min/d2min"].values[frame] > QUICK["threshold"]).sum())


def test_the_first_pass_is_learned_and_the_model_says_so(learned):
    glass, _, model = learned
    np.testing.assert_allclose(qsdask.open_store(glass)["frames/strain"], PATH, atol=1e-12)
    found = load_model(model)
    assert found.label["strain"] == 0.04
    assert "frame" not in found.label
    assert plastic_atoms(glass, ONCE) != plastic_atoms(glass, AGAIN)
    assert sum(s.n_plastic for s in found.specimens) == plastic_atoms(glass, ONCE)
    (told,) = [warning for warning in found.warnings if "W-STRAIN-AGAIN" in warning]
    assert "frame 2 (loading, 0.0403), passed again in 4 (unloading, 0.04); --frame takes another" in told


def test_another_frame_is_learned_where_it_is_named(learned, tmp_path, few):
    glass, other, _ = learned
    model = qsdask.train(glass, model=tmp_path / "n.qs", frame=AGAIN, **QUICK, run=few)
    found = load_model(model)
    assert (found.label["frame"], found.label["strain"]) == (AGAIN, pytest.approx(0.04))
    assert sum(s.n_plastic for s in found.specimens) == plastic_atoms(glass, AGAIN)
    assert not any("W-STRAIN-AGAIN" in warning for warning in found.warnings)
    copied = qsdask.predict(shutil.copytree(other, tmp_path / "b.zarr"), model=model, run=few)
    scores = qsdask.evaluate(copied, model=model, run=few)
    assert (scores["frame"], scores["plastic"]) == (AGAIN, plastic_atoms(other, AGAIN))
    with pytest.raises(BadDataError, match=r"E-STRAIN.*undeformed"):
        qsdask.train(glass, model=tmp_path / "o.qs", frame=0, **QUICK, run=few)
    with pytest.raises(UsageError, match="E-STEP"):
        qsdask.train(glass, model=tmp_path / "o.qs", frame=7, **QUICK, run=few)


@pytest.mark.parametrize("how", [{}, {"frame": AGAIN}])
def test_the_order_of_the_stores_does_not_matter(learned, tmp_path, few, how):
    one, two = learned[:2]
    made = [
        load_model(qsdask.train(stores, model=tmp_path / f"{k}.qs", **how, **QUICK, run=few))
        for k, stores in enumerate(([one, two], [two, one]))
    ]
    assert made[0].digest() == made[1].digest()
    assert sum("W-STRAIN-AGAIN" in warning for warning in made[0].warnings) == (0 if how else 2)


def test_scores_are_those_of_the_first_pass_or_of_the_frame_named(learned, few, capsys):
    _, other, model = learned
    scores = qsdask.evaluate(other, model=model, run=few)
    assert (scores["frame"], scores["plastic"]) == (ONCE, plastic_atoms(other, ONCE))
    assert any("W-STRAIN-AGAIN" in note for note in scores["notes"])
    assert command("evaluate", other, "--model", model, "--frame", AGAIN, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["frame"], scores["plastic"]) == (AGAIN, plastic_atoms(other, AGAIN))
    assert scores["branch"] == "unloading"
    assert scores["strain"] == pytest.approx(0.04)
    assert not any("W-STRAIN-AGAIN" in note for note in scores["notes"])


def test_frames_are_chosen_by_the_first_pass_with_a_word_of_the_others(learned, capsys):
    glass, _, _ = learned
    assert command("shells", glass, "--strain", "0.04") == 0
    said = capsys.readouterr()
    assert "frame 2, at strain 0.0403" in said.out
    assert "W-STRAIN-AGAIN" in said.err
    assert command("shells", glass, "--strain", "-0.03") == 0
    said = capsys.readouterr()
    assert "frame 6, at strain -0.03" in said.out
    assert "W-STRAIN-AGAIN" not in said.err


def test_the_accessor_follows_the_same_rule(learned):
    glass, _, _ = learned
    tree = qsdask.open_store(glass)
    with pytest.warns(UserWarning, match="again in 4"):
        assert tree.qs.plastic(0.04, 8.0).sizes["atom"] == plastic_atoms(glass, ONCE)
    with pytest.warns(UserWarning, match="again in 4"):
        assert tree.qs.frame(0.04) == ONCE
    assert tree.qs.frame(-0.03) == 6
    assert tree.qs.plastic(threshold=8.0, frame=AGAIN).sizes["atom"] == plastic_atoms(glass, AGAIN)
    assert tree.qs.plastic(-0.03, 8.0)["strain"] == pytest.approx(-0.03)
    with pytest.raises(BadDataError, match="E-STRAIN"):
        tree.qs.plastic(0.05)
    with pytest.raises(BadDataError, match="E-STRAIN"):
        tree.qs.frame(0.05)
    with pytest.raises(UsageError, match="E-STEP"):
        tree.qs.plastic(frame=7)
    other = qsdask.open_store(learned[1]).qs.activation(8.0)
    assert other["branch"].values.tolist() == ["loading"] * 4 + ["unloading"] * 3
    assert other["n_plastic"].values[AGAIN] == plastic_atoms(learned[1], AGAIN)


def test_activation_names_the_branches(learned, tmp_path, few, capsys):
    _, other, model = learned
    found = qsdask.activation(other, model=model, run=few)
    assert found["branch"].values.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert found["branch"].attrs["flag_meanings"] == "loading unloading"
    assert found["timestep"].values.tolist() == list(range(7))
    assert found.attrs["along"] == "frame"
    late = qsdask.activation(other, model=model, frame=[AGAIN, -1], run=few)
    assert late["frame"].values.tolist() == [4, 6]
    xr.testing.assert_identical(late, found.isel(step=[4, 6]))
    assert command("activation", other, "--model", model, "--out", tmp_path / "a.zarr") == 0
    shown = capsys.readouterr().out
    assert "2: 0.0403 loading" in shown
    assert "4: 0.04 unloading" in shown
    assert command("activation", other, "--model", model, "--frame", AGAIN, "--json") == 0
    assert json.loads(capsys.readouterr().out)["frame"] == [AGAIN]


def test_the_spectrum_is_that_of_the_frame_named(learned, few):
    _, other, model = learned
    for how, frame in (({}, ONCE), ({"strain": -0.03}, 6), ({"frame": AGAIN}, AGAIN)):
        found = spectrum(other, model=model, run=few, **how)
        assert found["strain"].item() == pytest.approx(PATH[frame], abs=1e-9)
        assert found.attrs["moment"] == f"frame {frame}, {'un' * (frame > 3)}loading"


def test_creep_is_learned_from_a_frame_whose_strain_others_have_too(tmp_path, few):
    glass = strained(tmp_path / "held.zarr", 3, few, path=[0, 0.03, 0.03, 0.03, 0.03])
    by_strain = qsdask.train(glass, model=tmp_path / "first.qs", strain=0.03, **{**QUICK, "threshold": 1.0}, run=few)
    assert any("held until frame 4" in warning for warning in load_model(by_strain).warnings)
    still = strained(tmp_path / "still.zarr", 4, few, path=[0] * 5)
    with pytest.raises(BadDataError, match="E-STRAIN"):
        qsdask.train(still, model=tmp_path / "none.qs", **QUICK, run=few)
    late = qsdask.train(still, model=tmp_path / "late.qs", frame=-1, **QUICK, run=few)
    assert load_model(late).label["frame"] == 4
    assert sum(s.n_plastic for s in load_model(late).specimens) == plastic_atoms(still, 4)


def test_a_strain_against_the_first_loading_is_learned(learned, tmp_path, few, capsys):
    glass, other, _ = learned
    typed = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    assert command("train", glass, "--model", tmp_path / "n.qs", "--strain", -0.03, *typed) == 0
    assert "W-STRAIN-AGAIN" not in capsys.readouterr().err
    found = load_model(tmp_path / "n.qs")
    assert found.label["strain"] == -0.03
    assert sum(s.n_plastic for s in found.specimens) == plastic_atoms(glass, 6)
    copied = qsdask.predict(shutil.copytree(other, tmp_path / "b.zarr"), model=tmp_path / "n.qs", run=few)
    scores = qsdask.evaluate(copied, model=tmp_path / "n.qs", run=few)
    assert (scores["frame"], scores["branch"]) == (6, "unloading")
    for strain in (0, 0.0001, -0.033, 0.07):
        with pytest.raises(BadDataError, match="E-STRAIN"):
            qsdask.train(glass, model=tmp_path / "o.qs", strain=strain, **QUICK, run=few)


def test_the_report_is_that_of_the_frame_named(learned, tmp_path, few):
    _, other, model = learned
    page = tmp_path / "r.html"
    assert command("report", other, "--model", model, "--out", page, "--frame", AGAIN) == 0
    text = page.read_text()
    assert f"(frame {AGAIN}, unloading)" in text
    assert f"--frame {AGAIN} " in text
    assert text.count("W-STRAIN-AGAIN") == 1  # that of the model's own label
    assert command("report", other, "--model", model, "--out", page, "--frame", 0) == 65
    assert command("report", other, "--model", model, "--out", page, "--frame", 99) == 64
    assert page.read_text() == text
    assert slice_through(other, model=model, frame=AGAIN, run=few).attrs["strain"] == pytest.approx(0.04)
    assert slice_through(other, model=model, run=few).attrs["strain"] == pytest.approx(0.0403)


def test_a_file_of_one_frame_is_that_of_the_first_pass(learned, tmp_path, capsys):
    glass, _, _ = learned
    out = tmp_path / "x.dump"
    assert command_alone("export", glass, "--strain", 0.04, "--columns", "d2min", "--out", out) == 0
    said = capsys.readouterr()
    assert "frame 2, at strain 0.0403" in said.out
    assert "W-STRAIN-AGAIN" in said.err
    assert out.read_text().splitlines()[1] == str(ONCE)
    for wrong, code in ((("--strain", 0.05), 65), (("--frame", "1,99"), 64), (("--frame", 1, "--strain", 0.04), 64)):
        assert command_alone("export", glass, *wrong, "--out", tmp_path / "y.dump") == code
    assert not (tmp_path / "y.dump").exists()


def test_recipes_follow_the_rule_too(learned, tmp_path, few):
    glass, other, _ = learned
    quick = "".join(f"{name} = {value}\n" for name, value in QUICK.items())
    specimens = "".join(
        f'[[specimen]]\nname = "{name}"\ntrajectory = "{path.with_suffix(".dump")}"\nrole = "{role}"\n'
        for name, path, role in (("a", glass, "train"), ("b", other, "test"))
    )
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'softness_strain = [0.04, -0.03]\nsoftness_frame = [{AGAIN}]\n{specimens}[ingest]\nspecies = {{1 = "Cu", 2 = "Zr"}}\n'
        f"[train]\nframe = {AGAIN}\n{quick}[report]\nframe = {ONCE}\n"
    )
    done = qsdask.run(recipe, folder=tmp_path / "job", run=few)
    assert done["scores"]["b"]["frame"] == ONCE
    assert load_model(done["model"]).label["frame"] == AGAIN
    steps = {s["step"] for s in qsdask.info(done["stores"]["b"])["stages"] if s["stage"].endswith("softness/model")}
    assert steps == {0, ONCE, AGAIN, 6}
    (note,) = done["notes"]
    assert "strain 0.04 is first reached in frame 2" in note
    assert note.endswith("(b)")


def test_report_and_export_take_it(learned, tmp_path, few):
    _, other, model = learned
    page = qsdask.report(other, model=model, out=tmp_path / "r.html", run=few).read_text()
    assert "W-STRAIN-AGAIN" in page
    assert "--frame 2 " in page
    assert qsdask.export(other, tmp_path / "x.extxyz", step=-1, columns=["qs", "d2min"]).is_file()
