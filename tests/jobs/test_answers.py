"""Answers are given again only while what they rest on is as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qsdask.jobs.answers import Answers, content_of, numbers_of
from qsdask.stages.respond import respond


def test_an_answer_is_known_on_its_basis_only(tmp_path):
    file = tmp_path / "job.json"
    kept = Answers(file).keep("scores", ["model", 1], {"auc": np.float64(0.7), "recall": math.nan, "n": np.arange(2)})
    again = Answers(file)
    known = again.known("scores", ["model", 1])
    assert known["auc"] == kept["auc"] == 0.7
    assert math.isnan(known["recall"])
    assert known["n"] == [0, 1]
    assert again.known("scores", ["model", 2]) is None
    assert again.known("others", ["model", 1]) is None


def test_an_answer_is_shown_again_in_its_order(tmp_path):
    answers = Answers(tmp_path / "job.json")
    answers.keep("scores", [], {"random": 1, "most frequent": {"recall": 2, "auc": 3}})
    answers.keep("baselines", [], 0)
    kept = (tmp_path / "job.json").read_text()
    assert kept.index("baselines") < kept.index("scores")
    assert repr(Answers(tmp_path / "job.json").known("scores", [])) == repr(
        {"random": 1, "most frequent": {"recall": 2, "auc": 3}}
    )


@pytest.mark.parametrize("content", ["", "{", "[]", '{"scores": 1}', '{"scores": {"basis": "x"}}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path, content):
    (tmp_path / "job.json").write_text(content)
    answers = Answers(tmp_path / "job.json")
    assert answers.known("scores", []) is None
    answers.keep("scores", [], 1)
    assert Answers(tmp_path / "job.json").known("scores", []) == 1


def test_what_was_made_is_looked_at_byte_for_byte(tmp_path):
    answers, page = Answers(tmp_path / "job.json"), tmp_path / "report.html"
    assert content_of(page) is None
    assert not answers.made("report", [], page)
    page.write_text("one")
    answers.keep("report", [], content_of(page))
    assert answers.made("report", [], page)
    page.write_text("two")
    assert not answers.made("report", [], page)
    folder = tmp_path / "model.qs"
    folder.mkdir()
    (folder / "a").write_text("x")
    before = content_of(folder)
    (folder / "a").rename(folder / "b")
    assert content_of(folder) != before


def test_numbers_computed_with_different_settings_are_others(own, few):
    from dataclasses import replace

    store = own / "tiny.zarr"
    before = numbers_of(store)
    respond(store, normalise="mean", run=replace(few, overwrite=True))
    assert numbers_of(store) != before
