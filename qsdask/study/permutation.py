"""How much worse a model ranks the atoms of a held-out glass when it is told the columns of other atoms."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from qsdask.engine.reduce import reduced
from qsdask.engine.tasks import progress_bar
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, NoInputError
from qsdask.learn import Model, Tally, identity_hash, loaded, quench_in_softness, score
from qsdask.learn.own_label import Judge
from qsdask.store.reader import StoreReader
from qsdask.study.judged import judged
from qsdask.study.rows import labelled_rows
from qsdask.study.sample import Asked, known_rows

__all__ = ["Drop", "drop_of_auc"]

#: What keeps a glass from being one that a model is judged by: it was trained on it, or nobody knows what is plastic.
_NO_JUDGE = {"E-SPECIMEN-BOTH-SIDES", "E-STRAIN", "E-STAGE-MISSING", "E-RESPONSE-DIFFERS", "E-LABEL-UNIT"}


class Drop(NamedTuple):
    """Fall of the AUC-ROC of QS.

    Attributes
    ----------
    mean, std : float64 array, shape (n_group,)
        Over the repeats; NaN where there is none.
    auc : float
        Of the sample as it is.
    n_atom, n_plastic : int
        Of the sample.
    notes : tuple of str
        Why there is none.
    """

    mean: np.ndarray
    std: np.ndarray
    auc: float
    n_atom: int
    n_plastic: int
    notes: tuple[str, ...] = ()


class _Rows(NamedTuple):
    """Labelled atoms of the sample; columns as the model looks at them."""

    hash: np.ndarray
    id: np.ndarray
    species: np.ndarray
    seen: np.ndarray
    y: np.ndarray

    def join(self, other: _Rows) -> _Rows:
        return _Rows(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def in_order(self) -> _Rows:
        """As their hashes rise, which no cut changes."""
        return _Rows(*(part[np.argsort(self.hash)] for part in self))


def drop_of_auc(
    path: Path, model: str | Path, asked: Asked, limit: np.uint64, groups: Sequence[np.ndarray], repeats: int, run: Run
) -> Drop:
    """Permute groups of columns among the labelled atoms of a sample, and see how the ranking suffers.

    Parameters
    ----------
    path : Path
        Root of the store.
    model : str or Path
        Model folder.
    asked : Asked
        What is asked.
    limit : uint64
        Hash up to which atoms belong to the sample.
    groups : sequence of int array
        Columns that are permuted together.
    repeats : int
        Permutations of each group; the same ones for all of them.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    Drop
        Of NaN, with a note, for glasses that the model cannot be judged by.

    Notes
    -----
    Trees are told the columns of any other atom. A model that compares atoms with those of their species in the glass is told
    those of another atom of the species: of any other would be values that no such atom has.
    """
    nothing = np.full(len(groups), np.nan)
    try:
        mine = judged(path, model, None)
    except (BadDataError, NoInputError) as error:
        if error.code not in _NO_JUDGE:
            raise
        return Drop(nothing, nothing, np.nan, 0, 0, (f"no permutation importance: {error.message} ({error.code})",))
    found, step = mine.found, mine.label_in(path, run)
    rests_on = dict.fromkeys((*mine.rests_on(path), *asked.rests_on(path)))
    fixed = {"asked": asked, "limit": limit, "step": step, **mine.softness()}
    rows = reduced(path, rests_on, _part, _Rows.join, run, "sample", **fixed).in_order()
    n_plastic = int(np.count_nonzero(rows.y))
    if n_plastic in (0, len(rows.y)):
        told = f"no permutation importance: {n_plastic} of the {len(rows.y)} atoms of the sample are plastic"
        return Drop(nothing, nothing, np.nan, len(rows.y), n_plastic, (told,))
    within = rows.species if found.part.standardises else np.zeros_like(rows.species)
    hashes = (identity_hash(asked.seed, "permute", k, asked.key, rows.id) for k in range(repeats))
    orders = [_dealt(within, one) for one in hashes]
    auc = _auc(found, rows.seen, rows.y)
    threads = run.workers or len(psutil.Process().cpu_affinity())
    fall = np.empty((len(groups), repeats))

    def one(k: int) -> None:
        for j, order in enumerate(orders):
            seen = rows.seen.copy()
            seen[:, groups[k]] = rows.seen[order][:, groups[k]]
            fall[k, j] = auc - _auc(found, seen, rows.y)

    with ThreadPoolExecutor(threads) as pool, progress_bar("permute", len(groups), show=run.progress) as advance:
        for _ in pool.map(one, range(len(groups))):
            advance(1)
    return Drop(fall.mean(axis=1), fall.std(axis=1), auc, len(rows.y), n_plastic)


def _dealt(group: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Which row every row is dealt, of its own group, in the order of hashes: int64, shape (n,)."""
    order = np.empty(len(group), dtype=np.int64)
    order[np.argsort(group, kind="stable")] = np.lexsort((hashes, group))
    return order


def _auc(found: Model, seen: np.ndarray, y: np.ndarray) -> float:
    return score.auc_roc(Tally.of(y, quench_in_softness(found, seen)[0]))


def _part(
    root: StoreReader,
    domain: int,
    *,
    asked: Asked,
    limit: np.uint64,
    step: int | Judge,
    group: str,
    model: str,
    digest: str,
) -> _Rows:
    found, known = loaded(model, digest), known_rows(root, domain, asked)
    # With a softness an atom has the columns that it needs.
    labelled = labelled_rows(root, domain, (), (), step, asked.label)
    taken = known.only((known.hash <= limit) & labelled.mask[known.mask])
    ids = root["atoms/id"][root.rows(domain)][taken.mask]
    return _Rows(taken.hash, ids, taken.species, taken.seen(found, asked.standard), labelled.y[taken.mask])
