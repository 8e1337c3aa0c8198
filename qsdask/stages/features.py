"""Stage ``features``: what every atom looks like, in short and in medium range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.load import neighbourhood, read_rows, shell_block
from qsdask.engine.plan import plan_stage, size_of
from qsdask.engine.stage import Course, Run, run_stage
from qsdask.errors import UsageError
from qsdask.kernels.segment import coarsen
from qsdask.quantity import AtomQuantity, feature_sets, medium_range
from qsdask.settings import FeatureSettings, validated
from qsdask.space.block import Shell
from qsdask.stages.redo import redo
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.template import create_group, write_whole

__all__ = ["coarsened", "features", "quantity_of"]

SHORT, MEDIUM = 0, 1


def features(
    store: str | Path, *, set: str | None = None, convention: str | None = None, run: Run | None = None
) -> Path:
    """Compute the structural features of every atom of the undeformed glass.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.shells`.
    set : str, optional
        Name of the feature set; ``"interstice"`` by default.
    convention : {"paper", "amlearn"}, optional
        Definition of the distance interstice; the convention of the shells by default.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``features/<set>``: short-range columns, then the mean, standard deviation, minimum and
        maximum of each over the neighbours.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for an unknown set.
    QSDaskError
        When the shells are missing or incomplete, or the features were computed with other settings.
    """
    path, run = Path(store), run or Run()
    shells = ledger.require(path, "shells")
    settings = validated(FeatureSettings, set=set, convention=convention or shells.settings["convention"])
    quantity = quantity_of(settings)
    group = f"features/{settings.set}"
    record = Record(
        group,
        (group,),
        settings.stored(),
        {"ingest": shells.inputs["ingest"], "shells": shells.digest},
        (2, 1, shells.shape[2]),
        8,
    )
    course = Course(
        record,
        plan_stage("features", size_of(StoreReader(path)), n_short=len(quantity.columns)),
        partial(_template, path, quantity, group),
        partial(_features_of_domain, settings=settings.stored()),
        partial(_compile, quantity),
    )
    redo(path, run_stage(path, course, run), run)
    return path


def quantity_of(settings: FeatureSettings) -> AtomQuantity:
    """The feature set named by the settings, with those settings that it knows.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` when no set has this name.
    """
    known = feature_sets()
    if settings.set not in known:
        raise UsageError(
            f"no feature set is named {settings.set!r}",
            code="E-FEATURE-SET",
            hint=f"choose one of {', '.join(known)}",
        )
    kind = known[settings.set]
    names = {f.name for f in fields(kind)} & settings.stored().keys()
    return kind(**{name: getattr(settings, name) for name in names})


def coarsened(
    quantity: AtomQuantity, value: np.ndarray, n_owned: int, shells: Mapping[str, Shell]
) -> np.ndarray:
    """Medium-range columns of the owned atoms.

    Parameters
    ----------
    quantity : AtomQuantity
        Tells over which shell each column is taken.
    value : float64 array, shape (n_local, n_column)
        Short-range columns of every local entry.
    n_owned : int
        Number of owned atoms.
    shells : mapping of str to Shell
        Their neighbours, as local entries.

    Returns
    -------
    float64 array, shape (n_owned, 4 n_column)
        In the order of `qsdask.quantity.medium_range`.
    """
    out = np.empty((n_owned, len(quantity.columns), 4))
    for name in quantity.shells:
        chosen = [i for i, column in enumerate(quantity.columns) if column.shell == name]
        if chosen:
            shell = shells[name]
            out[:, chosen] = coarsen(
                np.ascontiguousarray(value[:, chosen]), n_owned, shell.neighbour, shell.count
            )
    return out.reshape(n_owned, -1)


def _features_of_domain(path: str, part: int, domain: int, steps: list[int], *, settings: dict) -> None:
    root = StoreReader(path)
    quantity = quantity_of(FeatureSettings(**settings))
    group = f"features/{settings['set']}"
    n_short = len(quantity.columns)
    if part == SHORT:
        value, columns = quantity.compute(shell_block(root, domain, quantity.shells)), slice(0, n_short)
    else:
        around = neighbourhood(root, domain, quantity.shells)
        short = read_rows(root[f"{group}/value"], around.row, columns=slice(0, n_short)).astype(np.float64)
        value, columns = coarsened(quantity, short, around.n_owned, around.shells), slice(n_short, None)
    rows = root.rows(domain)
    with ledger.committing(Path(path), group, (part, steps[0], domain)) as writer:
        writer.write(group, "value", (rows, columns), value.astype(np.float32))


def _template(path: Path, quantity: AtomQuantity, group: str) -> None:
    atoms = StoreReader(path)["atoms/id"]
    columns = (*quantity.columns, *medium_range(quantity.columns))
    # One chunk holds the short-range columns, the next ones the medium range: two passes, whole chunks each.
    sizes = {"atom": atoms.shape[0], "feature": len(columns)}
    create_group(path, group, sizes, {"atom": atoms.chunks[0], "feature": len(quantity.columns)}, {})
    write_whole(
        path, group,
        {"feature": [c.name for c in columns], "unit": [c.unit for c in columns], "meaning": [c.meaning for c in columns]},
    )  # fmt: skip


def _compile(quantity: AtomQuantity) -> None:
    block = toy_block(6.0, shells=("voronoi", "cutoff"))
    value = np.zeros((len(block.row), len(quantity.columns)))
    value[: block.n_owned] = quantity.compute(block)
    coarsened(quantity, value, block.n_owned, block.shells)
