"""Stage ``features``: what every atom looks like, in short and in medium range."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.cost import SLOTS, Size, StagePlan, owned_and_ghosts, plan_stage, size_of, slot_bytes
from qsdask.engine.course import Course, run_stage
from qsdask.engine.halo_block import halo_block
from qsdask.engine.neighbourhood import Neighbourhood, neighbourhood, shell_block
from qsdask.engine.reading import held_rows, placed, read_rows
from qsdask.engine.where import Run
from qsdask.errors import UsageError
from qsdask.kernels.cells import neighbour_shell
from qsdask.outside import SOURCE
from qsdask.quantity import Around, AtomQuantity, coarsened, feature_sets, medium_range, source_of_set, surroundings
from qsdask.schema import frame_of, group_at
from qsdask.settings import FeatureSettings, ShellSettings, validated
from qsdask.space.block import Block, Shell
from qsdask.stages.cutoffs import half_box_warning
from qsdask.stages.shells import facts_of_shells
from qsdask.stages.steps import chosen_steps
from qsdask.stages.surface import surface_when_missing
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.reader import Arrays, StoreReader
from qsdask.store.record import Record, read
from qsdask.store.task_writer import Work
from qsdask.store.template import create_group, write_whole
from qsdask.units import ANGSTROM, renamed, told_in

__all__ = [
    "facts_of",
    "features",
    "features_of_domain",
    "named_facts",
    "quantity_of",
    "set_names",
    "settings_of_set",
    "told_of_columns",
]

_log = logging.getLogger(__name__)

#: Distance within which stored Voronoi shells name neighbours. Unit: angstrom.
SHELL_REACH = 5.0

#: Part of a stage that makes the set's own columns; part n then takes its n-th surrounding.
SHORT = 0


def features(
    store: str | Path,
    *,
    set: str | None = None,
    step: int | Sequence[int] = 0,
    run: Run | None = None,
    **settings: object,
) -> Path:
    """Compute the structural features of every atom, of the undeformed glass or of other frames.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.shells` of the same frames.
    set : str, optional
        Names of feature sets, joined by commas, or ``"all"`` that the shells allow; ``"interstice"`` by default.
    step : int or sequence of int
        Frames, the undeformed one by default; negative numbers count from the end.
    run : Run, optional
        Cluster, workers, overwriting, progress.
    **settings
        Conventions, see `qsdask.settings.FeatureSettings`; each set takes those that it knows. ``convention`` is that of
        the shells by default; ``coarsen_radius`` is in angstrom.

    Returns
    -------
    Path
        The store, now with ``features/<set>``: the set's own columns, then the statistics of the short-range ones
        over the neighbours. Those of step 32 are ``steps/32/features/<set>``; NaN for atoms that the frame has lost.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for an unknown set; ``E-SETTING`` for an unknown convention; ``E-STEP`` for an unknown step.
    QSDaskError
        When the shells are missing or incomplete, or the features were computed with other settings.
    """
    path, run = Path(store), run or Run()
    if "facets" in settings:
        warnings.warn(
            "facets='hard' or 'soft' is now facet_weighting='none' or 'area'", DeprecationWarning, stacklevel=2
        )
    chosen = validated(FeatureSettings, set=set, **settings)
    steps = chosen_steps(path, step)
    facts = facts_of(StoreReader(path))
    stored = {frame: read(path, group_at(frame, "shells")) for frame in steps}
    known = {frame: facts_of_shells(shells.settings if shells else None) for frame, shells in stored.items()}
    # What `all` leaves out is told once for all frames that are alike.
    alike = {tuple(of_shells.items()): of_shells for of_shells in known.values()}
    chosen_sets = {key: set_names(chosen.set, of_shells) for key, of_shells in alike.items()}
    names = {frame: chosen_sets[tuple(known[frame].items())] for frame in steps}
    with run.shared() as together:
        for frame, shells in stored.items():
            if settings.get("convention") is None and shells is not None:
                chosen = chosen.model_copy(update={"convention": shells.settings["convention"]})
            for name in names[frame]:
                _compute_set(path, frame, name, chosen, {**facts, **known[frame]}, together)
        if 0 in steps:
            # Whoever learns from features asks how far the atoms are from the surface.
            surface_when_missing(path, together)
    return path


def _compute_set(path: Path, frame: int, name: str, chosen: FeatureSettings, facts: dict, run: Run) -> None:
    root = StoreReader(path)
    quantity = quantity_of(name, chosen, facts)
    group = group_at(frame, f"features/{name}")
    inputs, cutoff = {"ingest": ledger.require(path, "ingest").digest}, 0.0
    if quantity.shells:
        found = ledger.require(path, group_at(frame, "shells"))
        inputs[found.key] = found.digest
        cutoff = ShellSettings(**found.settings).cutoff_angstrom
    given = chosen.stored()
    record = Record(
        group,
        (group,),
        settings_of_set(quantity, chosen, root.length),
        inputs,
        (1 + len(surroundings(quantity)), 1, root.n_domain),
        max(8, -(-max(len(quantity.columns), _width(quantity)) // _chunk(quantity))),
    )
    course = Course(
        record,
        plan_of(size_of(root), quantity, cutoff, root.length),
        partial(_template, path, quantity, group),
        partial(
            features_of_domain,
            frame=frame,
            settings={**given, "set": quantity.name},
            facts=facts,
            source=source_of_set(name),
        ),
        partial(_compile, quantity),
        conclude=partial(_conclude, path, quantity, frame),
    )
    run_stage(path, course, run)


def settings_of_set(quantity: AtomQuantity, chosen: FeatureSettings, length: str = ANGSTROM) -> dict[str, Any]:
    """What decides the numbers of a set, as it is kept beside them: its name, the settings that it knows, its source."""
    given = chosen.stored()
    known = {name: given[name] for name in _fields(type(quantity)) if name in given}
    if not surroundings(quantity):
        known = {name: value for name, value in known.items() if not name.startswith("coarsen")}
    kept = {renamed(name, length): value for name, value in known.items()}
    return {"set": quantity.name, **kept, **source_of_set(quantity.name)}


def _conclude(path: Path, quantity: AtomQuantity, frame: int, target: Path) -> dict:
    """A word where the set, or its medium range, sees an atom and its own image: cut-offs have theirs from the shells."""
    own = 0.0 if quantity.shells else quantity.reach
    reach = max([own, *(way.radius for way in surroundings(quantity))])
    root = StoreReader(path)
    found = half_box_warning(root, reach, f"the reach of {quantity.name}, {reach:.3g} {root.length},", frame)
    return {"warnings": found} if found else {}


def plan_of(size: Size, quantity: AtomQuantity, cutoff: float = 0.0, length: str = ANGSTROM) -> StagePlan:
    """What one feature set will cost, on a cut-off shell of this radius."""
    n_own, n_medium = len(quantity.columns), len(medium_range(quantity))
    shell_reach = max(SHELL_REACH, cutoff) if length == ANGSTROM else 1.25 * cutoff
    owned, ghosts = owned_and_ghosts(size, quantity.reach or shell_reach * quantity.rings)
    # The shells of the ghosts are read apart and put behind those of the owned atoms: for a while they are there twice.
    shelled = owned if quantity.rings == 1 else 1.6 * sum(owned_and_ghosts(size, shell_reach))
    ways = surroundings(quantity)
    width = n_medium // max(len(ways), 1)
    repeated = 4 * width if any(way.times > 1 for way in ways) else 0
    work: float = (owned + ghosts) * (110 + 8 * n_own + repeated) + owned * 16 * (n_own + width)
    work += shelled * slot_bytes(SLOTS) if quantity.shells else ghosts * 60
    density = size.n_atom / float(np.prod(size.height))
    for radius in quantity.coarsen_radius_angstrom if ways else ():
        within = owned_and_ghosts(size, radius)[1]
        # The most crowded atom has some more neighbours than the mean.
        slots = 1.5 * density * 4.0 / 3.0 * np.pi * radius**3
        taken = (owned + within) * (170 + 8 * n_own) + owned * (4 * slots + 16 * (n_own + width))
        work, ghosts = max(work, taken), max(ghosts, within)
    tasks = (1 + len(ways)) * size.n_domain
    return plan_stage("features", size, work=work, tasks=tasks, ghosts=ghosts, n_column=n_own + n_medium)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Compute features with the settings of a record; see `qsdask.engine.recompute.again`."""
    asked = {name: value for name, value in record.settings.items() if name not in SOURCE}
    settings = FeatureSettings(**asked).arguments(given_only=True)
    features(path, step=frame_of(record.key)[0], **settings, run=run)
    return True


def set_names(text: str, facts: Mapping[str, object] | None = None) -> list[str]:
    """Feature sets named by the user: names joined by commas, or ``all``.

    Parameters
    ----------
    text : str
        As typed.
    facts : mapping, optional
        Of the shells. ``all`` leaves out the sets that cannot be made on such shells, and logs a warning.

    Returns
    -------
    list of str

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` when no set has one of these names.
    """
    known = feature_sets()
    if text == "all":
        return [name for name in known if _allowed(name, facts)]
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(
                f"no feature set is named {name!r}",
                code="E-FEATURE-SET",
                hint=f"choose among {', '.join(known)}, or all",
            )
    return names


def _allowed(name: str, facts: Mapping[str, object] | None) -> bool:
    """Whether a set can be made with its default settings; what is asked for beyond them may still be refused."""
    try:
        quantity_of(name, FeatureSettings(), facts)
    except UsageError as error:
        _log.warning("all is without %s: %s (%s); %s", name, error.message, error.code, error.hint)
        return False
    return True


def facts_of(root: Arrays) -> dict[str, tuple]:
    """What a feature set may want to know of the specimen: species, composition, radius of each."""
    names = root.names("atoms/species_name")
    species = root["atoms/species"]
    count = np.zeros(len(names), dtype=np.int64)
    for domain in range(root.n_domain):
        # Counts add up chunk by chunk: the driver never holds all atoms.
        count += np.bincount(species[root.rows(domain)], minlength=len(names))
    return named_facts(names, count, root["atoms/radius"][:].tolist())


def named_facts(names: Sequence[str], count: np.ndarray, radius: Sequence[float]) -> dict[str, tuple]:
    """Symbols, numbers of atoms and radii of the species, under the names by which feature sets ask for them."""
    return {"species": tuple(names), "composition": tuple((count / count.sum()).tolist()), "radius": tuple(radius)}


def quantity_of(name: str, settings: FeatureSettings, facts: Mapping[str, object] | None = None) -> AtomQuantity:
    """A feature set with those settings, and those facts of the specimen, that it knows."""
    [name] = set_names(name)  # on a worker it may not be installed
    kind = feature_sets()[name]
    stored = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.stored().items()}
    values = {**stored, **(facts or {})}
    chosen: dict[str, Any] = {field: values[field] for field in _fields(kind) if field in values}
    return kind(**chosen)


def _fields(kind: type[AtomQuantity]) -> list[str]:
    return [field.name for field in fields(kind)]


def features_of_domain(
    work: Work,
    part: int,
    domain: int,
    steps: list[int],
    *,
    frame: int,
    settings: dict,
    facts: dict,
    source: dict[str, str],
) -> None:
    root = work.reader()
    quantity = quantity_of(settings["set"], FeatureSettings(**settings), facts)
    _refuse_other_source(quantity.name, source)
    group = group_at(frame, f"features/{quantity.name}")
    held = held_rows(root, domain, frame)
    n_own = len(quantity.columns)
    if part == SHORT:
        if quantity.shells:
            block = shell_block(root, domain, quantity.shells, quantity.rings, frame)
        else:
            block = halo_block(root, domain, quantity.reach, frame)
        value, columns = quantity(block), slice(0, n_own)
    else:
        around, width = surroundings(quantity)[part - 1], _width(quantity)
        value = _taken_around(root, work.own(), domain, quantity, around, frame)
        columns = slice(n_own + (part - 1) * width, n_own + part * width)
    value = placed(value, held, np.nan)
    value = np.where(held[:, None], value, np.nan).astype(np.float32)
    with work.committing(part, steps[0], domain) as writer:
        writer.write(group, "value", (root.rows(domain), columns), value)


def _refuse_other_source(name: str, source: dict[str, str]) -> None:
    """Refuse to work with another version of an outside set than the driver of the stage has."""
    if (here := source_of_set(name)) != source:
        raise UsageError(
            f"this worker has another feature set {name!r} than the process that began the stage: {here}, not {source}",
            code="E-FEATURE-SET",
            why="one column would be computed by two definitions",
            hint="install one version everywhere, and start the workers anew",
        )


def _taken_around(
    root: Arrays, made: Arrays, domain: int, quantity: AtomQuantity, around: Around, frame: int
) -> np.ndarray:
    """Statistics over a surrounding of the atoms of a domain, from stored columns."""
    near: Block | Neighbourhood
    shells: Mapping[str, Shell]
    if around.radius:
        near = block = halo_block(root, domain, around.radius, frame)
        pairs = neighbour_shell(block.position, block.order, block.n_owned, around.radius, measured=False)
        shells = dict.fromkeys(quantity.shells, Shell(pairs.neighbour, pairs.count))
    else:
        near = neighbourhood(root, domain, quantity.shells, step=frame)
        shells = near.shells
    stored = made[f"{group_at(frame, f'features/{quantity.name}')}/value"]
    n_own, width = len(quantity.columns), _width(quantity)
    if around.times == 1:
        own = read_rows(stored, near.row, columns=slice(0, n_own))
        value = own[:, [i for i, column in enumerate(quantity.columns) if column.medium]]
    else:
        start = n_own + (around.times - 2) * width
        before = read_rows(stored, near.row, columns=slice(start, start + width))
        value = before[:, quantity.statistics.index("mean") :: len(quantity.statistics)]
    return coarsened(quantity, value.astype(np.float64), near.n_owned, shells)


def _width(quantity: AtomQuantity) -> int:
    """Columns of each surrounding."""
    return sum(column.medium for column in quantity.columns) * len(quantity.statistics)


def _chunk(quantity: AtomQuantity) -> int:
    """Columns of a chunk: every part of the stage then writes whole ones."""
    further = len(surroundings(quantity)) > 1
    return gcd(len(quantity.columns), _width(quantity) if further else 0)


def _template(path: Path, quantity: AtomQuantity, group: str, target: Path) -> None:
    root = StoreReader(path)
    atoms, told = root["atoms/id"], told_of_columns(quantity, root.length)
    sizes = {"atom": atoms.shape[0], "feature": len(told["feature"])}
    chunks = {"atom": atoms.chunks[0], "feature": _chunk(quantity)}
    create_group(target, group, sizes, chunks, {}, root.length)
    write_whole(target, group, told)


def told_of_columns(quantity: AtomQuantity, length: str = ANGSTROM) -> dict[str, list[str]]:
    """Coordinates of the columns of a set, those of the medium range included, for a store of this unit of length."""
    columns = (*quantity.columns, *medium_range(quantity))
    return {
        "feature": [c.name for c in columns],
        "unit": [told_in(c.unit, length) for c in columns],
        "meaning": [told_in(c.meaning, length) for c in columns],
    }


def _compile(quantity: AtomQuantity) -> None:
    block = toy_block(max(6.0, quantity.reach), shells=quantity.shells, rings=quantity.rings)
    value = np.zeros((len(block.row), len(quantity.columns)))
    value[: block.n_owned] = quantity(block)
    if surroundings(quantity):
        medium = value[:, [column.medium for column in quantity.columns]]
        coarsened(quantity, medium, block.n_owned, block.shells)
