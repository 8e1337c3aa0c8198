"""Figures: labels with units, no state left behind, the same bytes every time."""

from __future__ import annotations

import base64
import re

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from qsdask.reporting import figures, model_figures
from qsdask.reporting.course import name_course
from qsdask.reporting.picture import encode
from qsdask.reporting.softness_map import softness_map
from qsdask.space.strain import branch_name

HOSTILE = "sro__$x^{2}$<script>\x1b[31m"


def curve(spectrum) -> dict:
    """Precision and recall of a glass, as its scores hold them."""
    true, false = (spectrum[f"roc_{kind}"].values[1:] for kind in ("true", "false"))
    chance = spectrum["p_plastic_all"].item()
    with np.errstate(invalid="ignore"):
        precision = true * chance / (true * chance + false * (1 - chance))
    return {
        "recall": true,
        "precision": precision,
        "threshold": spectrum["cut_qs"].values[1:],
        "plastic_fraction": chance,
    }


DRAWINGS = {
    "precision_recall": lambda data: model_figures.precision_recall(curve(data["spectrum"])),
    "slice_map": lambda data: figures.slice_map(data["slice"]),
    "predicted_given_d2": lambda data: figures.predicted_given_d2(data["spectrum"]),
    "softness_distribution": lambda data: figures.softness_distribution(data["spectrum"]),
    "plastic_given_softness": lambda data: figures.plastic_given_softness(data["spectrum"]),
    "activation_softness": lambda data: figures.activation_softness(data["activation"]),
    "activation_auc": lambda data: figures.activation_auc(data["activation"]),
    "activation_deciles": lambda data: figures.activation_deciles(data["activation"]),
    "roc": lambda data: model_figures.roc(data["spectrum"]),
    "calibration": lambda data: model_figures.calibration(data["spectrum"]),
    "softness_map": lambda data: softness_map(data["slice"]),
}


@pytest.fixture(params=sorted(DRAWINGS))
def name(request):
    return request.param


def content(picture):
    kind, data = re.fullmatch(r"data:image/(svg\+xml|png);base64,([A-Za-z0-9+/=]+)", picture.uri).groups()
    return kind, base64.b64decode(data)


def test_every_axis_names_its_quantity_and_unit(glass, name):
    figure = DRAWINGS[name](glass)
    assert isinstance(figure, Figure)
    unit = re.compile(r"\((Å|Å²|fraction|no unit|ratio|%|per unit QS|fraction of decile)\)")
    for number, axes in enumerate(figure.axes):
        labels = [axes.get_ylabel() or axes.get_xlabel()] if axes.get_label() == "<colorbar>" else []
        if not labels:
            shared = number < len(figure.axes) - 1 and name == "activation_auc"
            labels = ([] if shared else [axes.get_xlabel()]) + [axes.get_ylabel()]
        for label in labels:
            assert unit.search(label), (name, label)


def test_the_same_data_gives_the_same_bytes(glass, name):
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        first = encode(DRAWINGS[name](glass), name)
        settings = dict(matplotlib.rcParams)
    assert first == encode(DRAWINGS[name](glass), name)
    assert settings["font.size"] == 30
    _, data = content(first)
    assert b"<dc:date" not in data
    assert matplotlib.__version__.encode() not in data[:2000]


@pytest.mark.filterwarnings("error")
def test_little_or_nothing_to_show_is_drawn_without_complaint(odd_glass, name):
    encode(DRAWINGS[name](odd_glass), name)


def test_the_precision_recall_curve_shows_its_points_chance_and_the_decision():
    points = {"recall": [0.2, 0.6, 1.0], "precision": [0.4, 0.2, 0.06], "threshold": [0.9, 0.45, 0.0]}
    axes = model_figures.precision_recall({**points, "plastic_fraction": 0.05}).axes[0]
    drawn, chance, half = axes.get_lines()
    np.testing.assert_array_equal(drawn.get_xydata(), np.transpose([points["recall"], points["precision"]]))
    assert set(chance.get_ydata()) == {0.05}
    assert half.get_xydata().tolist() == [[0.6, 0.2]]
    nothing = model_figures.precision_recall({**{key: [] for key in points}, "plastic_fraction": float("nan")})
    encode(nothing, "precision-recall")


def test_small_drawings_are_vector_and_large_ones_raster(glass):
    figure = DRAWINGS["roc"](glass)
    assert content(encode(figure, "roc"))[0] == "svg+xml"
    kind, data = content(encode(figure, "roc", limit=1000))
    assert kind == "png"
    assert data.startswith(b"\x89PNG")
    assert content(encode(figure, "roc", limit=1000, form="svg"))[0] == "svg+xml"


def test_ids_of_two_pictures_do_not_meet(glass):
    def shared_shapes(name):
        _, data = content(encode(DRAWINGS["roc"](glass), name, form="svg"))
        # Ids that a page could confuse: those that something refers to.
        return set(re.findall(rb"url\(#([^)]+)\)", data))

    assert shared_shapes("first")
    assert not shared_shapes("first") & shared_shapes("second")


def test_no_picture_refers_to_another_place(glass, name):
    kind, data = content(encode(DRAWINGS[name](glass), name))
    if kind == "svg+xml":
        assert not re.search(rb'(?:href|src)="(?!#|data:image/png;base64,)', data)
        assert b"<script" not in data


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("draw", [figures.activation_softness, figures.activation_auc, figures.activation_deciles])
def test_a_run_that_turns_is_drawn_along_its_frames_with_the_names_of_its_branches(turning, draw):
    axes = draw(turning).axes[-1]
    assert texts(axes) == ["loading", "unloading", "loading-2"]
    assert list(range(9)) in [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0\n0", "3\n0.06", "6\n-0.01", "8\n0.05"]
    assert axes.get_xlabel() == "Frame, and its strain (fraction)"


def test_of_many_cycles_only_some_are_named(turning):
    branch = np.arange(101)
    names = " ".join(branch_name(k) for k in branch)
    many = xr.Dataset(
        coords={
            "strain": ("step", 0.05 * np.array([(k % 2) for k in branch])),
            "frame": ("step", branch),
            "branch": ("step", branch, {"flag_meanings": names}),
        },
        attrs={"along": "frame"},
    )
    axes = Figure().add_subplot()
    name_course(axes, many)
    assert texts(axes)[:2] == ["cycle 1", "cycle 10"]
    assert len(texts(axes)) <= 12
    assert len(axes.get_xticks()) <= 13


def test_a_run_whose_strain_rises_is_drawn_along_it(glass):
    axes = figures.activation_deciles(glass["activation"]).axes[0]
    np.testing.assert_array_equal(axes.get_lines()[0].get_xdata(), glass["activation"]["strain"])
    assert texts(axes) == []


def test_the_frame_is_named_where_its_strain_does_not_tell(glass):
    told = glass["spectrum"].assign_attrs(moment="frame 8, unloading")
    assert "at strain 0.04 (frame 8, unloading)" in figures.predicted_given_d2(told).axes[0].get_xlabel()
    assert "(frame" not in figures.predicted_given_d2(glass["spectrum"]).axes[0].get_xlabel()
