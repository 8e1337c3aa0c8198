"""Shipped models: cards say what the models are and score, and a glass that a model does not know is told."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError, NoInputError
from qsdask.formats.opening import open_trajectory
from qsdask.learn import load_model, loaded
from qsdask.learn.shipped import ALIASES, card_of, folder_of, shipped_models

GLASSES = Path(__file__).parents[2] / "examples/glasses-cu-zr"
SPECIES = {1: "Cu", 2: "Zr"}

#: Glass, atoms, plastic share in percent, AUC, average precision, recall: the rows of a card.
_ROW = re.compile(r"\| ([\w-]+) \| ([\d,]+) \| ([\d.]+) % \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|")


def scores_of(card: str) -> dict[str, tuple[float, ...]]:
    return {row[0]: (float(row[1].replace(",", "")), *map(float, row[2:])) for row in _ROW.findall(card)}


def test_every_model_has_a_card_and_fits_into_the_wheel():
    assert set(ALIASES.values()) <= set(shipped_models())
    for name, folder in shipped_models().items():
        found, card = load_model(folder), card_of(name)
        assert card.startswith(f"# {name}\n")
        assert len(scores_of(card)) >= 7
        trained = sum(s.n_usable for s in found.specimens)
        plastic = sum(s.n_plastic for s in found.specimens)
        assert f"{len(found.specimens)} glasses, {trained:,} atoms, {plastic:,} of them plastic" in card
        told = f"{len(found.trees)} gradient-boosted models" if found.trees else "`--learner response`"
        assert told in card
        assert f"{found.trained['times_likelier']:.0f} times likelier" in card
        assert {s.name for s in found.specimens}.isdisjoint(scores_of(card))
        assert sum(file.stat().st_size for file in folder.iterdir()) < 4e6


def test_names_lead_to_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    full = ALIASES["cuzr"]
    assert folder_of("cuzr") == folder_of(full) == shipped_models()[full]
    assert loaded("cuzr").digest() == loaded(full).digest()
    (tmp_path / "cuzr").mkdir()
    assert folder_of("cuzr") == Path("cuzr")  # what is there comes first
    with pytest.raises(NoInputError, match=r"(?s)E-NO-MODEL.*cuzr"):
        card_of("nobody")
    with pytest.raises(NoInputError, match=r"(?s)E-NO-MODEL.*one that is shipped: cuzr"):
        loaded("nobody.qs")


def glass_of(name: str, shipped: Path) -> Path:
    if name == "cu65_b":
        return shipped / f"{name}.dump.gz"
    folder = GLASSES.with_name("glasses-cu65zr35-slow") if "5e12" in name else GLASSES
    return folder / name / "compression.dump.zst"


@pytest.mark.parametrize("model", ALIASES)
@pytest.mark.parametrize(
    "name",
    [
        "cu65_b",
        *(pytest.param(name, marks=pytest.mark.slow) for name in scores_of(card_of("cuzr")) if name != "cu65_b"),
    ],
)
def test_the_scores_of_the_card_are_found_again(name, model, shipped, tmp_path, few):
    store = tmp_path / "glass.zarr"
    qsdask.ingest(glass_of(name, shipped), store, species=SPECIES, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set=",".join(loaded(model).sets), run=few)
    qsdask.respond(store, run=few)
    qsdask.predict(store, model=model, run=few)
    found = qsdask.evaluate(store, model=model, run=few)
    atoms, plastic, auc, precision, recall = scores_of(card_of(model))[name]
    assert found["usable"] == atoms
    assert 100 * found["plastic"] / atoms == pytest.approx(plastic, abs=0.006)
    assert found["auc_roc"] == pytest.approx(auc, abs=0.0006)
    assert found["average_precision"] == pytest.approx(precision, abs=0.0006)
    assert found["recall"] == pytest.approx(recall, abs=0.0006)


@pytest.fixture(scope="module")
def held_out(shipped):
    """A glass that the model has not seen: cell, positions in it, symbols."""
    frame = next(iter(open_trajectory(shipped / "cu65_b.dump.gz").read(0, 1)))
    return frame.cell, frame.position - frame.origin, np.where(frame.type == 1, "Cu", "Zr")


def share_outside(system, **options) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = qsdask.softness(system, "cuzr", check="ignore", **options)
    return float((found.outside > 1).mean())


def test_glasses_like_those_of_the_training_are_known(held_out):
    assert share_outside(held_out) < 0.02
    for name in ("cu50zr50-2e14-r3", "cu65zr35-4e13-r3", "cu80zr20-2e14-r3"):
        assert share_outside(GLASSES / name / "compression.dump.zst", species=SPECIES) < 0.05


def test_a_little_of_a_stranger_is_warned_of(held_out):
    cell, position, symbols = held_out
    odd = symbols.copy()
    odd[np.random.default_rng(0).choice(len(odd), len(odd) * 8 // 100, replace=False)] = "Al"
    with pytest.warns(UserWarning, match="never saw Al"), pytest.warns(UserWarning, match="unlike"):
        found = qsdask.softness((cell, position, odd), "cuzr")
    assert 0.08 < float((found.outside > 1).mean()) < 0.3
    assert np.isnan(found.qs.values[odd == "Al"]).all()
    assert np.isfinite(found.qs.values[odd != "Al"]).all()


@pytest.mark.parametrize("other", [("Ni", "Nb"), ("Fe", "P")])
def test_other_elements_are_refused(held_out, other):
    cell, position, symbols = held_out
    system = (cell, position, np.where(symbols == "Cu", *other))
    assert share_outside(system) == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BadDataError, match=r"(?s)E-OUT-OF-DOMAIN.*100%.*accept-outside"):
            qsdask.softness(system, "cuzr")


def test_a_gas_is_refused_on_every_way(held_out, tmp_path, few):
    cell, position, symbols = held_out
    gas = np.random.default_rng(1).random(position.shape) @ cell
    assert share_outside((cell, gas, symbols)) > 0.99
    with pytest.raises(BadDataError, match="E-OUT-OF-DOMAIN"):
        qsdask.softness((cell, gas, symbols), "cuzr")
    ase = pytest.importorskip("ase.io")
    from ase import Atoms

    ase.write(tmp_path / "gas.extxyz", Atoms(symbols, positions=gas, cell=cell, pbc=True))
    store = tmp_path / "gas.zarr"
    qsdask.ingest(tmp_path / "gas.extxyz", store, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set=",".join(loaded("cuzr").sets), run=few)
    with pytest.raises(BadDataError, match="E-OUT-OF-DOMAIN"):
        qsdask.predict(store, model="cuzr", run=few)
    qsdask.predict(store, model="cuzr", accept_outside=True, run=few)
    told = qsdask.info(store)["stages"][-1]["provenance"]["warnings"]
    assert [w["code"] for w in told] == ["W-OUT-OF-DOMAIN"]
