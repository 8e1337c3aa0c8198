"""Stage ``features``: what every atom looks like, in short and in medium range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.load import halo_block, neighbourhood, read_rows, shell_block
from qsdask.engine.plan import plan_features, size_of
from qsdask.engine.stage import Course, Run, run_stage
from qsdask.errors import UsageError
from qsdask.kernels.segment import coarsen
from qsdask.quantity import STATISTICS, AtomQuantity, feature_sets, medium_range
from qsdask.settings import FeatureSettings, validated
from qsdask.space.block import Shell
from qsdask.stages.redo import redo
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.store.record import Record, read
from qsdask.store.template import create_group, write_whole

__all__ = ["coarsened", "facts_of", "features", "named_facts", "quantity_of", "set_names"]

SHORT, MEDIUM = 0, 1


def features(
    store: str | Path, *, set: str | None = None, run: Run | None = None, **settings: object
) -> Path:
    """Compute the structural features of every atom of the undeformed glass.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.shells`.
    set : str, optional
        Names of feature sets, joined by commas, or ``"all"``; ``"interstice"`` by default.
    run : Run, optional
        Cluster, workers, overwriting, progress.
    **settings
        Conventions, see `qsdask.settings.FeatureSettings`; each set takes those that it knows. ``convention`` is
        that of the shells by default.

    Returns
    -------
    Path
        The store, now with ``features/<set>``: the set's own columns, then the statistics of the short-range ones
        over the neighbours.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for an unknown set; ``E-SETTING`` for an unknown convention.
    QSDaskError
        When the shells are missing or incomplete, or the features were computed with other settings.
    """
    path, run = Path(store), run or Run()
    chosen = validated(FeatureSettings, set=set, **settings)
    ingest = ledger.require(path, "ingest")
    shells = read(path, "shells")
    if settings.get("convention") is None and shells is not None:
        chosen = chosen.model_copy(update={"convention": shells.settings["convention"]})
    root = StoreReader(path)
    facts = facts_of(root)
    made = [quantity_of(name, chosen, facts) for name in set_names(chosen.set)]
    with run.connected() if len(made) > 1 else nullcontext(run.cluster) as cluster:
        for quantity in made:
            _compute_set(path, root, quantity, ingest, chosen, facts, replace(run, cluster=cluster))
    return path


def _compute_set(
    path: Path, root: StoreReader, quantity: AtomQuantity, ingest: Record, chosen: FeatureSettings, facts: dict, run: Run
) -> None:  # fmt: skip
    group = f"features/{quantity.name}"
    inputs = {"ingest": ingest.digest}
    if quantity.shells:
        inputs["shells"] = ledger.require(path, "shells").digest
    given = chosen.stored()
    known = {name: given[name] for name in _fields(type(quantity)) if name in given}
    record = Record(
        group,
        (group,),
        {"set": quantity.name, **known},
        inputs,
        (2 if medium_range(quantity) else 1, 1, root.n_domain),
        8,
    )
    course = Course(
        record,
        plan_features(size_of(root), quantity),
        partial(_template, path, quantity, group),
        partial(_features_of_domain, settings={**given, "set": quantity.name}, facts=facts),
        partial(_compile, quantity),
    )
    redo(path, run_stage(path, course, run), run)


def set_names(text: str) -> list[str]:
    """Feature sets named by the user: names joined by commas, or ``all``.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` when no set has one of these names.
    """
    known = feature_sets()
    names = list(known) if text == "all" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(
                f"no feature set is named {name!r}",
                code="E-FEATURE-SET",
                hint=f"choose among {', '.join(known)}, or all",
            )
    return names


def facts_of(root: StoreReader) -> dict[str, tuple]:
    """What a feature set may want to know of the specimen: species, composition, radius of each."""
    names = root.names("atoms/species_name")
    species = root["atoms/species"]
    # Counts add up chunk by chunk: the driver never holds all atoms.
    count = sum(
        np.bincount(species[root.rows(domain)], minlength=len(names)) for domain in range(root.n_domain)
    )
    return named_facts(names, count, root["atoms/radius"][:].tolist())


def named_facts(names: Sequence[str], count: np.ndarray, radius: Sequence[float]) -> dict[str, tuple]:
    """Symbols, numbers of atoms and radii of the species, under the names by which feature sets ask for them."""
    return {
        "species": tuple(names),
        "composition": tuple((count / count.sum()).tolist()),
        "radius": tuple(radius),
    }


def quantity_of(
    name: str, settings: FeatureSettings, facts: Mapping[str, tuple] | None = None
) -> AtomQuantity:
    """A feature set with those settings, and those facts of the specimen, that it knows."""
    kind = feature_sets()[name]
    values = {**settings.stored(), **(facts or {})}
    return kind(**{field: values[field] for field in _fields(kind) if field in values})


def _fields(kind: type[AtomQuantity]) -> list[str]:
    return [field.name for field in fields(kind)]


def coarsened(
    quantity: AtomQuantity, value: np.ndarray, n_owned: int, shells: Mapping[str, Shell]
) -> np.ndarray:
    """Medium-range columns of the owned atoms.

    Parameters
    ----------
    quantity : AtomQuantity
        Tells over which shell each column is taken, and by which statistics.
    value : float64 array, shape (n_local, n_column)
        Its own columns of every local entry.
    n_owned : int
        Number of owned atoms.
    shells : mapping of str to Shell
        Their neighbours, as local entries.

    Returns
    -------
    float64 array, shape (n_owned, n_medium)
        In the order of `qsdask.quantity.medium_range`.
    """
    medium = [(i, column.shell) for i, column in enumerate(quantity.columns) if column.medium]
    out = np.empty((n_owned, len(medium), len(quantity.statistics)))
    for name in quantity.shells:
        chosen = [k for k, (_, shell) in enumerate(medium) if shell == name]
        if chosen:
            shell = shells[name]
            taken = np.ascontiguousarray(value[:, [medium[k][0] for k in chosen]])
            found = coarsen(taken, n_owned, shell.neighbour, shell.count)
            out[:, chosen] = np.stack(
                [
                    found[..., 0] * shell.count[:n_owned, None] if wanted == "sum" else found[..., STATISTICS.index(wanted)]
                    for wanted in quantity.statistics
                ],
                axis=-1,
            )  # fmt: skip
    return out.reshape(n_owned, -1)


def _features_of_domain(
    path: str, part: int, domain: int, steps: list[int], *, settings: dict, facts: dict
) -> None:
    root = StoreReader(path)
    quantity = quantity_of(settings["set"], FeatureSettings(**settings), facts)
    group = f"features/{quantity.name}"
    n_own = len(quantity.columns)
    if part == SHORT:
        if quantity.shells:
            block = shell_block(root, domain, quantity.shells, quantity.rings)
        else:
            block = halo_block(root, domain, quantity.reach)
        value, columns = quantity.compute(block), slice(0, n_own)
    else:
        around = neighbourhood(root, domain, quantity.shells)
        short = read_rows(root[f"{group}/value"], around.row, columns=slice(0, n_own)).astype(np.float64)
        value, columns = coarsened(quantity, short, around.n_owned, around.shells), slice(n_own, None)
    rows = root.rows(domain)
    with ledger.committing(Path(path), group, (part, steps[0], domain)) as writer:
        writer.write(group, "value", (rows, columns), value.astype(np.float32))


def _template(path: Path, quantity: AtomQuantity, group: str) -> None:
    atoms = StoreReader(path)["atoms/id"]
    columns = (*quantity.columns, *medium_range(quantity))
    # One chunk holds the set's own columns, the next ones the medium range: two passes, whole chunks each.
    sizes = {"atom": atoms.shape[0], "feature": len(columns)}
    create_group(path, group, sizes, {"atom": atoms.chunks[0], "feature": len(quantity.columns)}, {})
    write_whole(
        path, group,
        {"feature": [c.name for c in columns], "unit": [c.unit for c in columns], "meaning": [c.meaning for c in columns]},
    )  # fmt: skip


def _compile(quantity: AtomQuantity) -> None:
    block = toy_block(max(6.0, quantity.reach), shells=quantity.shells, rings=quantity.rings)
    value = np.zeros((len(block.row), len(quantity.columns)))
    value[: block.n_owned] = quantity.compute(block)
    if medium_range(quantity):
        coarsened(quantity, value, block.n_owned, block.shells)
