"""Stage ``report``: one HTML page that shows how softness foretold the plasticity of a glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis import slab
from qsdask.engine.load import read_box
from qsdask.engine.run import run_tasks
from qsdask.engine.stage import Run
from qsdask.learn import Model
from qsdask.reporting.page import write_report
from qsdask.stages.activation import activation, label_step, softness_group, spectrum
from qsdask.stages.evaluate import evaluate
from qsdask.stages.info import info
from qsdask.stages.predict import loaded
from qsdask.stages.usable import usable_softness
from qsdask.store.reader import StoreReader

__all__ = ["report"]

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
    slice_axis: str = "y",
    slice_thickness: float = 2.0,
    stages: Sequence[Mapping] = (),
    run: Run | None = None,
) -> Path:
    """Write a self-contained HTML report of a set-aside specimen.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`.
    model : str or Path
        Model folder.
    out : str or Path
        HTML file.
    slice_axis : {"x", "y", "z"}
        Normal of the pictured slice.
    slice_thickness : float
        Unit: angstrom.
    stages : sequence of mappings
        Rows of a table of stages and times, when the caller took them.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    QSDaskError
        When a stage is missing or incomplete, or the specimen was trained on.
    """
    path, run = Path(store), run or Run()
    found = loaded(str(model))
    group = softness_group(path, model)
    with run.connected() as client:
        here = replace(run, cluster=client, overwrite=False)
        scores = evaluate(path, model=model, run=here)
        by_strain = activation(path, model=model, run=here)
        at_strain = spectrum(path, model=model, run=here)
        cut = partial(
            _slice_of_domain, group=group, model=str(Path(model).resolve()), axis=slice_axis, thickness=slice_thickness
        )
        domains = [(str(path), d) for d in range(StoreReader(path).n_domain)]
        parts = dict(run_tasks(client, cut, domains, label="slice", progress=run.progress))
    about = info(path)
    specimen = about["specimen"]
    return write_report(
        out,
        title=f"Quench-in softness of {specimen['name']}",
        specimen={
            "name": specimen["name"],
            "atoms": specimen["atoms"],
            "frames": specimen["steps"],
            "strain": f"{specimen['strain'][0]:g} to {specimen['strain'][1]:g}",
            "composition": ", ".join(f"{name} {share:.2%}" for name, share in specimen["species"].items()),
            "excluded": scores["excluded"],
        },
        model={
            "name": Path(model).stem,
            "trained on": ", ".join(
                f"{s.name} ({s.n_atoms:,} atoms, {s.n_plastic:,} plastic)" for s in found.specimens
            ),
            "models": len(found.trees),
            "features": f"{found.definition['features']['set']}, {len(found.columns)} columns",
            "label": f"D2min > {found.label['threshold']:g} Å² at strain {found.label['strain']:g}"
            + (
                f", in more than {found.label['frequency']:g} of the isoconfigurational runs"
                if "frequency" in found.label
                else ""
            ),
            "cross-validated AUC": f"{found.scores['mean']['auc']:.3f} ± {found.scores['mean']['auc_std']:.3f}",
            "importance": _importance(found),
        },
        scores={
            "auc_roc": scores["auc_roc"],
            "auc_roc_std": scores["auc_models_std"],
            "average_precision": scores["average_precision"],
            "recall": scores["recall"],
            "baselines": {
                name.replace("_", " "): {
                    "auc_roc": s["auc"],
                    "average_precision": s["average_precision"],
                    "recall": s["recall"],
                }
                for name, s in scores["baselines"].items()
            },
            "mean AUC of the single models": scores["auc_models_mean"],
            "precision at QS = 0.5": scores["precision"],
            "usable atoms": scores["usable"],
            "plastic atoms": scores["plastic"],
        },
        stages=list(stages),
        making=_making(about["stages"][0]["provenance"].get("simulated", {})),
        activation=by_strain,
        spectrum=at_strain,
        slice=slab.finalise(slab.join([parts[d] for d in sorted(parts)])),
        warnings=[f"{w['code']}: {w['text']}" for s in about["stages"] for w in s["provenance"].get("warnings", [])]
        + [*found.warnings, *scores["notes"]],
        provenance={
            "input": ", ".join(about["stages"][0]["provenance"]["input"]),
            "input hash (BLAKE2b)": about["stages"][0]["provenance"]["input_hash"],
            "model hash (SHA-256)": found.digest(),
            **{f"settings of {s['stage']}": _settings(s["settings"]) for s in about["stages"]},
            **{
                f"version of {name}": version
                for name, version in {**about["stages"][0]["provenance"]["versions"], **found.versions}.items()
            },
        },
        next_commands=[
            f"qsdask info {path}",
            f"qsdask activation {path} --model {model}",
            f"qsdask export {path} --step {label_step(path, found.label['strain'])} --columns qs,d2min --out {path.stem}.extxyz",
        ],
    )


def _making(simulated: Mapping) -> dict[str, object]:
    """What `qsdask.simulate` told `qsdask.ingest`; empty for glasses made elsewhere."""
    if not simulated:
        return {}
    checks = simulated.get("checks") or {}
    rate, seconds = simulated["rate_kelvin_per_second"], simulated["strain_rate_per_second"]
    return {
        "specimen": f"{simulated['name']}, replica {simulated['replica']}, run {simulated['run']}",
        "alloy": ", ".join(f"{name} {share:.2%}" for name, share in simulated["composition"].items()),
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


def _importance(model: Model) -> list[tuple[str, float]]:
    """Share of the total gain that every column has, averaged over the fold models, largest first."""
    gain = np.mean([g / g.sum() for g in (b.feature_importance("gain") for b in model.boosters())], axis=0)
    return [(model.columns[i], float(gain[i])) for i in np.argsort(-gain, kind="stable")]


def _slice_of_domain(
    path: str, domain: int, *, group: str, model: str, axis: str, thickness: float
) -> tuple[int, xr.Dataset]:
    root = StoreReader(path)
    label = loaded(model).label
    rows = root.rows(domain)
    step = label_step(Path(path), label["strain"])
    box = read_box(root, 0)
    d2 = np.where(root["response/d2min/valid"][step, rows], root["response/d2min/d2min"][step, rows], np.nan)
    radius = root["atoms/radius"][:][root["atoms/species"][rows]]
    return domain, slab.cut_slab(
        root["frames/position"][0, rows],
        box.cell,
        box.origin,
        box.periodic,
        usable_softness(root, domain, group, label),
        d2,
        radius,
        axis=axis,
        thickness=thickness,
        strain=float(root["frames/strain"][step]),
        threshold=float(label["threshold"]),
    )


def _settings(settings: Mapping) -> str:
    return ", ".join(f"{key} = {value}" for key, value in settings.items() if not isinstance(value, list | dict))
