"""A feature set of another package: installed, found by its entry point, run on workers, and tested by its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, PathDistribution
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import qsdask
from qsdask.outside import SOURCE
from qsdask.quantity import AtomQuantity, Column, IteratedQuantity
from qsdask.quantity.registry import _registered
from qsdask.stages.features import _refuse_other_source
from qsdask.store.record import read
from tests.outside_package import PACKAGE, installed
from tests.small_store import own, tiny

__all__ = ["own", "tiny"]


def run(*command, folder=None) -> str:
    """Run Python, with a folder of installed packages; returns what it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if folder:
        environment["PYTHONPATH"] = str(folder)
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module", name="installed")
def installed_once(tmp_path_factory) -> Path:
    """The package, for tests that do not change it."""
    return installed(tmp_path_factory.mktemp("installed"))


def test_its_own_tests_pass(installed):
    printed = run("-m", "pytest", "-q", "-p", "no:cacheprovider", PACKAGE / "test_misfit.py", folder=installed)
    assert "passed" in printed
    assert "failed" not in printed


def test_it_is_unknown_where_it_is_not_installed(tiny, few):
    with pytest.raises(qsdask.QSDaskError, match="E-FEATURE-SET"):
        qsdask.features(tiny / "tiny.zarr", set="misfit", run=few)


class Nameless(AtomQuantity):
    """A class of the contract that is neither a dataclass nor named."""


@dataclass(frozen=True)
class Whole(AtomQuantity):
    """What follows the contract."""

    name: ClassVar[str] = "whole"
    columns: ClassVar[tuple[Column, ...]] = (Column("sro__whole__cutoff", "1", "made up", "never", "cutoff"),)
    shells: ClassVar[tuple[str, ...]] = ("cutoff",)

    def compute(self, block):
        """Ones."""
        return np.ones((block.n_owned, 1))


@dataclass(frozen=True)
class Needy(Whole):
    """A setting without a default."""

    needed: float = field(kw_only=True)


def other(title: str, **declared) -> type:
    return dataclass(frozen=True)(type(title, (Whole,), {"__module__": __name__, "__annotations__": {}, **declared}))


def still(**declared) -> type:
    """A set whose atoms take steps."""
    usual = {
        **{name: vars(Whole)[name] for name in ("name", "columns", "compute")},
        "n_step": 3,
        "n_state": 2,
        "reach": 4.0,
        "shells": (),
        "prepared": lambda self, block, n: None,
        "step": lambda self, prepared, number, old, new, n: None,
    }
    names = {"__module__": __name__, "__annotations__": {}}
    return dataclass(frozen=True)(type("Steps", (IteratedQuantity,), {**names, **usual, **declared}))


def registered(monkeypatch, *kinds) -> dict:
    """Feature sets where packages offer these."""
    monkeypatch.setattr(
        "qsdask.outside.entries", lambda: [EntryPoint(str(k), "made_up", "qsdask.features") for k in kinds]
    )
    given = iter(kinds)
    monkeypatch.setattr("qsdask.outside.loaded", lambda entry: next(given))
    return _registered.__wrapped__()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (len, "len.*no dataclass"),
        (dict, "dict.*no dataclass"),
        (Nameless, "Nameless.*no dataclass"),
        (Needy, "'whole'.*default settings: TypeError.*needed"),
        (other("Empty", columns=()), "columns"),
        (other("Twice", columns=Whole.columns * 2), "one name"),
        (other("Shell", shells=("vorono",)), "shells"),
        (other("Statistic", statistics=("median",)), "statistics"),
        (other("Rings", rings=3), "rings"),
        (other("All", name="all"), "'all'.*every one"),
        (other("Comma", name="a,b"), "'a,b'.*commas"),
        (still(n_step=0), "n_step is 0"),
        (still(n_state=-1), "n_state is -1"),
        (still(reach=0.0), "reach is 0"),
        (other("Abstract", compute=AtomQuantity.compute), "TypeError"),
    ],
)
def test_an_entry_point_that_is_no_feature_set_is_refused_by_name(wrong, why, monkeypatch):
    with pytest.raises(qsdask.QSDaskError, match=rf"(?s)E-FEATURE-SET.*{why}"):
        registered(monkeypatch, wrong)


