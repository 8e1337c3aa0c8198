"""The page: well formed, whole in itself, every string escaped, written in one step."""

from __future__ import annotations

import html.parser
import os

import numpy as np
import pytest

from qsdask.errors import CannotCreateError
from qsdask.reporting import template
from qsdask.reporting.page import Report, render, write_page

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "\"'><script>alert(1)</script><img src=http://evil.example/x onerror=x>&\x1b[2J\u202egnp.\udcff"
BARE = {"activation": None, "spectrum": None, "slice": None}
BASELINE = {"auc_roc": 0.5, "average_precision": 0.031, "recall": 1.0}
PAGE = {
    "title": "glass 7",
    "specimen": {"name": "glass 7", "atoms": 2000, "excluded": {"open Voronoi cell": 12, "singular fit": 3}},
    "model": {
        "folder": "cuzr.qs",
        "models": 5,
        "importance": [("sro__interstice_area__voro__std", "spread of the area interstices", 0.2)],
    },
    "scores": {
        "auc_roc": 0.7123,
        "average_precision": 0.104,
        "recall": np.float64(0.68),
        "seeds": [1, 2],
        "baselines": {"minority": BASELINE},
    },
    "stages": [{"stage": "ingest", "seconds": 1.25}, {"stage": "shells", "seconds": 2.5, "tasks": 3}],
    "warnings": ["12 atoms were wrapped"],
    "provenance": {"qsdask": "0.1.0", "input digest": "sha256:abc"},
    "next_commands": ["qsdask info glass7.zarr", 'qsdask export glass7.zarr --step 3 && echo "done"'],
}


class Reader(html.parser.HTMLParser):
    """Checks nesting and gathers what a browser would fetch, run or show."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def written(path, glass, **changes):
    file = write_page(path, render(Report(**{**PAGE, **glass, **changes})))
    return Reader(file.read_text(encoding="utf-8"))


def check_self_contained(reader):
    assert "script" not in reader.tags
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(reader.tags)
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href", "srcset", "action", "data"):
            assert value.startswith("data:image/"), (tag, name, value[:60])


def test_page_is_whole_in_itself(tmp_path, glass):
    reader = written(tmp_path / "report.html", glass)
    check_self_contained(reader)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    images = [value for tag, name, value in reader.attributes if (tag, name) == ("img", "src")]
    alts = [value for tag, name, value in reader.attributes if (tag, name) == ("img", "alt")]
    assert len(images) == reader.tags.count("img") == reader.tags.count("figure") == 10
    assert len(alts) == 10
    assert all(len(alt) > 20 for alt in alts)
    assert reader.tags.count("figcaption") == 10


def test_page_says_what_it_must(tmp_path, glass):
    text = written(tmp_path / "report.html", glass).text
    for words in (
        "0.712",
        "chance that a plastic atom has a higher QS",
        "calls every atom plastic, which few are",
        "spread of the area interstices",
        "sro__interstice_area__voro__std",
        "Slice 2\u00a0Å thick at z\u00a0=\u00a012.5\u00a0Å, the middle of the box",
        "Loaded by an unknown deformation, to strain 0.04",
        "minority",
        "Average precision",
        "0.771",
        "0.742",
        "open Voronoi cell",
        "12",
        "ingest",
        "1.2",
        "12 atoms were wrapped",
        "sha256:abc",
        '--step 3 && echo "done"',
        "0.55\u00a0Å²",
        "0.230",
        "Spread of QS",
        "doi:10.1038/s41467-019-13511-9",
    ):
        assert words in text, words


def test_scores_stand_with_their_intervals(tmp_path, glass):
    scores = {
        **PAGE["scores"],
        "intervals": {"auc_roc": (0.68, 0.7454), "average_precision": [np.nan, np.nan], "mcc": (0.1, 0.2)},
        "precision_recall": {
            "recall": [0.5, 1.0],
            "precision": [0.2, 0.1],
            "threshold": [0.6, 0.1],
            "plastic_fraction": 0.1,
        },
    }
    reader = written(tmp_path / "report.html", glass, scores=scores)
    assert reader.tags.count("img") == 11
    assert "0.680 to 0.745" in reader.text
    assert "nan to" not in reader.text
    assert "Precision and recall" in reader.text
    assert "0.100 to 0.200" not in reader.text  # of a score that is not given


def test_hostile_names_stay_text(tmp_path, glass):
    reader = written(
        tmp_path / "report.html",
        glass,
        title=HOSTILE,
        specimen={HOSTILE: HOSTILE, "atoms": HOSTILE, "excluded": {HOSTILE: HOSTILE}},
        model={HOSTILE: [HOSTILE], "importance": [(HOSTILE, HOSTILE, 0.5)]},
        scores={HOSTILE: {HOSTILE: HOSTILE}, "auc_roc": 0.7, "baselines": {HOSTILE: BASELINE}},
        stages=[{HOSTILE: HOSTILE}],
        warnings=[HOSTILE],
        provenance={HOSTILE: HOSTILE},
        next_commands=[HOSTILE],
    )
    check_self_contained(reader)
    assert reader.tags.count("img") == 10
    assert reader.text.count("<script>alert(1)</script>") >= 15
    assert "\x1b" not in reader.text
    assert "\u202e" not in reader.text
    assert "\\u202e" in reader.text


def test_text_is_safe_in_attributes():
    assert template.text("\" onerror='x' <b> &amp;") == "&#34; onerror=&#39;x&#39; &lt;b&gt; &amp;amp;"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (345_600, "345\u202f600"),
        (np.int64(-1234), "-1\u202f234"),
        (0.123456, "0.1235"),
        (2.5e-7, "2.5e-07"),
        (np.float32(0.5), "0.5"),
        (float("inf"), "inf"),
        ([1, "a"], "1, a"),
        ({"a": 1}, "a: 1"),
        (np.arange(3), "0, 1, 2"),
    ],
)
def test_values_are_written_for_people(value, shown):
    assert template.text(value) == shown


def test_same_input_same_bytes(tmp_path, glass):
    assert render(Report(**PAGE, **glass)) == render(Report(**PAGE, **glass))


@pytest.mark.filterwarnings("error")
def test_little_or_nothing_to_show(tmp_path, odd_glass):
    check_self_contained(written(tmp_path / "odd.html", odd_glass, scores={"auc_roc": float("nan")}))


def test_parts_that_are_missing_are_left_out(tmp_path):
    nothing = {"activation": None, "spectrum": None, "slice": None}
    reader = written(tmp_path / "bare.html", nothing, specimen={}, model={}, scores={}, stages=[], warnings=[])
    assert "img" not in reader.tags
    assert "Warnings" not in reader.text
    assert "Activation" not in reader.text


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotCreateError, match=r"E-REPORT-WRITE.*No space left"):
        write_page(path, render(Report(**PAGE, **BARE)))
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(CannotCreateError, match="E-REPORT-WRITE"):
        write_page(tmp_path / "no" / "report.html", render(Report(**PAGE, **BARE)))
