"""Stage ``features``: what every atom looks like, in short and in medium range."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.cost import Size, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.halo_block import halo_block
from qsdask.engine.neighbourhood import shell_block
from qsdask.engine.passes import Passes, create_states, cuts_of, pass_of_domain, stepped_block
from qsdask.engine.reading import held_rows, placed
from qsdask.engine.where import Run
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.outside import SOURCE
from qsdask.quantity import AtomQuantity, IteratedQuantity, feature_sets, medium_range, source_of_set, surroundings
from qsdask.schema import frame_of, group_at
from qsdask.settings import FeatureSettings, ShellSettings, validated
from qsdask.space.block import Block
from qsdask.stages.cutoffs import half_box_warning
from qsdask.stages.feature_plan import plan_of
from qsdask.stages.medium_range import chunk_of, columns_of, taken_around
from qsdask.stages.shells import facts_of_shells
from qsdask.stages.steps import chosen_steps
from qsdask.stages.surface import surface_when_missing
from qsdask.stages.toy import compile_set
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
    "plan_of",
    "quantity_of",
    "set_names",
    "settings_of_set",
    "told_of_columns",
]

_log = logging.getLogger(__name__)

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
    path, run = located(store), run or Run()
    if "facets" in settings:
        warnings.warn(
            "facets='hard' or 'soft' is now facet_weighting='none' or 'area'", DeprecationWarning, stacklevel=2
        )
    chosen = validated(FeatureSettings, set=set, **settings)
    steps = chosen_steps(path, step)
    facts = facts_of(StoreReader(path))
    stored = {frame: read(path, group_at(frame, "shells")) for frame in steps}
    known = {
        frame: {"length": facts["length"], **facts_of_shells(shells.settings if shells else None)}
        for frame, shells in stored.items()
    }
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
        max(8, *(-(-(part.stop - part.start) // chunk_of(quantity)) for part in columns_of(quantity))),
    )
    size, passes = size_of(root), None
    fixed: dict[str, Any] = {"settings": {**given, "set": quantity.name}, "facts": facts, "frame": frame}
    if isinstance(quantity, IteratedQuantity):
        fixed["cuts"] = cuts_of(size, quantity)
        passes = _passes(quantity, size, record, fixed)
    course = Course(
        record,
        plan_of(size, quantity, cutoff, root.length),
        partial(_template, path, quantity, group),
        partial(features_of_domain, **fixed, source=source_of_set(name)),
        partial(compile_set, quantity),
        conclude=partial(_conclude, path, quantity, frame),
        passes=passes,
    )
    run_stage(path, course, run)


def _passes(quantity: IteratedQuantity, size: Size, record: Record, fixed: Mapping[str, Any]) -> Passes:
    """The passes of an iterated set, with the arguments that the tasks of its columns have too."""
    template = partial(
        create_states, name=quantity.name, n_state=quantity.n_state, n_atom=size.n_atom, chunk=size.chunk
    )
    return Passes(quantity.name, record.settings, fixed["cuts"], partial(_pass_of_domain, **fixed), template)


def _pass_of_domain(
    work: Work, part: int, domain: int, *, settings: dict, facts: dict, frame: int, cuts: tuple
) -> None:
    quantity = quantity_of(settings["set"], FeatureSettings(**settings), facts)
    assert isinstance(quantity, IteratedQuantity)
    pass_of_domain(work, part, domain, quantity=quantity, cuts=cuts, frame=frame)


def settings_of_set(quantity: AtomQuantity, chosen: FeatureSettings, length: str = ANGSTROM) -> dict[str, Any]:
    """What decides the numbers of a set, as it is kept beside them: its name, the settings that it knows, its source."""
    given = chosen.stored()
    known = {name: given[name] for name in _fields(type(quantity)) if name in given}
    if not surroundings(quantity):
        known = {name: value for name, value in known.items() if not name.startswith("coarsen")}
    if not quantity.shells:
        known.pop("coarsen", None)
    lengths = quantity.coarsen_exponential_angstrom
    if lengths or type(quantity).coarsen_exponential_angstrom:
        # What a set does by default is said too.
        known["coarsen_exponential_angstrom"] = list(lengths)
    kept = {renamed(name, length): value for name, value in known.items()}
    return {"set": quantity.name, **kept, **source_of_set(quantity.name)}


def _conclude(path: Path, quantity: AtomQuantity, frame: int, target: Path) -> dict:
    """A word where the set, or its medium range, sees an atom and its own image: cut-offs have theirs from the shells."""
    own = 0.0 if quantity.shells else quantity.reach
    reach = max([own, *(way.reach for way in surroundings(quantity))])
    root = StoreReader(path)
    found = half_box_warning(root, reach, f"the reach of {quantity.name}, {reach:.3g} {root.length},", frame)
    return {"warnings": found} if found else {}


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


def facts_of(root: Arrays) -> dict[str, Any]:
    """What a feature set may want to know of the specimen: species, composition, radius of each; and the unit of length."""
    names = root.names("atoms/species_name")
    species = root["atoms/species"]
    count = np.zeros(len(names), dtype=np.int64)
    for domain in range(root.n_domain):
        # Counts add up chunk by chunk: the driver never holds all atoms.
        count += np.bincount(species[root.rows(domain)], minlength=len(names))
    return named_facts(names, count, root["atoms/radius"][:].tolist(), root.length)


def named_facts(
    names: Sequence[str], count: np.ndarray, radius: Sequence[float], length: str = ANGSTROM
) -> dict[str, Any]:
    """Symbols, shares and radii of the species, under the names by which feature sets ask for them, and the unit of length."""
    share = tuple((count / count.sum()).tolist())
    return {"species": tuple(names), "composition": share, "radius": tuple(radius), "length": length}


def quantity_of(name: str, settings: FeatureSettings, facts: Mapping[str, object] | None = None) -> AtomQuantity:
    """A feature set with those settings, and those facts of the specimen, that it knows."""
    [name] = set_names(name)  # on a worker it may not be installed
    kind = feature_sets()[name]
    if (length := (facts or {}).get("length", ANGSTROM)) != ANGSTROM:
        _refuse_angstrom(kind, settings, str(length))
    stored = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.stored().items()}
    values = {**stored, **(facts or {})}
    chosen: dict[str, Any] = {field: values[field] for field in _fields(kind) if field in values}
    return kind(**chosen)


def _refuse_angstrom(kind: type[AtomQuantity], settings: FeatureSettings, length: str) -> None:
    """Refuse numbers of angstrom that belong to a definition, in a store of another unit."""
    averaged = settings.coarsen_exponential_angstrom and "coarsen_exponential_angstrom" in _fields(kind)
    if kind.in_angstrom or averaged:
        what = f"the feature set {kind.name!r}" if kind.in_angstrom else "an exponentially weighted average"
        raise UsageError(
            f"lengths are in {length} here, and {what} is defined by lengths in angstrom",
            code="E-NO-DEFAULT",
            why="it was measured on metallic glasses, and no length of it follows the size of the atoms",
            hint="choose another set, or --coarsen-radius" if averaged else "choose another set",
        )


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
    cuts: tuple[int, ...] = (),
    states: Work | None = None,
) -> None:
    root = work.reader()
    quantity = quantity_of(settings["set"], FeatureSettings(**settings), facts)
    _refuse_other_source(quantity.name, source)
    group = group_at(frame, f"features/{quantity.name}")
    held = held_rows(root, domain, frame)
    if part == SHORT:
        value = quantity(_block_of(root, domain, quantity, frame, cuts, states))
    else:
        value = taken_around(root, work.own(), domain, quantity, part, frame)
    value = placed(value, held, np.nan)
    value = np.where(held[:, None], value, np.nan).astype(np.float32)
    with work.committing(part, steps[0], domain) as writer:
        writer.write(group, "value", (root.rows(domain), columns_of(quantity)[part]), value)


def _block_of(
    root: Arrays, domain: int, quantity: AtomQuantity, frame: int, cuts: tuple[int, ...], states: Work | None
) -> Block:
    """What a set asks for of a domain."""
    if isinstance(quantity, IteratedQuantity):
        made = states.own() if states else None
        return stepped_block(root, made, domain, quantity, cuts, len(cuts) - 2, frame)
    if quantity.shells:
        return shell_block(root, domain, quantity.shells, quantity.rings, frame)
    return halo_block(root, domain, quantity.reach, frame)


def _refuse_other_source(name: str, source: dict[str, str]) -> None:
    """Refuse to work with another version of an outside set than the driver of the stage has."""
    if (here := source_of_set(name)) != source:
        raise UsageError(
            f"this worker has another feature set {name!r} than the process that began the stage: {here}, not {source}",
            code="E-FEATURE-SET",
            why="one column would be computed by two definitions",
            hint="install one version everywhere, and start the workers anew",
        )


def _template(path: Path, quantity: AtomQuantity, group: str, target: Path) -> None:
    root = StoreReader(path)
    atoms, told = root["atoms/id"], told_of_columns(quantity, root.length)
    sizes = {"atom": atoms.shape[0], "feature": len(told["feature"])}
    chunks = {"atom": atoms.chunks[0], "feature": chunk_of(quantity)}
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
