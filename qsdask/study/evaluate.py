"""Question ``evaluate``: how well softness predicts plasticity in a glass the model has never seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.learn import Standard, Tally, loaded, probabilities, score
from qsdask.learn.own_label import Judge, is_own, told_label
from qsdask.learn.shipped import folder_of
from qsdask.learn.tally import RESOLUTION
from qsdask.space.strain import branch_name, branches
from qsdask.stages.predict import standard_of
from qsdask.stages.steps import label_note, label_step
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.own_label import check_label, ledger_of_label, own_scores
from qsdask.study.response import refuse_undeformed
from qsdask.study.rows import labelled_rows, softness_group
from qsdask.study.surface import margin_of, surface_ledgers, surface_note

__all__ = ["evaluate"]

#: Bins of QS from which the AUC of each fold model is read; good to about 1e-5.
FINE = 20000


def evaluate(store: str | Path, *, model: str | Path, frame: int | None = None, run: Run | None = None) -> dict:
    """Test a model on a held-out specimen, without undersampling.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`; for a model of a label of your own after `qsdask.label`
        instead of `respond`: it need not be deformed.
    model : str or Path
        Model folder.
    frame : int, optional
        Frame whose plastic atoms are to be predicted; that of the model's label by default: the one in which its strain is
        first passed. Negative numbers count from the end.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    dict
        ``auc_roc`` (of QS), ``auc_models_mean`` and ``auc_models_std`` (of the single fold models), ``average_precision``,
        ``recall``, ``precision``, ``f1`` at 0.5, ``baselines``, ``calibration``, ``atoms``, ``usable``, ``plastic``,
        ``plastic_fraction``, ``excluded``, ``frame``, ``strain``, ``branch`` (of the loading), ``threshold``; ``frequency`` when
        the label is propensity: then ``plastic`` atoms are those that are so in more than this fraction of the runs.

        Of a label of your own ``plastic`` atoms are the soft ones by the rule of the model: ``label``, ``unit`` and ``rule``
        stand instead of frame, strain and threshold, and ``auc_top``, ``auc_bottom``, ``spearman`` and ``r2`` tell how softness
        ranks the values; see `qsdask.study.own_label.ranking_scores`.

    Raises
    ------
    BadDataError
        ``E-SPECIMEN-BOTH-SIDES`` when the model was trained on this specimen; ``E-STRAIN`` when no frame was stored at
        the label's strain; ``E-MODEL-CHANGED`` when the softness is that of another model of the same name;
        ``E-RESPONSE-DIFFERS`` when D2min was computed with different settings than for the model's label; ``E-LABEL-UNIT``
        when a label of your own has another unit than the model's.
    UsageError
        ``E-STEP`` for a frame with a label of your own, which has none.
    QSDaskError
        When a stage is missing or incomplete.
    """
    path, run = Path(store), run or Run()
    found = loaded(str(model))
    source = ledger.require(path, "ingest")
    if not is_own(found.label):
        refuse_undeformed(path)
    found.check_specimen(source.facts["specimen"], source.facts["fingerprint"])
    group = softness_group(path, model)
    check_label(path, found.label)
    margin = margin_of(found.label)
    with run.shared() as here:
        step, ranked = own_scores(path, group, found.label, frame, here) or (label_step(path, found.label, frame), {})
        total = reduced(
            path,
            (group, ledger_of_label(found.label), *surface_ledgers(path, margin)),
            _part,
            _Counts.__add__,
            here,
            "evaluate",
            group=group,
            model=str(folder_of(model).resolve()),
            digest=found.digest(),
            step=step,
            standard=standard_of(path, group),
        )
    scored = score.evaluate(total.softness, prior=found.prior, trained_prior=found.trained_prior)
    each = [score.auc_roc(Tally(np.arange(FINE), plastic, other)) for other, plastic in total.models]
    return {
        "store": str(path),
        "model": str(model),
        **(_moment(path, found.label, frame, step) if isinstance(step, int) else told_label(found.label)),
        "atoms": StoreReader(path)["atoms/id"].shape[0],
        "usable": scored["n_atoms"],
        "plastic": scored["n_plastic"],
        "plastic_fraction": scored["n_plastic"] / scored["n_atoms"] if scored["n_atoms"] else float("nan"),
        "excluded": dict(total.excluded),
        **ranked,
        "auc_roc": scored["auc"],
        "auc_models_mean": float(np.mean(each)),
        "auc_models_std": float(np.std(each)),
        **{name: scored[name] for name in ("average_precision", "recall", "precision", "f1")},
        "baselines": scored["baselines"],
        "calibration": scored["calibration"],
        "calibration_corrected": scored["calibration_corrected"],
        "notes": [*label_note(path, found.label, frame), *surface_note(path, margin), *scored["notes"]],
        "cross_validation": found.scores["mean"],
    }


def _moment(path: Path, label: Mapping, frame: int | None, step: int) -> dict:
    """When atoms are plastic, and by which threshold."""
    strain = StoreReader(path)["frames/strain"][:]
    return {
        "frame": step,
        "strain": float(label["strain"] if frame is None else strain[step]),
        "branch": branch_name(branches(strain)[step]),
        "threshold": float(label["threshold"]),
        **({"frequency": float(label["frequency"])} if "frequency" in label else {}),
    }


class _Counts(NamedTuple):
    """Usable atoms counted: what the scores of a glass are made of.

    Attributes
    ----------
    softness : Tally
        By QS, rounded to `qsdask.learn.tally.RESOLUTION`.
    models : int64 array, shape (n_model, 2, FINE)
        By probability of every fold model, plastic ones second.
    excluded : dict of str to int
        Atoms left out, by rule.
    """

    softness: Tally
    models: np.ndarray
    excluded: dict[str, int]

    def __add__(self, other: _Counts) -> _Counts:  # type: ignore[override]  # counts add up, tuples would join
        excluded = {rule: n + other.excluded[rule] for rule, n in self.excluded.items()}
        return _Counts(self.softness + other.softness, self.models + other.models, excluded)


def _part(
    root: StoreReader, domain: int, *, group: str, model: str, digest: str, step: int | Judge, standard: Standard | None
) -> _Counts:
    found, rows = loaded(model, digest), root.rows(domain)
    labelled = labelled_rows(root, domain, found.sets, found.columns, step, found.label, gaps=found.part.gaps)
    qs = root[f"{group}/qs"][rows]
    mask = labelled.mask & np.isfinite(qs)
    y = labelled.y[mask]
    species, names = root["atoms/species"][rows][mask], root.names("atoms/species_name")
    each = probabilities(found, found.part.seen(labelled.value[mask], species, names, standard))
    bins = np.minimum((each * FINE).astype(np.int64), FINE - 1)
    models = np.stack([[np.bincount(b[y == side], minlength=FINE) for side in (False, True)] for b in bins])
    return _Counts(Tally.of(y, qs[mask], resolution=RESOLUTION), models, labelled.excluded)