def test_sets_of_packages_have_names(monkeypatch):
    assert "whole" in registered(monkeypatch, Whole)
    assert "whole" in registered(monkeypatch, still())
    assert "näher" in registered(monkeypatch, other("Umlaut", name="näher"))
    for name in ("c", "a/b", "a\\b", "..", "", "a\x07b", "a\udce9"):
        with pytest.raises(qsdask.QSDaskError, match=r"(?s)E-NAMING.*package made_up"):
            registered(monkeypatch, other("Named", name=name))
    for kinds in ((Whole, Whole), (other("Ours", name="interstice"),)):
        with pytest.raises(qsdask.QSDaskError, match=r"(?s)E-FEATURE-SET.*two feature sets.*made_up"):
            registered(monkeypatch, *kinds)


@pytest.fixture(scope="module")
def computed(installed, tiny, tmp_path_factory) -> Path:
    """Folder with a store to which worker processes added the set."""
    home = shutil.copytree(tiny, tmp_path_factory.mktemp("misfit") / "own")
    store = home / "tiny.zarr"
    run("-m", "qsdask", "features", store, "--set", "misfit", "--cluster", "local", folder=installed)
    return home


def test_worker_processes_find_it(computed):
    tree = qsdask.open_store(computed / "tiny.zarr")
    found = tree["features/misfit"].ds
    names = [str(name) for name in found["feature"].values]
    assert names[:3] == ["sro__number_density__voro", "sro__size_misfit__voro", "sro__off_centre__cutoff"]
    assert names[3] == "mro__number_density__voro__mean"
    assert len(names) == 15
    volume = tree["shells/voronoi"].ds["cell_volume"].values
    closed = np.isfinite(volume)
    assert closed.any()
    np.testing.assert_allclose(found["value"].values[:, 0], 1.0 / volume, rtol=1e-6)
    assert np.isfinite(found["value"].values[closed, 1]).all()


def test_the_store_is_sound_where_it_is_not_installed(computed):
    run("-m", "qsdask", "verify", computed / "tiny.zarr")


TRAIN = """
import sys, qsdask
store, model = sys.argv[1:]
run = qsdask.Run("threads", 2, False, False)
small = dict(strain=0.01, threshold=0.3, folds=2, draws=1, trees=5, surface_margin=0.0)
qsdask.train([store], set="misfit", model=model, run=run, **small)
qsdask.predict(store, model=model, run=run)
"""


def test_a_model_learns_from_it_and_is_applied(installed, computed):
    store, model = computed / "tiny.zarr", computed / "misfit.qs"
    run("-c", TRAIN, store, model, folder=installed)
    qs = qsdask.open_store(store)["softness/misfit"].ds["qs"].values
    known = np.isfinite(qs)
    assert known.any()
    assert ((qs[known] >= 0.0) & (qs[known] <= 1.0)).all()


def test_pip_installs_the_same_entry_points(installed, tmp_path):
    pytest.importorskip("pip")
    pytest.importorskip("hatchling")
    source = shutil.copytree(PACKAGE, tmp_path / "source")
    target = tmp_path / "target"
    run(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", target, source
    )

    def told(folder: Path) -> tuple[str, str, list]:
        (metadata,) = folder.glob("*.dist-info")
        found: Distribution = PathDistribution(metadata)
        return found.metadata["Name"], found.version, list(found.entry_points)

    assert told(target) == told(installed)
    assert (target / "qsdask_misfit.py").read_text() == (installed / "qsdask_misfit.py").read_text()


