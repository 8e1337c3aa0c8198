"""Stage ``train``: learn from deformed glasses which atoms of an undeformed one will rearrange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask import learn
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, CannotCreateError
from qsdask.files.location import located
from qsdask.learn import Specimen
from qsdask.learn.own_label import is_own
from qsdask.learn.working import Working
from qsdask.names import checked_name, name_of_model
from qsdask.settings import TrainSettings, refuse_defaults, validated
from qsdask.stages.definition import definition_of
from qsdask.stages.features import set_names
from qsdask.stages.steps import label_note, label_step
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.store.unchanged import unchanged
from qsdask.study.columns import same_atoms_of, sets_of, with_columns
from qsdask.study.fitted import fitted, rows_with_target
from qsdask.study.gathered import gathered, rows_with_all_columns
from qsdask.study.grown import grown
from qsdask.study.own_label import label_at, ledger_of_label, own_label_of
from qsdask.study.response import refuse_undeformed, response_of
from qsdask.study.rows import LabelledRows
from qsdask.study.surface import margin_of, surface_ledgers, surface_note
from qsdask.study.training_rows import Lesson, counted, refuse_unusable, specimens_of
from qsdask.units import renamed

__all__ = ["LEARNERS", "learned", "rows_of_trees", "train"]


class Learner(NamedTuple):
    """How a model is learned.

    Attributes
    ----------
    rows : callable
        ``rows(root, domain, step, chosen=..., label=...)``: the rows of a domain that it can use, on a worker.
    learn : callable
        ``learn(lesson, specimens, d2_quantiles)``: the model.
    """

    rows: Callable[..., LabelledRows]
    learn: Callable[..., learn.Model]


LEARNERS = {"gbdt": Learner(rows_with_all_columns, grown), "response": Learner(rows_with_target, fitted)}


def train(
    stores: str | Path | Sequence[str | Path], *, model: str | Path, run: Run | None = None, **settings: object
) -> Path:
    """Learn quench-in softness from one or more deformed glasses, or glasses with a label of your own.

    Parameters
    ----------
    stores : path or sequence of paths
        Stores with features and response, or with the label of `qsdask.label`: these need no deformation. Their order does
        not matter.
    model : str or Path
        Model folder to write, for example ``cuzr.qs``.
    run : Run, optional
        Cluster, workers, overwriting, progress.
    **settings
        Fields of `qsdask.settings.TrainSettings`: ``learner``, ``penalty``, ``label``, ``strain``, ``frame``, ``threshold``,
        ``below``, ``top``, ``bottom``, ``rank``, ``set``, ``columns``, ``folds``, ``fold_kind``, ``block`` (angstrom),
        ``draws``, ``ratio``, ``surface_margin`` (angstrom), ``host``, ``same_atoms``, ``trees``, ``depth``,
        ``learning_rate``, ``seed``, ``search``.

    Returns
    -------
    Path
        The model folder: JSON, and text models of trees. Training it again with the same numbers and settings leaves it as
        it is.

    Raises
    ------
    UsageError
        ``E-NAMING`` for a folder whose name cannot be that of a softness; ``E-NO-DEFAULT`` for a threshold or margin that is
        not given for glasses whose lengths are in sigma.
    BadDataError
        ``E-NO-USABLE``: a store without atoms to learn from; ``E-ONE-CLASS``, ``E-FEW-PLASTIC``: labels from which nothing
        can be learned; ``E-STRAIN``: no frame at the label's strain, or a frame that has another strain in each store;
        ``E-FEATURES-DIFFER``: stores whose features were defined differently; ``E-MODEL-UNITS``: stores of lengths in
        angstrom and in sigma; ``E-LABEL-UNIT``: a label of your own in two units.
    NoInputError
        ``E-STAGE-MISSING`` for a label that a store does not have.
    CannotCreateError
        ``E-EXISTS`` when another model, or something else, is there.

    Notes
    -----
    Learner ``gbdt``: all plastic atoms and as many others, drawn by a hash of (seed, specimen, atom id), five stratified
    folds, one LightGBM model each, repeated for every draw. Only the rows that a draw can choose are ever gathered.
    Learner ``response``: ridge regression of the logarithm of D2min on all atoms, from sums of every domain; see
    `qsdask.study.fitted`.

    Shares and ranks of a label of your own are taken among the usable atoms of each glass; values that agree to a millionth are
    equal. Its rank is the share of atoms that are less soft. With ``rank`` trees learn that by the cross-entropy: softness is
    then the share to be expected, and all usable rows are gathered, 4 bytes a column. The learner ``response`` always learns it.
    """
    run, target = run or Run(), Path(model)
    paths = [located(s) for s in ([stores] if isinstance(stores, str | Path) else stores)]
    chosen = validated(TrainSettings, **settings)
    checked_name(name_of_model(target), "model", key=True)
    learn.refuse_other_content(target)
    with Working(target) as working:
        made = learned(paths, chosen, run, working)
        if not target.exists() or run.overwrite:
            learn.save_model(made, target, overwrite=run.overwrite)
        elif learn.load_model(target).digest() != made.digest():
            raise CannotCreateError(
                "another model is here, learned from other numbers or with other settings",
                code="E-EXISTS",
                file=target,
                hint="choose another --model, or add --overwrite",
            )
    return target


def learned(paths: Sequence[Path], chosen: TrainSettings, run: Run, working: Working | None = None) -> learn.Model:
    """The model that `train` saves.

    Parameters
    ----------
    paths : sequence of Path
        Stores.
    chosen : TrainSettings
        How it is learned.
    run : Run
        Cluster, workers, progress.
    working : Working, optional
        Where what is done is kept until the model is saved; without it trees are learned in this process.

    Raises
    ------
    QSDaskError
        Those of `train`.
    """
    with _lesson(paths, chosen, run, working) as (lesson, specimens, d2_quantiles):
        made = LEARNERS[chosen.learner].learn(lesson, specimens, d2_quantiles)
    return replace(made, warnings=(*made.warnings, *_notes(paths, lesson.label)))


def rows_of_trees(paths: Sequence[Path], chosen: TrainSettings, run: Run) -> learn.Table:
    """Rows that trees learn from, with the blocks of space of each for a search; arguments and errors as of `learned`."""
    with _lesson(paths, chosen, run) as (lesson, specimens, _):
        return gathered(lesson, specimens)[0]


@contextmanager
def _lesson(
    paths: Sequence[Path], chosen: TrainSettings, run: Run, working: Working | None = None
) -> Iterator[tuple[Lesson, Mapping[str, Specimen], list[float]]]:
    """What is learned from, its glasses by path, and quantiles of D2min; within the ``with`` nothing of it may change."""
    _refuse_twice(paths)
    _refuse_unknown_sets(paths, chosen)
    chosen = with_columns(chosen)
    for path in paths if chosen.own_rule is None else ():
        refuse_undeformed(path)
    with ExitStack() as stack:
        rests_on: dict[str, str] = {}
        for path in paths:
            surfaces = surface_ledgers(path, chosen.surface_margin_angstrom)
            features = (f"features/{one}" for one in sorted({*sets_of(chosen), *same_atoms_of(chosen)}))
            keys = (*features, ledger_of_label(chosen.label), *surfaces)
            stack.enter_context(unchanged(path, keys))
            rests_on |= {f"{path.resolve()}:{key}": run_of(path, key) for key in keys}
        label, definition = _agreed(paths, chosen)
        stores = [StoreAt.of(path) for path in paths]
        together = stack.enter_context(run.shared())
        rows = partial(LEARNERS[chosen.learner].rows, chosen=chosen, label=label)
        ranked = chosen.learner == "response"
        steps = {store.path: label_at(store, label, rows, together, ranked=ranked) for store in stores}
        lesson = Lesson(tuple(stores), steps, chosen, definition, label, together, rests_on, working)
        there = counted(lesson, rows)
        for store in stores:
            refuse_unusable(located(store.path), there[store.path], chosen)
        spread = np.concatenate([quantiles for one in there.values() for quantiles in one.d2_quantiles])
        quantiles = np.quantile(spread, [0, 0.25, 0.5, 0.75, 1]).tolist()
        yield lesson, specimens_of(there), quantiles


def run_of(path: Path, key: str) -> str:
    """What tells a stage from the same one computed again."""
    record = ledger.require(path, key)
    return f"{record.digest}:{','.join(record.runs)}"


def _agreed(paths: Sequence[Path], chosen: TrainSettings) -> tuple[dict, dict]:
    """Label and feature definition, the same for all stores."""
    length = _one_length(paths)
    refuse_defaults(chosen, length)
    whole = [definition_of(path, sets_of(chosen)) for path in paths]
    definitions = [{name: value for name, value in one.items() if name != "radii"} for one in whole]
    own = own_label_of(paths, chosen)
    responses = [own or response_of(path, averaged=chosen.label == "propensity") for path in paths]
    radii: dict[str, float] = {}
    for path, one, definition, response in zip(paths, whole, definitions, responses, strict=True):
        # Glasses of different alloys may train together; an element they share must have one radius.
        same_radii = all(radii.setdefault(name, r) == r for name, r in one["radii"].items())
        if definition != definitions[0] or response != responses[0] or not same_radii:
            raise BadDataError(
                f"features or response were computed with different settings than in {paths[0]}: "
                f"{definition} and {response} against {definitions[0]} and {responses[0]}",
                code="E-FEATURES-DIFFER",
                file=path,
                hint="compute one of them again with --overwrite",
            )
    of_response = {} if own else {**_moment(paths, chosen), "threshold": chosen.threshold}
    label = {
        renamed("surface_margin_angstrom", length): chosen.surface_margin_angstrom,
        "host": chosen.host,
        **of_response,
        **responses[0],
        **({"frequency": chosen.threshold} if chosen.label == "propensity" else {}),
        **({"same_atoms": same_atoms_of(chosen)} if chosen.same_atoms else {}),
    }
    return label, {**definitions[0], "radii": radii}


def _one_length(paths: Sequence[Path]) -> str:
    """Unit of the lengths of all stores."""
    found = [StoreReader(path).length for path in paths if ledger.require(path, "ingest")]
    for path, length in zip(paths, found, strict=True):
        if length != found[0]:
            raise BadDataError(
                f"the lengths of this store are in {length}, those of {paths[0]} in {found[0]}",
                code="E-MODEL-UNITS",
                file=path,
                why="one model has one cut-off and one threshold",
                hint="learn from glasses of one unit",
            )
    return found[0]


def _moment(paths: Sequence[Path], chosen: TrainSettings) -> dict:
    """Strain of the label, and its frame if one is named; then the strain is the mean of what it is there."""
    if chosen.frame is None:
        return {"strain": chosen.strain}
    frames = [label_step(path, {"strain": chosen.strain}, chosen.frame) for path in paths]
    there = [StoreReader(path)["frames/strain"][frame] for path, frame in zip(paths, frames, strict=True)]
    # Sorted: the order of the stores does not matter, not even by rounding. Frames that differ are refused by their strain.
    return {"strain": float(np.mean(np.sort(there))), "frame": min(frames)}


def _notes(paths: Sequence[Path], label: dict) -> list[str]:
    """What must be said of the label's frame, of surfaces, shells and response, with the name of the glass; in an order that is not
    that of the stores.
    """
    told, margin = [], margin_of(label)
    for path in paths:
        name = ledger.require(path, "ingest").settings["name"]
        stages = (ledger.read(path, key) for key in ("shells", *(() if is_own(label) else ("response/d2min",))))
        found = [w for stage in stages if stage for w in stage.facts.get("warnings", [])]
        notes = [*label_note(path, label), *surface_note(path, margin), *(f"{w['code']}: {w['text']}" for w in found)]
        told += [f"{note} ({name})" for note in notes]
    return sorted(set(told))


def _refuse_unknown_sets(paths: Sequence[Path], chosen: TrainSettings) -> None:
    """Refuse a name that no feature set has; features of a package that is gone may still be in the stores."""
    for name in sets_of(chosen):
        if any(ledger.read(path, f"features/{name}") is None for path in paths):
            set_names(name)


def _refuse_twice(paths: Sequence[Path]) -> None:
    known = [ledger.require(path, "ingest").facts for path in paths]
    for one, two in combinations(range(len(paths)), 2):
        if learn.same_glass(*(known[k][name] for k in (one, two) for name in ("specimen", "fingerprint"))):
            raise BadDataError(
                "the same glass was given twice",
                code="E-SPECIMEN-KEY",
                file=paths[two],
                why=f"it is also in {paths[one]}",
            )
