"""Question ``evaluate``: how well softness predicts plasticity in a glass the model has never seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.learn import Standard, Tally, bootstrap, loaded, probabilities, score
from qsdask.learn.measures import LIFTS
from qsdask.learn.own_label import Judge, told_label
from qsdask.space.strain import branch_name, branches
from qsdask.stages.predict import standard_of
from qsdask.stages.steps import label_note
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.against import compared
from qsdask.study.blocks import Scored, block_edge, block_of, few_blocks
from qsdask.study.judged import judged
from qsdask.study.own_label import own_scores
from qsdask.study.rows import labelled_rows
from qsdask.study.surface import margin_of, surface_note

__all__ = ["evaluate"]

#: Bins of QS from which the AUC of each fold model is read; good to about 1e-5.
FINE = 20000


def evaluate(
    store: str | Path,
    *,
    model: str | Path,
    against: str | Path | None = None,
    frame: int | None = None,
    block: float | None = None,
    run: Run | None = None,
) -> dict:
    """Test a model on a held-out specimen, without undersampling.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`; for a model of a label of your own after `qsdask.label`
        instead of `respond`: it need not be deformed.
    model : str or Path
        Model folder.
    against : str or Path, optional
        Another model that learned the same label, to be compared on the atoms that both can judge.
    frame : int, optional
        Frame whose plastic atoms are to be predicted; that of the model's label by default: the one in which its strain is
        first passed. Negative numbers count from the end.
    block : float, optional
        Edge of the blocks of space that intervals are drawn from, in the unit of the store; by default five spacings of the
        atoms, and longer where there would be more than 64 blocks.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    dict
        ``auc_roc`` (of QS), ``auc_models_mean`` and ``auc_models_std`` (of the single fold models), ``average_precision``,
        ``recall``, ``precision``, ``f1``, ``mcc`` at 0.5, ``lift_1``, ``lift_5``, ``lift_10`` (how many times more often the
        softest 1, 5, 10 % are plastic than all), ``intervals`` (95 %, a pair for each of these but the scores of single
        models), ``blocks`` of space and ``block_edge`` that they come from, ``length`` (its unit), ``precision_recall``,
        ``baselines``, ``calibration``, ``calibration_error`` (of the probability corrected for undersampling), ``atoms``,
        ``usable``, ``plastic``, ``plastic_fraction``, ``excluded``, ``frame``, ``strain``, ``branch`` (of the loading),
        ``threshold``; ``frequency`` when the label is propensity: then ``plastic`` atoms are those that are so in more than
        this fraction of the runs; ``against`` with another model, see `qsdask.study.against.compared`.

        Of a label of your own ``plastic`` atoms are the soft ones by the rule of the model: ``label``, ``unit`` and ``rule``
        stand instead of frame, strain and threshold, and ``auc_top``, ``auc_bottom``, ``spearman`` and ``r2`` tell how softness
        ranks the values; see `qsdask.study.own_label.ranking_scores`.

    Raises
    ------
    BadDataError
        ``E-SPECIMEN-BOTH-SIDES`` when the model was trained on this specimen; ``E-STRAIN`` when no frame was stored at
        the label's strain; ``E-MODEL-CHANGED`` when the softness is that of another model of the same name;
        ``E-RESPONSE-DIFFERS`` when D2min was computed with different settings than for the model's label; ``E-LABEL-UNIT``
        when a label of your own has another unit than the model's; ``E-LABEL-DIFFERS`` when the other model learned another
        label.
    UsageError
        ``E-STEP`` for a frame with a label of your own, which has none; ``E-BLOCK`` when `block` is no positive number, or makes
        too many blocks.
    QSDaskError
        When a stage is missing or incomplete.
    """
    path, run = located(store), run or Run()
    mine = judged(path, model, frame)
    other = None if against is None else judged(path, against, frame)
    found, margin, edge = mine.found, margin_of(mine.found.label), block_edge(StoreReader(path), block)
    with run.shared() as here:
        step, ranked = own_scores(path, mine.group, found.label, frame, here) or (mine.step, {})
        assert step is not None  # no frame is for labels of the user's own alone
        total = reduced(
            path,
            mine.rests_on(path),
            _part,
            _Counts.__add__,
            here,
            "evaluate",
            **mine.softness(),
            step=step,
            edge=edge,
            standard=standard_of(path, mine.group),
        )
        beside = {} if other is None else {"against": compared(path, mine, other, step, edge, here)}
    scored = score.evaluate(total.scored.softness, prior=found.prior, trained_prior=found.trained_prior)
    each = [score.auc_roc(Tally(np.arange(FINE), plastic, other)) for other, plastic in total.models]
    sure = bootstrap.intervals(total.scored.blocks, ledger.require(path, "ingest").facts["specimen"])
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
        **{name: scored[name] for name in ("average_precision", "recall", "precision", "f1", "mcc", *LIFTS)},
        "intervals": sure,
        "blocks": len(total.scored.blocks),
        "block_edge": edge,
        "length": StoreReader(path).length,
        "precision_recall": scored["precision_recall"],
        "baselines": scored["baselines"],
        "calibration": scored["calibration"],
        "calibration_corrected": scored["calibration_corrected"],
        "calibration_error": scored["calibration_corrected"]["error"],
        "notes": [
            *label_note(path, found.label, frame),
            *surface_note(path, margin),
            *scored["notes"],
            *few_blocks(len(total.scored.blocks)),
        ],
        "cross_validation": found.scores["mean"],
        **beside,
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
    scored : Scored
        By QS, as a whole and by block of space.
    models : int64 array, shape (n_model, 2, FINE)
        By probability of every fold model, plastic ones second.
    excluded : dict of str to int
        Atoms left out, by rule.
    """

    scored: Scored
    models: np.ndarray
    excluded: dict[str, int]

    def __add__(self, other: _Counts) -> _Counts:  # type: ignore[override]  # counts add up, tuples would join
        excluded = {rule: n + other.excluded[rule] for rule, n in self.excluded.items()}
        return _Counts(self.scored + other.scored, self.models + other.models, excluded)


def _part(
    root: StoreReader,
    domain: int,
    *,
    group: str,
    model: str,
    digest: str,
    step: int | Judge,
    edge: float,
    standard: Standard | None,
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
    return _Counts(Scored.of(y, qs[mask], block_of(root, rows, edge)[mask]), models, labelled.excluded)
