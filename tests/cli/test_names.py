"""Names that users choose: which are refused, and that those of any script work, in any locale."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import UsageError
from qsdask.names import checked_name
from qsdask.settings import Recipe, validated

NO_NAMES = ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "a\x1b[2J", "caf\udce9", "a\u2028b", " a", "a ", "x" * 201]
NO_KEYS = ["c", "zarr.json", "manifest.json", "__init__"]
NAMES = ["cuzr", "cu65-zr35", "run.7", "glaß", "非晶质", "a b", "C", "cc", "a+b", "x" * 200]


@pytest.mark.parametrize("name", NO_NAMES)
def test_no_name(name):
    with pytest.raises(UsageError, match="E-NAMING"):
        checked_name(name, "specimen")


@pytest.mark.parametrize("name", NO_KEYS)
def test_a_name_that_zarr_needs_is_refused_where_it_becomes_a_key_and_only_there(name):
    assert checked_name(name, "specimen") == name
    with pytest.raises(UsageError, match=r"(?s)E-NAMING.*of a model.*Zarr"):
        checked_name(name, "model", key=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_name(name):
    assert checked_name(name, "model", key=True) == name


@pytest.mark.parametrize("model", ["c.qs", "c", "a\\b.qs", "caf\udce9.qs", ".", "x/..", ".qs"])
def test_a_model_of_no_name_is_refused_by_training_and_prediction(model, own, few, monkeypatch):
    monkeypatch.chdir(own)
    with pytest.raises(UsageError, match="E-NAMING"):
        qsdask.train([own / "tiny.zarr"], model=model, run=few)


def test_a_model_that_was_renamed_to_no_name_is_refused_before_anything_is_written(own, few):
    (own / "tiny.qs").rename(own / "c.qs")
    with pytest.raises(UsageError, match="E-NAMING"):
        qsdask.predict(own / "tiny.zarr", model=own / "c.qs", run=few)
    assert not (own / "tiny.zarr" / "ledger" / "softness" / "c").exists()
    assert qsdask.verify(own / "tiny.zarr", progress=False) == []


def test_specimens_have_names(tmp_path, shipped, few):
    dump = shipped / "cu65_a.dump.gz"
    species = {1: "Cu", 2: "Zr"}
    for name in ("a/b", "caf\udce9", "a\tb"):
        with pytest.raises(UsageError, match=r"(?s)E-NAMING.*specimen"):
            qsdask.ingest(dump, tmp_path / "x.zarr", species=species, name=name, run=few)
    assert not (tmp_path / "x.zarr").exists()
    with pytest.raises(UsageError, match=r"(?s)E-NAMING.*specimen"):
        validated(Recipe, specimen=[{"name": "..", "trajectory": "a.dump", "role": "train"}])


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_names_of_other_scripts_work_or_are_told_in_every_locale(own, locale):
    small = [
        "--strain",
        "0.01",
        "--threshold",
        "0.3",
        "--folds",
        "2",
        "--draws",
        "1",
        "--trees",
        "5",
        "--surface-margin",
        "0",
    ]
    utf8 = "PYTHONUTF8" not in locale

    def said(*arguments: object) -> tuple[int, str]:
        typed = [sys.executable, "-m", "qsdask", *map(str, arguments)]
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("LC_")}, **locale}
        done = subprocess.run(
            typed, cwd=own, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        assert "Traceback" not in done.stderr
        assert "E-INTERNAL" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    fast = ("--cluster", "threads", "--quiet")
    status, text = said("train", "tiny.zarr", "--model", "weiß.qs", *small, *fast)
    assert status == (0 if utf8 else 64), text
    if not utf8:
        assert "E-LOCALE" in text
        assert "PYTHONUTF8=1" in text
        return
    assert said("predict", "tiny.zarr", "--model", "weiß.qs", *fast)[0] == 0
    assert said("export", "tiny.zarr", "--model", "weiß.qs", "--columns", "qs", "--out", "weiß.extxyz")[0] == 0
    assert said("report", "tiny.zarr", "--model", "weiß.qs", "--out", "weiß.html", *fast)[0] in (0, 65)
    assert "softness/weiß" in said("info", "tiny.zarr", "--json")[1].encode().decode("unicode_escape")
    assert said("verify", "tiny.zarr", "--quiet")[0] == 0


def test_output_that_the_locale_cannot_hold_is_told(own, capsys, monkeypatch):
    def fails(*_: object) -> dict:
        raise UnicodeEncodeError("ascii", "ß", 0, 1, "ordinal not in range(128)")

    monkeypatch.setattr("qsdask.cli.look.qsdask.info", fails, raising=False)
    assert main(["info", str(own / "tiny.zarr")]) == 64
    assert "E-LOCALE" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")
def test_a_full_standard_output_is_no_full_store(own):
    for asked in (("info",), ("info", "--json"), ("export", "--list")):
        typed = [sys.executable, "-m", "qsdask", asked[0], str(own / "tiny.zarr"), *asked[1:]]
        with open("/dev/full", "w") as full:
            done = subprocess.run(typed, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 74
        assert "E-OUTPUT: standard output cannot be written: No space left on device" in done.stderr
        assert "Exception ignored" not in done.stderr


def test_what_an_older_version_began_under_such_a_name_harms_no_store(own, few, monkeypatch):
    (own / "tiny.qs").rename(own / "c.qs")
    with monkeypatch.context() as before:
        before.setattr("qsdask.stages.predict.checked_name", lambda name, *_, **__: name)
        qsdask.predict(own / "tiny.zarr", model=own / "c.qs", run=few)
    assert qsdask.verify(own / "tiny.zarr", progress=False) == []
    assert "softness/c" in str(qsdask.info(own / "tiny.zarr")["stages"])
    qsdask.predict(own / "tiny.zarr", model=own / "c.qs", run=few)
    assert qsdask.open_store(own / "tiny.zarr")["softness/c"].ds["qs"].shape == (48,)
