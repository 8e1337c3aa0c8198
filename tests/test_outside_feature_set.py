"""A feature set of another package: installed, found by its entry point, run on workers, and tested by its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.quantity import AtomQuantity, feature_sets
from tests.small_store import tiny

__all__ = ["tiny"]

PACKAGE = Path(__file__).resolve().parents[1] / "examples" / "outside_feature_set"


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


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """What an installer would write, without one: the module, and the metadata that its pyproject.toml asks for."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copy(PACKAGE / "qsdask_misfit.py", folder)
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    text = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(text)
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_its_own_tests_pass(installed):
    printed = run("-m", "pytest", "-q", "-p", "no:cacheprovider", PACKAGE / "test_misfit.py", folder=installed)
    assert "passed" in printed
    assert "failed" not in printed


def test_it_is_unknown_where_it_is_not_installed(tiny, few):
    with pytest.raises(qsdask.QSDaskError, match="E-FEATURE-SET"):
        qsdask.features(tiny / "tiny.zarr", set="misfit", run=few)


class Nameless(AtomQuantity):
    """A class of the contract that is neither a dataclass nor named."""


@pytest.mark.parametrize("wrong", [len, dict, Nameless])
def test_an_entry_point_that_is_no_feature_set_is_refused_by_name(wrong, monkeypatch):
    monkeypatch.setattr("qsdask.quantity.metadata.entry_points", lambda group: [group])
    monkeypatch.setattr("qsdask.quantity._loaded", lambda entry: wrong)
    with pytest.raises(qsdask.QSDaskError, match=f"{wrong.__name__}.*E-FEATURE-SET|E-FEATURE-SET.*{wrong.__name__}"):
        feature_sets.__wrapped__()


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
