"""Learning on a real SLURM, of this machine alone: ``python -m pytest -m cluster tests/study/test_ladder_slurm.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

import qsdask
from qsdask.engine.where import Run
from qsdask.study import grown_together
from tests.engine.slurm_host import needs_slurm, slurm_host
from tests.store_files import files_of
from tests.study.killing import kept, killed_at

pytestmark = needs_slurm()

TABLE = """
[cluster]
kind = "slurm"
workers = 2
adapt = false
[cluster.options]
cores = 1
memory = "1500MB"
walltime = "00:30:00"
interface = "lo"
"""


@pytest.fixture
def host(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="needs the extra hpc: pip install 'qsdask[hpc]'")
    (tmp_path / "slurm").mkdir()
    with slurm_host(tmp_path / "slurm") as found:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SLURM_CONF", found.environment["SLURM_CONF"])
        monkeypatch.setenv("PYTHONPATH", str(Path(qsdask.__file__).parents[1]))
        (tmp_path / "hpc.toml").write_text(TABLE)
        yield found


def test_models_on_slurm_are_those_of_this_machine(glass, host, tmp_path, few, monkeypatch):
    long = {"draws": 2, "folds": 3, "trees": 300, "surface_margin": 0.0}
    qsdask.train(glass, model=tmp_path / "here.qs", **long, run=few)
    there = tmp_path / "there.qs"
    with Run("hpc.toml", progress=False).shared() as run:
        with run.connected() as client:
            client.wait_for_workers(2, timeout=300)
        assert run.spreads()
        with killed_at(lambda: bool(kept(there, "fold-*.txt")), lambda: host.ask("scancel", host.running()[0])) as done:
            qsdask.train(glass, model=there, **long, run=run)
        assert done.is_set()
    assert files_of(there) == files_of(tmp_path / "here.qs")
    monkeypatch.setattr(grown_together, "BLOCK", 5)
    short = {"draws": 1, "folds": 2, "trees": 10, "surface_margin": 0.0, "parallel": "data"}
    qsdask.train(glass, model=tmp_path / "two.qs", **short, run=few)
    with Run("hpc.toml", progress=False).shared() as run:
        qsdask.train(glass, model=tmp_path / "together.qs", **short, run=run)
    assert files_of(tmp_path / "together.qs") == files_of(tmp_path / "two.qs")
