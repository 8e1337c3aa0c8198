"""The page of a glass that nobody has deformed, and hints that lead to it instead of into a dead end."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

import qsdask
from qsdask.analysis.counts import in_length
from qsdask.cli import main
from qsdask.cli.following import following
from qsdask.errors import BadDataError
from qsdask.reporting.number import PERCENT
from qsdask.reporting.softness_map import softness_map
from qsdask.store.reader import StoreReader
from qsdask.views.report import softness_report
from qsdask.views.soft_spots import slice_of
from tests.small_store import SPECIES


@pytest.fixture(scope="module")
def alone(tiny, tmp_path_factory, few):
    """Store of the undeformed frame of the small glass, with softness, and nothing else to come."""
    home = tmp_path_factory.mktemp("alone")
    text = (tiny / "tiny.dump").read_text().split("ITEM: TIMESTEP\n")[1]
    (home / "alone.dump").write_text("ITEM: TIMESTEP\n" + text)
    store = home / "alone.zarr"
    qsdask.ingest(home / "alone.dump", store, species=SPECIES, chunk=24, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    assert following(store) == f"qsdask predict {store} --model MODEL"
    qsdask.predict(store, model=tiny / "tiny.qs", run=few)
    return store


def shown(page) -> str:
    return re.sub(r"<[^>]+>", " ", page.read_text())


def test_the_page_has_the_numbers_of_the_store(alone, tiny, tmp_path, few):
    page = qsdask.report(alone, model=tiny / "tiny.qs", out=tmp_path / "page.html", run=few)
    text, qs = shown(page), StoreReader(alone)["softness/tiny/qs"][:]
    known = qs[np.isfinite(qs)]
    for number in (f"{known.mean():.3f}", f"{known.std():.3f}", PERCENT((known < 0.1).mean())):
        assert number in text
    assert PERCENT((known > 0.7).mean()) in text
    # Slice and distribution, then four of how hard and soft atoms pack; too few are soft to be set against hard ones.
    assert page.read_text().count("<img") == 6
    assert "Spread of QS" in text
    assert "How hard and soft atoms pack" in text
    assert "Does the model know such glasses?" in text
    assert "evaluate" not in text
    assert "qsdask respond" not in text
    # It is the very glass that the model was learned from.
    assert "The model was trained on this glass" in text


def test_a_response_of_one_frame_changes_nothing_and_leads_to_the_report(alone, tiny, tmp_path, few):
    before = qsdask.report(alone, model=tiny / "tiny.qs", out=tmp_path / "page.html", run=few).read_text()
    assert following(alone, model="m.qs") == f"qsdask report {alone} --model m.qs"
    qsdask.respond(alone, run=few)
    after = qsdask.report(alone, model=tiny / "tiny.qs", out=tmp_path / "page.html", run=few).read_text()
    # Provenance and the warnings of the stage alone know of it.
    assert before.split("<section>")[1:-1] == after.split("<section>")[1:-1]


@pytest.mark.parametrize("command", ["evaluate", "activation", "train"])
def test_a_question_about_deformation_is_sent_to_the_report(command, alone, tiny, capsys):
    model = alone.parent / "new.qs" if command == "train" else tiny / "tiny.qs"
    assert (
        main([command, str(alone), "--model", str(model), "--cluster", "threads", "--quiet"])
        == BadDataError.exit_status
    )
    error = capsys.readouterr().err
    assert "E-STRAIN" in error
    assert "qsdask report" in error
    assert "qsdask respond" not in error


def test_frames_without_a_response_have_a_page_that_names_what_is_missing(own, tiny, tmp_path, few):
    store = own / "tiny.zarr"
    shutil.rmtree(store / "ledger" / "response")
    text = shown(qsdask.report(store, model=own / "tiny.qs", out=tmp_path / "page.html", run=few))
    assert f"qsdask respond {store}" in text


def test_the_softness_of_a_deformed_frame_has_a_page(own, tmp_path, few):
    store, model = own / "tiny.zarr", own / "tiny.qs"
    qsdask.shells(store, step=1, run=few)
    qsdask.features(store, step=1, run=few)
    qsdask.predict(store, model=model, step=1, accept_outside=True, run=few)
    text = shown(softness_report(store, model=model, out=tmp_path / "page.html", step=1, run=few))
    known = StoreReader(store)["steps/1/softness/tiny/qs"][:]
    known = known[np.isfinite(known)]
    assert f"{known.mean():.3f}" in text
    assert "--columns step_qs,step_qs_std" in text


def test_the_map_of_a_slice_names_the_unit_of_the_store(alone):
    slab = slice_of(StoreReader(alone), "tiny", thickness=3.0)
    for length, sign in (("angstrom", "Å"), ("sigma", "σ")):
        axes = softness_map(in_length(slab, length)).axes[0]
        assert axes.get_xlabel() == f"z ({sign})"
        assert f"slice 3\u00a0{sign} thick" in axes.figure.get_suptitle()
        assert len(axes.collections[0].get_offsets()) == slab.sizes["atom"] > 0
