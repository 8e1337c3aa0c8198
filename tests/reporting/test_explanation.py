"""Pictures of what a model looks at: labels with units, hostile names, nothing to show, the same bytes every time."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.text import Text

from qsdask.reporting.explanation import importances, partial_dependence
from qsdask.reporting.picture import encode

HOSTILE = "sro__$x^{2}$<script>\x1b[31m"


def of_columns(permutation):
    names = ["mro__a__b__mean", HOSTILE, "sro__c__d"]
    values = {name: ("column", np.array([0.5, 0.3, 0.2])) for name in ("gain", "size", "apart", "higher")}
    values |= {name: ("column", np.full(3, permutation)) for name in ("permutation", "permutation_std")}
    parts = {f"part_{name}": ("part", value[1][:2]) for name, value in values.items()}
    found = xr.Dataset(values | parts, coords={"column": names, "part": ["mro__a", HOSTILE]})
    found = found.assign_coords(meaning=("column", [f"meaning of {name}" for name in names]))
    notes = ["no permutation importance: nobody knows"] if np.isnan(permutation) else []
    return found.assign_attrs(auc=0.7, n_permuted=50, notes=notes, measure="share of total gain")


def of_dependence(two, motifs):
    names = ("first", "second")[: 1 + two]
    grid = np.array([0.0, 1.0, 4.0])
    coords = {name: (name, grid) for name in names} | {
        f"{name}_edge": (f"{name}_edge", np.linspace(0, 4, 6)) for name in names
    }
    bins = [f"{name}_bin" for name in names]
    count = np.arange(5.0 ** len(names)).reshape([5] * len(names))
    values = {
        "qs": (names, np.linspace(0.2, 0.8, 3 ** len(names)).reshape([3] * len(names))),
        "count": (bins, count.astype(int)),
        "density": (bins, count),
        "motif_n": ("motif", np.arange(motifs) + 5),
        "motif_qs": ("motif", np.full(motifs, 0.4)),
        "motif_mean": (("motif", "axis"), np.full((motifs, len(names)), 2.0)),
        "motif_covariance": (("motif", "axis", "other_axis"), np.tile(np.eye(len(names)), (motifs, 1, 1))),
    }
    labels = np.array(["<0,0,12,0,0>", "<0,0,12,4,0>", "<0,2,8,2,0>"][:motifs], dtype=np.str_)
    found = xr.Dataset(values, coords={**coords, "motif": ("motif", labels)})
    columns = [HOSTILE, "sro__c__d"][: 1 + two]
    return found.assign_attrs(columns=columns, meanings=[f"meaning of {c}" for c in columns], n=90, n_sampled=40)


DRAWINGS = {
    "importances": lambda: importances(of_columns(0.01)),
    "importances of a training glass": lambda: importances(of_columns(np.nan)),
    "one column": lambda: partial_dependence(of_dependence(False, 3)),
    "one column without motifs": lambda: partial_dependence(of_dependence(False, 0)),
    "two columns": lambda: partial_dependence(of_dependence(True, 3)),
    "two columns without motifs": lambda: partial_dependence(of_dependence(True, 0)),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_data_gives_the_same_bytes(name):
    assert encode(DRAWINGS[name](), name) == encode(DRAWINGS[name](), name)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_what_is_drawn_is_named():
    assert any("fall of the AUC" in text for text in texts(DRAWINGS["importances"]()))
    assert any("nobody knows" in text for text in texts(DRAWINGS["importances of a training glass"]()))
    for name in ("one column", "two columns"):
        said = " ".join(texts(DRAWINGS[name]())).replace("\n", " ")
        assert "Partial dependence of QS (no unit)" in said
        assert "40 of 90 atoms" in said
        assert "<0,0,12,4,0>: 6 atoms, QS 0.40" in said


def test_icosahedra_lie_where_they_are():
    axes = DRAWINGS["two columns"]().axes[0]
    [ellipse] = [patch for patch in axes.patches if patch.get_edgecolor()[:3] == (0.0, 0.0, 0.0)]
    assert tuple(ellipse.get_center()) == (2.0, 2.0)
    assert (ellipse.width, ellipse.height) == (2.0, 2.0)
