"""Two models judged by the same atoms of one glass: which of them predicts better, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError
from qsdask.learn import Tally, bootstrap, loaded, measures
from qsdask.learn.own_label import Judge, is_own, told_rule
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import Scored, block_of
from qsdask.study.judged import Judged
from qsdask.study.rows import labelled_rows

__all__ = ["compared"]


def compared(path: Path, first: Judged, second: Judged, step: int | Judge, edge: float, run: Run) -> dict:
    """Compare two models on the atoms that both can judge.

    Parameters
    ----------
    path : Path
        Root of the store.
    first, second : Judged
        The models.
    step : int or Judge
        Where their label is in the store; as of `qsdask.study.rows.labelled_rows`.
    edge : float
        Of the blocks of space that are drawn. Unit: that of the store.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    dict
        ``model`` (the second), ``usable`` and ``plastic`` atoms, ``blocks``, and ``scores``: by the names of
        `qsdask.learn.measures.all_of` the values of the ``first`` and the ``second`` model, their ``difference``, its 95 %
        interval ``low`` to ``high`` by draws of blocks that are the same for both, and ``other_sign``, the probability that
        the difference has the other sign.

    Raises
    ------
    BadDataError
        ``E-LABEL-DIFFERS`` when the models learned to find different atoms.
    """
    _refuse_other_label(path, first, second)
    total = reduced(
        path,
        dict.fromkeys((*first.rests_on(path), *second.rests_on(path))),
        _part,
        _Pair.__add__,
        run,
        "against",
        first=first.softness(),
        second=second.softness(),
        step=step,
        edge=edge,
    )
    one, two = (_scores(scored.softness) for scored in total)
    gap = {name: one[name] - two[name] for name in one}
    key = ledger.require(path, "ingest").facts["specimen"]
    told = bootstrap.differences(total.first.blocks, total.second.blocks, key, gap)
    return {
        "model": str(second.model),
        "usable": total.first.softness.n_atom,
        "plastic": total.first.softness.n_plastic,
        "blocks": len(total.first.blocks),
        "scores": {
            name: {"first": one[name], "second": two[name], "difference": gap[name], **told[name]._asdict()}
            for name in one
        },
    }


class _Pair(NamedTuple):
    """The same atoms by the softness of either model."""

    first: Scored
    second: Scored

    def __add__(self, other: _Pair) -> _Pair:  # type: ignore[override]  # counts add up, tuples would join
        return _Pair(self.first + other.first, self.second + other.second)


def _part(root: StoreReader, domain: int, *, first: dict, second: dict, step: int | Judge, edge: float) -> _Pair:
    rows = root.rows(domain)
    models = [loaded(of["model"], of["digest"]) for of in (first, second)]
    labelled = [
        labelled_rows(root, domain, model.sets, model.columns, step, model.label, gaps=model.part.gaps)
        for model in models
    ]
    qs = [root[f"{of['group']}/qs"][rows] for of in (first, second)]
    mask = np.logical_and.reduce([*(of.mask for of in labelled), *np.isfinite(qs)])
    y, block = labelled[0].y[mask], block_of(root, rows, edge)[mask]
    return _Pair(*(Scored.of(y, each[mask], block) for each in qs))


def _scores(tally: Tally) -> dict[str, float]:
    found = measures.all_of(tally.plastic, tally.other, tally.score >= 0.5)
    return {name: float(value) for name, value in found.items()}


def _refuse_other_label(path: Path, first: Judged, second: Judged) -> None:
    """Refuse models whose plastic atoms are not the same ones; which atoms they leave out may differ."""
    one, two = ({"frame": of.step, **_rule(of)} for of in (first, second))
    if one == two:
        return
    raise BadDataError(
        f"{first.model} and {second.model} learned to find different atoms: {_in_words(first)}; and {_in_words(second)}",
        code="E-LABEL-DIFFERS",
        file=path,
        why="scores of different plastic atoms cannot be compared",
        hint="models of one label; where only the frame differs, --frame judges both by the same one",
    )


def _in_words(of: Judged) -> str:
    """Which atoms a model learned to find."""
    label = of.found.label
    if is_own(label):
        return told_rule(label)
    share = f" in more than {label['frequency']:g} of the runs" if "frequency" in label else ""
    above = "" if share else f" with D2min above {label['threshold']:g}"
    return f"plastic atoms{above}{share} in frame {of.step}"


def _rule(of: Judged) -> dict[str, object]:
    """What makes an atom plastic, or soft by a label of the user's own."""
    names = ("name", "rule", "at") if is_own(of.found.label) else ("threshold", "frequency")
    return {name: of.found.label[name] for name in names if name in of.found.label}
