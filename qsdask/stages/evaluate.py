"""Stage ``evaluate``: how well softness foretells plasticity in a glass the model has never seen."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from qsdask.analysis.counts import auc_of_counts
from qsdask.engine.run import run_tasks
from qsdask.engine.stage import Run
from qsdask.learn import probabilities, score
from qsdask.stages.activation import label_step, softness_group
from qsdask.stages.predict import loaded
from qsdask.stages.usable import check_response, labelled_rows
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["evaluate"]

#: Bins of QS from which the AUC of each fold model is read; good to about 1e-5.
FINE = 20000


def evaluate(store: str | Path, *, model: str | Path, run: Run | None = None) -> dict:
    """Test a model on a set-aside specimen, without undersampling.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`.
    model : str or Path
        Model folder.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    dict
        ``auc_roc`` (of QS), ``auc_models_mean`` and ``auc_models_std`` (of the single fold models), ``average_precision``,
        ``recall``, ``precision``, ``f1`` at 0.5, ``baselines``, ``calibration``, ``atoms``, ``usable``, ``plastic``,
        ``plastic_fraction``, ``excluded``, ``strain``, ``threshold``; ``frequency`` when the label is propensity: then
        ``plastic`` atoms are those that are so in more than this fraction of the runs.

    Raises
    ------
    BadDataError
        ``E-SPECIMEN-BOTH-SIDES`` when the model was trained on this specimen; ``E-STRAIN`` when no frame was stored at
        the label's strain; ``E-MODEL-CHANGED`` when the softness is that of another model of the same name;
        ``E-RESPONSE-DIFFERS`` when D2min was measured otherwise than for the model's label.
    QSDaskError
        When a stage is missing or incomplete.
    """
    path, run = Path(store), run or Run()
    found = loaded(str(model))
    source = ledger.require(path, "ingest")
    found.check_specimen(source.provenance["specimen"], source.provenance["fingerprint"])
    group = softness_group(path, model)
    check_response(path, found.label, averaged="frequency" in found.label)
    step = label_step(path, found.label["strain"])
    domains = [(str(path), domain) for domain in range(StoreReader(path).n_domain)]
    with run.connected() as client:
        part = partial(_scores_of_domain, group=group, model=str(Path(model).resolve()), step=step)
        parts = sorted(
            run_tasks(client, part, domains, label="evaluate", progress=run.progress), key=lambda p: p["domain"]
        )
    y = np.concatenate([p["y"] for p in parts])
    qs = np.concatenate([p["qs"] for p in parts])
    counts = sum(p["counts"] for p in parts)
    scored = score.evaluate(y, qs, prior=found.prior, trained_prior=found.trained_prior)
    each, _, _ = auc_of_counts(counts[:, 1], counts[:, 0])
    return {
        "store": str(path),
        "model": str(model),
        "strain": float(found.label["strain"]),
        "threshold": float(found.label["threshold"]),
        **({"frequency": float(found.label["frequency"])} if "frequency" in found.label else {}),
        "atoms": StoreReader(path)["atoms/id"].shape[0],
        "usable": len(y),
        "plastic": int(y.sum()),
        "plastic_fraction": float(y.mean()) if len(y) else float("nan"),
        "excluded": {rule: sum(p["excluded"][rule] for p in parts) for rule in parts[0]["excluded"]},
        "auc_roc": scored["auc"],
        "auc_models_mean": float(np.mean(each)),
        "auc_models_std": float(np.std(each)),
        **{name: scored[name] for name in ("average_precision", "recall", "precision", "f1")},
        "baselines": scored["baselines"],
        "calibration": scored["calibration"],
        "calibration_corrected": scored["calibration_corrected"],
        "notes": scored["notes"],
        "cross_validation": found.scores["mean"],
    }


def _scores_of_domain(path: str, domain: int, *, group: str, model: str, step: int) -> dict:
    root = StoreReader(path)
    found = loaded(model)
    rows = root.rows(domain)
    labelled = labelled_rows(root, domain, found.definition["features"]["set"], found.columns, step, found.label)
    qs = root[f"{group}/qs"][rows]
    mask = labelled.mask & np.isfinite(qs)
    each = probabilities(found, labelled.value[mask])
    bins = np.minimum((each * FINE).astype(np.int64), FINE - 1)
    y = labelled.y[mask]
    counts = np.stack([[np.bincount(b[y == side], minlength=FINE) for side in (False, True)] for b in bins])
    return {"domain": domain, "y": y, "qs": qs[mask], "counts": counts, "excluded": labelled.excluded}
