"""Question ``importance``: which columns a model looks at, by gain, by permutation on a held-out glass, and by contributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qsdask.analysis import attribution
from qsdask.analysis.counts import described
from qsdask.analysis.extent import Extent, placed_within
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.learn import Model, loaded
from qsdask.learn.own_label import is_own, told_rule
from qsdask.names import name_of_model
from qsdask.settings import ExplainSettings, validated
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.stages.columns import set_of
from qsdask.stages.parts import GROUPINGS, members, sums
from qsdask.stages.predict import softness_group
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.permutation import Drop, drop_of_auc
from qsdask.study.sample import Asked, asked_of, extent_known, known_rows

__all__ = ["importance"]

#: Rows that are summed at a time: in double precision and in quanta columns take several times their stored size.
PIECE = 4096


def importance(store: str | Path, *, model: str | Path, run: Run | None = None, **settings: object) -> xr.Dataset:
    """Which columns, and which kinds of columns, make atoms of a glass soft or hard in the eyes of a model.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.explain` with this model.
    model : str or Path
        Model folder.
    run : Run, optional
        Cluster, workers, progress.
    **settings
        Of `qsdask.settings.ExplainSettings`: ``sample``, ``repeats``, ``seed``.

    Returns
    -------
    xarray.Dataset
        For every ``column``: ``gain``, its share of what the model took from training (``attrs["measure"]``: of what splits gained,
        or of the sum of absolute coefficients, mean over the fold models); ``permutation``, by how much
        the AUC-ROC of QS falls on this glass when its values are dealt out anew (among ``attrs["dealt_among"]``, see
        `qsdask.study.permutation`), with ``permutation_std`` over the repeats; ``size``, its mean absolute contribution to the
        score; ``apart``, its mean contribution in soft atoms minus that in hard ones; ``higher``, by how many standard deviations
        its values are higher in soft atoms than in hard ones, of those that have them; ``meaning``. The first five also for groups
        of columns, with the name of the grouping before them: ``part`` (range and quantity), ``range``, ``quantity``,
        ``statistic``, ``set`` (feature set). Their columns are permuted together. Permutations are NaN where the glass is none
        that the model can be judged by; ``attrs["notes"]`` says why.

    Raises
    ------
    QSDaskError
        When the explanation is missing or incomplete; the message has the command.

    Notes
    -----
    Sums are exact, and permutations go by a hash of the atoms' identity: no cut changes a number.

    References
    ----------
    L. Breiman, Mach. Learn. 45, 5 (2001), doi:10.1023/A:1010933404324 (permutation).
    S. M. Lundberg et al., Nat. Mach. Intell. 2, 56 (2020), doi:10.1038/s42256-019-0138-9 (contributions).
    """
    path, run = located(store), run or Run()
    chosen, found = validated(ExplainSettings, **settings), loaded(str(model))
    softness, explanation = softness_group(path, model), f"explanation/{name_of_model(model)}"
    ledger.require(path, explanation)
    asked = asked_of(path, softness, found, chosen.seed)
    of_set = set_of(StoreReader(path), found.sets)
    groups = {
        name: members(found.columns, grouping) for name, grouping in {**GROUPINGS, "set": of_set.__getitem__}.items()
    }
    with run.shared() as here:
        extent = extent_known(path, asked, here)
        fixed = {"asked": asked, "explanation": explanation, "extent": extent, "groups": groups}
        rests_on = (explanation, *asked.rests_on(path))
        total = reduced(path, rests_on, _part, attribution.combine, here, "contributions", **fixed)
        together = [np.array([k]) for k in range(len(found.columns))]
        together += [places for of in groups.values() for places in of.values()]
        drop = drop_of_auc(path, model, asked, extent.limit(chosen.sample), together, chosen.repeats, here)
    meaning = np.array(StoreReader(path).names(f"{explanation}/meaning"), dtype=np.str_)
    told = _told(found, attribution.finalise(total), drop, groups)
    return told.assign_coords(meaning=("column", meaning)).assign_attrs(
        store=str(path), model=str(model), soft_above=SOFT_ABOVE, hard_below=HARD_BELOW
    )


def _part(
    root: StoreReader,
    domain: int,
    *,
    asked: Asked,
    explanation: str,
    extent: Extent,
    groups: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    known, rows = known_rows(root, domain, asked), root.rows(domain)
    added = root[f"{explanation}/contribution"][rows][known.mask]
    summed = root[f"{explanation}/summed"][rows][known.mask]

    def of_piece(piece: slice) -> dict[str, Any]:
        grouped = {name: sums(added[piece], of) for name, of in groups.items() if name != "part"}
        placed = placed_within(known.value[piece], extent.low, extent.high)
        return attribution.partial(known.qs[piece], placed, added[piece], {**grouped, "part": summed[piece]})

    starts = range(0, max(len(known.qs), 1), PIECE)
    return reduce(attribution.combine, (of_piece(slice(start, start + PIECE)) for start in starts))


def _told(
    found: Model, means: Mapping[str, Any], drop: Drop, groups: Mapping[str, Mapping[str, np.ndarray]]
) -> xr.Dataset:
    """All that is known of columns and of groups of them, each by its name."""
    gain = found.part.gain()
    share = gain / np.maximum(gain.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    each = {"column": {name: np.array([k]) for k, name in enumerate(found.columns)}, **groups}
    variables: dict[str, xr.Variable] = {}
    start = 0
    for dim, of in each.items():
        before, end = "" if dim == "column" else f"{dim}_", start + len(of)
        variables |= _of_groups(
            dim,
            before,
            {
                "gain": [share[:, places].sum(axis=1).mean() for places in of.values()],
                "permutation": drop.mean[start:end],
                "permutation_std": drop.std[start:end],
                "size": means[f"size_{dim}"],
                "apart": means[f"apart_{dim}"],
            },
        )
        start = end
    variables["higher"] = described(means["higher"], "column", "values in soft atoms minus those in hard ones, in std")
    made = xr.Dataset(variables, coords={dim: list(of) for dim, of in each.items()})
    counts = {name: int(means[name]) for name in ("n", "n_soft", "n_hard")}
    judged = {"auc": drop.auc, "n_permuted": drop.n_atom, "n_plastic": drop.n_plastic, "notes": list(drop.notes)}
    model = {
        "measure": found.part.measure,
        "sought": f"soft atoms ({told_rule(found.label)})" if is_own(found.label) else "plastic atoms",
        "dealt_among": "atoms of the same species" if found.part.standardises else "all atoms",
    }
    return made.assign_attrs({**counts, **judged, **model})


_MEANING = {
    "gain": "share of what was learned in training, mean over the fold models",
    "permutation": "fall of the AUC-ROC of QS when the values are permuted, mean over the repeats",
    "permutation_std": "standard deviation of that fall over the repeats",
    "size": "mean absolute contribution to the logarithm of the odds",
    "apart": "mean contribution to the logarithm of the odds, in soft atoms minus that in hard ones",
}


def _of_groups(dim: str, before: str, values: Mapping[str, Sequence[float] | np.ndarray]) -> dict[str, xr.Variable]:
    return {before + name: described(np.asarray(value), dim, _MEANING[name]) for name, value in values.items()}
