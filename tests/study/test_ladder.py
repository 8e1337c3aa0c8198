"""The ladder of learning: where fold models are learned, and who is lost meanwhile, changes no byte."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

import qsdask
from qsdask.engine import together as engine_together
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run
from qsdask.errors import CannotCreateError, NoInputError, ResumableError, UsageError
from qsdask.learn import deal, filed_table, load_model, rank_tasks
from qsdask.learn.working import Working
from qsdask.study import grown, grown_together, kept_rows
from tests.store_files import files_of
from tests.study.killing import kept, killed_at, working_folder

QUICK = {"draws": 2, "folds": 3, "trees": 40, "surface_margin": 0.0}
#: Two blocks of two fold models.
TWO_BLOCKS = {"draws": 1, "folds": 2, "trees": 10, "surface_margin": 0.0}


@pytest.fixture(scope="module")
def home(glass, tmp_path_factory, few):
    """Folder of the model that one process learns."""
    folder = tmp_path_factory.mktemp("ladder")
    qsdask.train(glass, model=folder / "none.qs", parallel="none", **QUICK, run=few)
    return folder


def test_many_rows_are_filed_and_dealt_a_few_at_a_time(glass, home, tmp_path, few, monkeypatch):
    for module, name, value in (
        (filed_table, "MOST", 50),
        (deal, "MOST", 40),
        (kept_rows, "PARTS", 3),
        (grown, "HELD", 1000),
    ):
        monkeypatch.setattr(module, name, value)
    gathered = []
    monkeypatch.setattr(grown, "gathered", lambda *arguments: gathered.append(arguments))
    # Nobody said so, but the rows would be more than is held here.
    qsdask.train(glass, model=tmp_path / "m.qs", **QUICK, run=few)
    assert not gathered
    assert files_of(tmp_path / "m.qs") == files_of(home / "none.qs")


@pytest.mark.parametrize("workers", [1, 3])
def test_models_as_tasks_are_those_of_one_process(glass, home, tmp_path, workers):
    with connect("local", workers) as client:
        run = Run(client, progress=False)
        assert run.spreads() == (workers > 1)
        qsdask.train(glass, model=tmp_path / "m.qs", parallel="models", **QUICK, run=run)
    assert files_of(tmp_path / "m.qs") == files_of(home / "none.qs")
    assert [path.name for path in tmp_path.iterdir()] == ["m.qs"]


def test_a_worker_that_is_killed_costs_one_model(glass, home, tmp_path):
    model = tmp_path / "m.qs"
    # Long enough to be hit.
    long = {**QUICK, "trees": 300}
    qsdask.train(glass, model=home / "long.qs", parallel="none", **long, run=Run("threads", 2, progress=False))
    with connect("local", 2) as client:
        pids = client.run(os.getpid)
        with killed_at(
            lambda: bool(kept(model, "fold-*.txt")), lambda: os.kill(min(pids.values()), signal.SIGKILL)
        ) as killed:
            qsdask.train(glass, model=model, **long, run=Run(client, progress=False))
    assert killed.is_set()
    assert files_of(model) == files_of(home / "long.qs")


def test_learning_goes_on_where_the_receipts_end(glass, home, tmp_path, few, monkeypatch):
    model = tmp_path / "m.qs"
    one_after_other, learned = filed_table.train_one, []

    def interrupted(*arguments, **named):
        if len(learned) == 4:
            raise ResumableError("the machine goes down", code="E-STOPPED")
        learned.append(one_after_other(*arguments, **named))
        return learned[-1]

    monkeypatch.setattr(filed_table, "train_one", interrupted)
    with pytest.raises(ResumableError, match="goes down"):
        qsdask.train(glass, model=model, parallel="models", **QUICK, run=Run("threads", 1, progress=False))
    assert not model.exists()
    assert len(kept(model, "fold-*.txt")) == 4
    learned.clear()
    qsdask.train(glass, model=model, parallel="models", **QUICK, run=few)
    assert len(learned) == 2
    assert files_of(model) == files_of(home / "none.qs")
    assert not working_folder(model).exists()
    # With other settings nothing of it is used.
    learned.clear()
    with pytest.raises(CannotCreateError, match="another model is here"):
        qsdask.train(glass, model=model, parallel="models", **{**QUICK, "draws": 1, "seed": 1}, run=few)
    assert len(learned) == 3


def test_by_all_workers_together_whoever_is_lost(glass, tmp_path, few, monkeypatch):
    monkeypatch.setattr(grown_together, "BLOCK", 5)
    two = tmp_path / "two.qs"
    # On a single worker there are two ranks.
    qsdask.train(glass, model=two, parallel="data", **TWO_BLOCKS, run=few)
    model = tmp_path / "m.qs"
    with connect("local", 3) as client:
        pids = client.run(os.getpid)
        workers, victim = [psutil.Process(pid) for pid in pids.values()], []

        def one_grows() -> bool:
            """Not every worker takes part."""
            victim.extend(one for one in workers if not victim and kept(model, "fold-0-0.json") and one.children())
            return bool(victim)

        with killed_at(one_grows, lambda: victim[0].kill()) as killed:
            qsdask.train(glass, model=model, parallel="data", **TWO_BLOCKS, run=Run(client, progress=False))
        left = [one for pid in pids.values() if psutil.pid_exists(pid) for one in psutil.Process(pid).children()]
    assert killed.is_set()
    assert files_of(model) == files_of(two)
    assert left == [], "processes that grow trees are left"
    made = load_model(model)
    assert made.settings["parallel"] == "data"
    assert "data-parallel" in made.part.name
    assert "parallel" not in load_model_of_one(glass, tmp_path, few).settings


def load_model_of_one(glass, folder, few):
    """The same by one process: another learner, of about the same scores."""
    qsdask.train(glass, model=folder / "one.qs", parallel="none", **TWO_BLOCKS, run=few)
    return load_model(folder / "one.qs")


def test_what_cannot_be_spread_is_refused(glass, tmp_path, few):
    with pytest.raises(UsageError, match="max_bin") as refused:
        qsdask.train(glass, model=tmp_path / "m.qs", parallel="data", max_bin=1000, run=few)
    assert refused.value.code == "E-SETTING"
    with pytest.raises(UsageError, match="learner") as refused:
        qsdask.train(glass, model=tmp_path / "m.qs", parallel="models", learner="response", run=few)
    assert refused.value.code == "E-SETTING"
    with pytest.raises(UsageError, match="for 'train' alone") as refused:
        qsdask.benchmark([glass], [glass], parallel="data", run=few)
    assert refused.value.code == "E-PARALLEL"
    assert list(tmp_path.iterdir()) == []


def test_blocks_of_space_too_are_dealt_as_by_one_process(glass, tmp_path, few):
    settings = {"draws": 1, "folds": 2, "trees": 5, "surface_margin": 0.0, "fold_kind": "spatial_block", "block": 8.0}
    for how in ("none", "models"):
        qsdask.train(glass, model=tmp_path / f"{how}.qs", parallel=how, **settings, run=few)
    assert files_of(tmp_path / "models.qs") == files_of(tmp_path / "none.qs")


def test_workers_that_do_not_see_the_folder_say_so(glass, tmp_path, few, monkeypatch):
    monkeypatch.setattr(Working, "folder", lambda self, content: tmp_path / "elsewhere")
    with pytest.raises(NoInputError, match="does not see the folder") as told:
        qsdask.train(glass, model=tmp_path / "m.qs", parallel="models", **QUICK, run=few)
    assert told.value.code == "E-WORKER-PATH"


def test_a_block_that_fails_again_and_again_ends_in_one_message(glass, tmp_path, few, monkeypatch):
    def broken(*_: object) -> list:
        raise ChildProcessError("a process that grows trees ended with status -9")

    monkeypatch.setattr(rank_tasks, "follow", broken)
    monkeypatch.setattr(engine_together, "TRIES", 1)
    with pytest.raises(ResumableError, match="status -9") as told:
        qsdask.train(glass, model=tmp_path / "m.qs", parallel="data", **TWO_BLOCKS, run=few)
    assert told.value.code == "E-WORKER-LOST"
    assert rank_tasks._RUNNING == {}, "what had begun must be ended"
