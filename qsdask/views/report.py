"""``report``: one HTML page that shows how softness predicted the plasticity of a glass, or how soft an undeformed one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.learn import Model, loaded
from qsdask.learn.own_label import is_own, told_rule
from qsdask.names import name_of_model
from qsdask.reporting.held_out import SCORES
from qsdask.reporting.number import COUNT, PERCENT_FINE
from qsdask.reporting.page import Report, refuse_other_page, render, write_page
from qsdask.reporting.undeformed import Softness
from qsdask.settings import ReportSettings, refuse_defaults, validated
from qsdask.stages.columns import meaning_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.activation import activation
from qsdask.study.distribution import softness_distribution
from qsdask.study.evaluate import evaluate
from qsdask.study.own_label import can_be_scored
from qsdask.study.response import is_deformed
from qsdask.study.rows import softness_group
from qsdask.study.slice import slice_through
from qsdask.study.spectrum import spectrum
from qsdask.study.surface import margin_of
from qsdask.units import ANGSTROM, symbol
from qsdask.views.info import specimen_of, surface_text
from qsdask.views.own_scores import own_scores_told
from qsdask.views.physics import hard_and_soft
from qsdask.views.scores import auc_note, auc_rows
from qsdask.views.soft_spots import share_outside, slice_of, soft_spots, verdict

__all__ = ["next_commands", "report", "softness_report"]

#: Physics checks of a simulated glass that its report tells: name, title, unit.
_CHECKED = (
    ("density_g_per_cm3", "density", "g/cm³"),
    ("energy_ev_per_atom", "energy", "eV/atom"),
    ("modulus_gpa", "Young's modulus", "GPa"),
    ("yield_stress_gpa", "highest stress", "GPa"),
    ("yield_strain", "at strain", ""),
    ("plastic_fraction", "plastic fraction at 4 %", ""),
)


def report(
    store: str | Path,
    *,
    model: str | Path,
    out: str | Path = "report.html",
    frame: int | None = None,
    slice_axis: str = "y",
    slice_thickness: float | None = None,
    stages: Sequence[Mapping] = (),
    scores: Mapping | None = None,
    run: Run | None = None,
) -> Path:
    """Write a self-contained HTML report of a held-out specimen, or of one that was not deformed.

    Where the store holds the undeformed glass alone, or no response, the page shows its softness; see `softness_report`. So it
    does for a model of a label of your own, with the scores where the store has this label.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict`, and after `qsdask.respond` if it was deformed.
    model : str or Path
        Model folder.
    out : str or Path
        HTML file. A page that qsdask wrote is replaced, another file only if `run` overwrites.
    frame : int, optional
        Frame whose plastic atoms are predicted and shown; that of the model's label by default. Negative numbers count from
        the end.
    slice_axis : {"x", "y", "z"}
        Normal of the pictured slice.
    slice_thickness : float, optional
        2 by default, in angstrom; where lengths are in sigma there is no default.
    stages : sequence of mappings
        Rows of a table of stages and times, when the caller took them.
    scores : mapping, optional
        Result of `qsdask.evaluate` for this store, model and frame, when the caller has it; found anew otherwise.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS`` when another file is there; ``E-IN-STORE`` for a place inside of a store.
    QSDaskError
        When a stage is missing or incomplete, or the specimen was trained on.
    """
    path, run = located(store), run or Run()
    if is_own(loaded(str(model)).label) or (frame is None and not _has_response(path)):
        if frame is not None:
            raise UsageError("the label of the model is that of no frame", code="E-STEP", hint="leave --frame out")
        return softness_report(
            path,
            model=model,
            out=out,
            slice_axis=slice_axis,
            slice_thickness=slice_thickness,
            stages=stages,
            scores=scores,
            run=run,
        )
    refuse_other_page(out, overwrite=run.overwrite)
    ledger.require(path, "ingest")
    found = loaded(str(model))
    refuse_defaults(validated(ReportSettings, slice_thickness=slice_thickness), StoreReader(path).length)
    with run.shared() as here:
        scores = evaluate(path, model=model, frame=frame, run=here) if scores is None else scores
        by_strain = activation(path, model=model, run=here)
        at_strain = spectrum(path, model=model, frame=frame, run=here)
        cut = slice_through(path, model=model, axis=slice_axis, thickness=slice_thickness, frame=frame, run=here)
        packed, apart = hard_and_soft(path, model, here)
    about = specimen_of(path)
    shown = Report(
        **_about(path, about, found, model),
        specimen={**_specimen(about, found), "validity": _validity(path, model), "excluded": scores["excluded"]},
        scores=_scores(scores, found),
        stages=stages,
        activation=by_strain,
        spectrum=at_strain,
        slice=cut.assign_attrs(loading=about["loading"]),
        packing=packed,
        contrast=apart,
        warnings=[*_warnings(path), *found.warnings, *scores["notes"]],
        next_commands=next_commands(path, model, scores["frame"]),
    )
    return write_page(out, render(shown))


def softness_report(
    store: str | Path,
    *,
    model: str | Path,
    out: str | Path = "report.html",
    step: int = 0,
    slice_axis: str = "y",
    slice_thickness: float | None = None,
    stages: Sequence[Mapping] = (),
    scores: Mapping | None = None,
    run: Run | None = None,
) -> Path:
    """Write a page about the softness of a frame: its distribution, a slice, clusters of soft atoms, and whether they are valid.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict`; nothing is asked of its response.
    model, out, slice_axis, slice_thickness, stages, scores, run
        As of `report`; there are scores only of labels of your own.
    step : int
        Frame.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS`` when another file is there; ``E-IN-STORE`` for a place inside of a store.
    QSDaskError
        When the softness is missing or incomplete.
    """
    path, run = located(store), run or Run()
    refuse_other_page(out, overwrite=run.overwrite)
    found, name = loaded(str(model)), name_of_model(model)
    root = StoreReader(path)
    chosen = validated(ReportSettings, slice_axis=slice_axis, slice_thickness=slice_thickness)
    refuse_defaults(chosen, root.length)
    with run.shared() as here:
        distribution = softness_distribution(path, model=model, step=step, run=here)
        packed, apart = (None, None) if step else hard_and_soft(path, model, here)
    about = specimen_of(path)
    cut = slice_of(root, name, step, axis=slice_axis, thickness=chosen.slice_thickness_angstrom)
    seen = _learned_from(path, found)
    if scores is None and is_own(found.label) and can_be_scored(path, found.label) and not (seen or step):
        scores = evaluate(path, model=model, run=run)
    shown = Report(
        **_about(path, about, found, model, step),
        scores=own_scores_told(scores) if scores else {},
        specimen={
            **_specimen(about, found),
            **({"frame": str(step)} if about["steps"] > 1 else {}),
            "excluded": {"without QS, or near a free surface": int(distribution["n_unusable"])},
        },
        stages=stages,
        softness=Softness(
            distribution=distribution, slice=cut, spots=soft_spots(root, found, name, step), unit=symbol(root.length)
        ),
        packing=packed,
        contrast=apart,
        warnings=[*_warnings(path), *found.warnings, *seen],
        next_commands=_next_of_softness(path, model, step),
    )
    return write_page(out, render(shown))


def _has_response(path: Path) -> bool:
    """Whether there is something to hold softness against; one that is being computed counts, and is asked for when it is read."""
    return is_deformed(path) and ledger.read(path, "response/d2min") is not None


def _learned_from(path: Path, found: Model) -> list[str]:
    """That the model has seen the glass that it is applied to, if it has."""
    source = ledger.require(path, "ingest").facts
    try:
        found.check_specimen(source["specimen"], source["fingerprint"])
    except BadDataError:
        return ["The model was trained on this glass: its softness is remembered in part, not predicted."]
    return []


def _next_of_softness(store: Path, model: str | Path, step: int) -> list[str]:
    of_frame = f" --frame {step}" * (step > 0)
    columns = ",".join(("step_" * (step > 0)) + name for name in ("qs", "qs_std"))
    return [
        f"qsdask info {store}",
        f"qsdask export {store}{of_frame} --model {name_of_model(model)} --columns {columns} --out {store.stem}.extxyz",
        *([f"qsdask respond {store}", f"qsdask report {store} --model {model}"] if is_deformed(store) else []),
    ]


def _about(path: Path, about: Mapping, found: Model, model: str | Path, step: int = 0) -> dict[str, Any]:
    """What every report tells: of the model, of how the glass was made, and where all of it comes from."""
    stored, source = ledger.records(path), ledger.require(path, "ingest").facts
    return {
        "title": f"Quench-in softness of {about['name']}",
        "model": _model(found, name_of_model(model), meaning_of(StoreReader(path), found.sets, step)),
        "making": _making(source.get("simulated", {})),
        "provenance": {
            "input": ", ".join(source["input"]),
            "input hash (BLAKE2b)": source["input_hash"],
            "model hash (SHA-256)": found.digest(),
            **{f"settings of {record.key}": _settings(record.settings) or "defaults" for record in stored},
            **{f"version of {name}": number for name, number in {**source["versions"], **found.versions}.items()},
        },
    }


def _specimen(about: Mapping, found: Model) -> dict[str, object]:
    """What the report tells of the specimen."""
    strain = f"{about['strain'][0]:g} to {about['strain'][1]:g}" if about["steps"] > 1 else "undeformed"
    return {
        "name": about["name"],
        "atoms": about["atoms"],
        "frames": about["steps"],
        "strain": strain + (f", {about['loading']}" if about["loading"] else ""),
        **({} if about["length"] == ANGSTROM else {"lengths": about["units"]}),
        "composition": _shares(about["species"]),
        "free surfaces": _surfaces(about["surface"], margin_of(found.label), about["length"]),
    }


def _validity(path: Path, model: str | Path) -> str:
    """Whether the model knows such a glass, in words."""
    return verdict(share_outside(StoreReader(path), softness_group(path, model)))


def next_commands(store: Path, model: str | Path, frame: int = -1) -> list[str]:
    """What to type after a report.

    Parameters
    ----------
    store : Path
        The specimen's store.
    model : str or Path
        Model folder.
    frame : int
        Frame worth looking at.
    """
    if not _has_response(store):
        return _next_of_softness(store, model, 0)
    return [
        f"qsdask info {store}",
        f"qsdask activation {store} --model {model}",
        f"qsdask export {store} --frame {frame} --columns qs,d2min --out {store.stem}.extxyz",
    ]


def _shares(species: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {PERCENT_FINE(share)}" for name, share in species.items())


def _surfaces(known: Mapping, margin: float, length: str) -> str:
    """What is known of free surfaces, and which atoms are left out for them."""
    left_out = f"; atoms nearer than {margin:g} {symbol(length)} are left out" if margin and known.get("atoms") else ""
    return surface_text(known).replace("angstrom", "Å") + left_out


def _model(found: Model, name: str, meaning: Mapping[str, str]) -> dict[str, object]:
    """What the report tells of the model."""
    trained = (f"{s.name} ({COUNT(s.n_atoms)} atoms, {COUNT(s.n_plastic)} plastic)" for s in found.specimens)
    return {
        "name": name,
        "trained on": ", ".join(trained),
        "models": len(found.scores["folds"]),
        "learner": found.part.name,
        "features": f"{', '.join(found.sets)}, {len(found.columns)} columns",
        "label": _label(found),
        "AUC of folds left out": SCORES["auc_roc"].form.spread(*(found.scores["mean"][k] for k in ("auc", "auc_std"))),
        "importance": _importance(found, meaning),
        "importance is the": found.part.measure,
    }


def _label(found: Model) -> str:
    """Which atoms the model learned, in words."""
    label = found.label
    if is_own(label):
        return told_rule(label)
    text = f"plastic where D² > {label['threshold']:g} {symbol(found.length)}² at strain {label['strain']:g}"
    text += f", of frame {label['frame']}" if "frame" in label else ""
    if "frequency" in label:
        text += f", in more than {label['frequency']:g} of the isoconfigurational runs"
    return text


def _scores(scores: Mapping, found: Model) -> dict[str, object]:
    """Scores under the names that the page knows."""
    return {
        **{name: scores[name] for name in (*SCORES, "intervals")},
        "precision_recall": {**scores["precision_recall"], "plastic_fraction": scores["plastic_fraction"]},
        "baselines": {
            name.replace("_", " "): {**row, "auc_roc": row["auc"]} for name, row in scores["baselines"].items()
        },
        "auc_rows": auc_rows(scores, found),
        "auc_note": auc_note(found),
        "usable atoms": scores["usable"],
        "plastic atoms": scores["plastic"],
        "frame": f"{scores['frame']}, {scores['branch']}",
    }


def _making(simulated: Mapping) -> dict[str, object]:
    """What `qsdask.simulate` told `qsdask.ingest`; empty for glasses made elsewhere."""
    if not simulated:
        return {}
    checks = simulated.get("checks") or {}
    rate, seconds = simulated["rate_kelvin_per_second"], simulated["strain_rate_per_second"]
    return {
        "specimen": f"{simulated['name']}, replica {simulated['replica']}, run {simulated['run']}",
        "alloy": _shares(simulated["composition"]),
        "quench": f"{rate:.3g} K/s to {simulated['kelvin']:g} K",
        "load": f"{simulated['loading']} along {simulated['axis']}, mode {simulated['mode']}"
        + (f", {seconds:.3g} per second" if seconds else ""),
        "boundary": simulated["boundary"],
        "potential": f"{simulated['potential']} ({simulated['pair_style']}), SHA-256 {simulated['potential_sha256']}",
        "seed": str(simulated["seed"]),
        "LAMMPS": str(simulated["lammps"]),
        **{
            title: f"{checks[name]:.4g} {unit}".strip()
            for name, title, unit in _CHECKED
            if checks.get(name) is not None
        },
        **({"remarks": "; ".join(checks["remarks"]) or "none"} if checks else {}),
    }


def _importance(model: Model, meaning: Mapping[str, str]) -> list[tuple[str, str, float]]:
    """Columns, what they are, and what share each has of what all are worth, mean over the fold models, largest first."""
    gain = np.mean([g / g.sum() for g in model.part.gain()], axis=0)
    order = [(model.columns[i], float(gain[i])) for i in np.argsort(-gain, kind="stable")]
    return [(name, meaning.get(name, name), share) for name, share in order]


def _warnings(path: Path) -> list[str]:
    """What was accepted with a warning when the store was made."""
    return [f"{w['code']}: {w['text']}" for r in ledger.records(path) for w in r.facts.get("warnings", [])]


def _settings(settings: Mapping) -> str:
    return ", ".join(
        f"{key} = {value}"
        for key, value in settings.items()
        if value is not None and not isinstance(value, list | dict)
    )