def outside(store: Path, *typed: object, folder: Path) -> tuple[int, str]:
    """Status of a command on features where a folder of packages is installed, and all that it said."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).resolve().parents[1]}"}
    command = [sys.executable, "-m", "qsdask", "features", store, "--set", "misfit", "--quiet", *typed]
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def editable(installed, tmp_path) -> Path:
    """The same package, to be changed."""
    return shutil.copytree(installed, tmp_path / "editable", ignore=shutil.ignore_patterns("__pycache__"))


FAST = ("--cluster", "threads", "--workers", "2")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("def", "SyntaxError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_and_the_status_is_not_0(editable, own, code, said):
    (editable / "qsdask_misfit.py").write_text(code)
    status, text = outside(own / "tiny.zarr", *FAST, folder=editable)
    assert status == 64
    assert "E-FEATURE-SET: the feature set 'misfit' of the package 'qsdask-misfit' cannot be loaded" in text
    assert said in text


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("return np.full((n, 3), np.inf)", "infinite values in sro__number_density__voro"),
        ("return np.full((n, 3), 1e39)", "infinite values in sro__number_density__voro"),
        ("return np.zeros((n, 2))", "got shape"),
        ("block.position[0] = 0.0", "read-only"),
        ("voronoi.count[:] = 0", "read-only"),
        ("block.box.cell[:] = 0", "read-only"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_what_a_package_gives_wrong_is_its_own(editable, own, last, said):
    file = editable / "qsdask_misfit.py"
    file.write_text(file.read_text().replace("return np.stack(", f"{last}\n        return np.stack("))
    status, text = outside(own / "tiny.zarr", *FAST, folder=editable)
    assert status == 65
    assert "E-FEATURE-OUTPUT: the feature set 'misfit' of qsdask_misfit did not give what it declares" in text
    assert said in text


def test_what_a_package_prints_is_not_the_answer(editable, own):
    file = editable / "qsdask_misfit.py"
    file.write_text(file.read_text() + "\nprint('hello')\n")
    environment = {**os.environ, "PYTHONPATH": f"{editable}{os.pathsep}{Path(__file__).resolve().parents[1]}"}
    typed = [sys.executable, "-m", "qsdask", "features", "--list", "--set", "misfit"]
    done = subprocess.run(typed, env=environment, capture_output=True, text=True, check=True)
    assert "hello" not in done.stdout
    assert "the package qsdask-misfit printed while it was loaded: 'hello'" in done.stderr
    text = file.read_text()
    at = text.index(":\n", text.index("def compute")) + 2
    file.write_text(f"{text[:at]}        print('working')\n{text[at:]}")
    typed = [
        sys.executable,
        "-m",
        "qsdask",
        "features",
        str(own / "tiny.zarr"),
        "--set",
        "misfit",
        "--cluster",
        "threads",
    ]
    done = subprocess.run([*typed, "--quiet"], env=environment, capture_output=True, text=True, check=True)
    assert "working" not in done.stdout
    assert "the feature set 'misfit' of qsdask_misfit printed while it computed: 'working'" in done.stderr


def test_a_package_that_was_changed_does_not_go_on_in_the_same_columns(editable, own):
    store, model = own / "tiny.zarr", own / "misfit.qs"
    assert outside(store, *FAST, folder=editable)[0] == 0
    settings = read(store, "features/misfit").settings
    assert (settings["set_package"], settings["set_version"]) == ("qsdask-misfit", "0.1.0")
    assert set(read(store, "features/interstice").settings).isdisjoint(SOURCE)
    run("-c", TRAIN, store, model, folder=editable)
    file = editable / "qsdask_misfit.py"
    file.write_text(file.read_text().replace("- 1.0", "- 2.0"))
    status, text = outside(store, *FAST, folder=editable)
    assert status == 73
    assert (
        f"E-SETTINGS: features/misfit was computed with other settings: set_source: {settings['set_source']} ->" in text
    )
    assert outside(store, *FAST, "--overwrite", folder=editable)[0] == 0
    with pytest.raises(qsdask.QSDaskError, match=r"(?s)E-FEATURES-DIFFER.*features\.set_source: model"):
        qsdask.predict(store, model=model)
    (metadata,) = editable.glob("*.dist-info")
    (metadata / "METADATA").write_text((metadata / "METADATA").read_text().replace("0.1.0", "0.1.1"))
    assert "set_version: 0.1.0 -> 0.1.1" in outside(store, *FAST, folder=editable)[1]


def test_a_worker_with_another_version_refuses(monkeypatch):
    monkeypatch.setattr("qsdask.stages.features.source_of_set", lambda name: {"set_source": "here"})
    _refuse_other_source("misfit", {"set_source": "here"})
    with pytest.raises(qsdask.QSDaskError, match=r"(?s)E-FEATURE-SET.*this worker"):
        _refuse_other_source("misfit", {"set_source": "there"})


def test_what_was_damaged_is_computed_again_by_the_same_version_only(editable, own):
    store = own / "tiny.zarr"
    assert outside(store, *FAST, folder=editable)[0] == 0
    chunk = store / "features" / "misfit" / "value" / "c" / "0" / "0"
    before = chunk.read_bytes()
    chunk.write_bytes(before[:-1])
    run("-m", "qsdask", "repair", store, "--quiet", *FAST, folder=editable)
    assert chunk.read_bytes() == before
    chunk.write_bytes(before[:-1])
    file = editable / "qsdask_misfit.py"
    file.write_text(file.read_text() + "\n# another\n")
    with pytest.raises(AssertionError, match="E-SETTINGS"):
        run("-m", "qsdask", "repair", store, "--quiet", *FAST, folder=editable)
