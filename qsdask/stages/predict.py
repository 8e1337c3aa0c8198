"""Stage ``predict``: the softness of every atom, quenched in or at a strain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan, owned_and_ghosts, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, NoInputError, QSDaskError
from qsdask.files.location import in_bucket, located
from qsdask.learn import Model, Standard, loaded, softness_of_atoms, told_outside
from qsdask.learn.shipped import folder_of
from qsdask.learn.validity import count_outside
from qsdask.names import checked_name, name_of_model
from qsdask.schema import frame_of, group_at
from qsdask.settings import PredictSettings, validated
from qsdask.stages.columns import columns_there, feature_rows
from qsdask.stages.definition import definition_of
from qsdask.stages.standard import frame_of_standard, standards
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.ledger import Record
from qsdask.store.place import Place
from qsdask.store.reader import Arrays, StoreReader
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group
from qsdask.store.unchanged import unchanged

__all__ = ["counts_outside", "has_outside", "model_of_record", "plan_of", "predict", "softness_group", "standard_of"]

#: What is said of a strained frame that is compared with itself.
OWN_STANDARD = (
    "frame {frame} is compared with itself, so that in the mean it is about as soft as any other: the store has no such features of "
    "the undeformed glass to compare with; 'qsdask features {store}' computes them"
)


def predict(
    store: str | Path,
    *,
    model: str | Path,
    step: int | Sequence[int] = 0,
    accept_outside: bool | None = None,
    run: Run | None = None,
) -> Path:
    """Give every atom of a glass its quench-in softness (QS), or the softness of the structure it has at a strain.

    Parameters
    ----------
    store : str or Path
        A specimen's store with the features that the model knows; it need not be deformed.
    model : str or Path
        Model folder.
    step : int or sequence of int
        Frames whose features are used, the undeformed one by default; negative numbers count from the end. The model
        stays the one that was learned from undeformed glasses.
    accept_outside : bool, optional
        Give numbers also to elements that the model never saw, and to glasses unlike those it was trained on.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``softness/<model>``: QS and the spread of the fold models. NaN for atoms without a complete
        set of features (of the learner ``response``: without any), and for species the model was not made for.
        ``outside`` says how far each atom is from those that the model knows. That of step 32 is
        ``steps/32/softness/<model>``.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER`` when the features were computed with different settings than those the model learned from;
        ``E-MODEL-...`` when the model folder is damaged; ``E-OUT-OF-DOMAIN`` when most atoms are unlike those that the
        model was trained on.
    UsageError
        ``E-STEP`` for a step that the store does not have; ``E-NAMING`` for a model whose name no softness can have.
    """
    path, run = located(store), run or Run()
    found = loaded(str(model))
    chosen = validated(PredictSettings, accept_outside=accept_outside)
    steps = chosen_steps(path, step)
    with run.shared() as together:
        for frame in steps:
            _predict_frame(path, frame, found, Path(model), chosen, together)
    return path


def _predict_frame(path: Path, frame: int, found: Model, model: Path, chosen: PredictSettings, run: Run) -> None:
    features = [ledger.require(path, group_at(frame, f"features/{one}")) for one in found.sets]
    root = StoreReader(path)
    columns = columns_there(root, found.sets, frame)
    found.check_features(columns, definition_of(path, found.sets, frame))
    name = name_of_model(model)
    group = group_at(frame, f"softness/{name}")
    measure = _Measure(path, found, frame, run) if found.part.standardises else None
    before = ledger.read(path, group)
    if before is None or not before.complete:  # a softness that is there keeps its name, and can be computed again
        checked_name(name, "model", key=True)
    settings = {
        "model": name,
        "model_digest": found.digest(),
        "set": ",".join(found.sets),
        "label": found.label,
        **({"standard_frame": measure.frame} if measure else {}),
        **chosen.stored(),
    }
    inputs = [*features, *(measure.features if measure and measure.frame != frame else [])]
    record = Record(
        group,
        (group,),
        settings,
        {**{one.key: one.digest for one in inputs}, "ingest": features[0].inputs["ingest"]},
        (1, 1, root.n_domain),
        3,
    )

    def conclude(target: Path) -> dict:
        counts, species = counts_outside(StoreReader(target), group), root.names("atoms/species_name")
        told = told_outside(found, name, species, *counts, accepted=chosen.accept_outside)
        warnings = [{"code": "W-OUT-OF-DOMAIN", "text": text} for text in told]
        if measure is None:
            return {"warnings": warnings}
        if measure.frame > 0:
            warnings.append({"code": "W-OWN-STANDARD", "text": OWN_STANDARD.format(frame=frame, store=path)})
        return {"warnings": warnings, "standard": measure.standard.record()}

    course = Course(
        record,
        plan_of(size_of(root), len(columns)),
        partial(_template, path, group),
        partial(
            _predict_domain,
            group=group,
            frame=frame,
            model=str(folder_of(model).resolve()),
            digest=found.digest(),
            accept=chosen.accept_outside,
        ),
        partial(_load_here, str(folder_of(model).resolve())),
        conclude=conclude,
        given=lambda steps: (measure.standard if measure else None,),
    )
    run_stage(path, course, run)


class _Measure:
    """What a model that compares atoms with the whole glass measures the columns of a frame by; found when it is needed.

    Attributes
    ----------
    frame : int
        See `qsdask.stages.standard.frame_of_standard`.
    features : list of Record
        Ledgers of the features of that frame.
    """

    def __init__(self, path: Path, model: Model, frame: int, run: Run) -> None:
        self.frame = frame_of_standard(StoreReader(path), model.sets, frame)
        self.features = [ledger.require(path, group_at(self.frame, f"features/{one}")) for one in model.sets]
        self._path, self._model, self._run = path, model, run

    @cached_property
    def standard(self) -> Standard:
        """From all atoms of the frame."""
        store, model = StoreAt.of(self._path), self._model
        with unchanged(self._path, [one.key for one in self.features]):
            return standards(self._run, [store], model.sets, model.columns, self.frame)[store.path]


def standard_of(path: Path, group: str) -> Standard | None:
    """What the columns were measured by when a softness was predicted; None for models that do not measure them."""
    facts = ledger.require(path, group).facts
    return Standard.read(facts["standard"]) if "standard" in facts else None


def plan_of(size: Size, n_column: int) -> StagePlan:
    """What the softness of a frame from so many columns will cost."""
    return plan_stage("predict", size, work=owned_and_ghosts(size, 0.0)[0] * n_column * 12)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Predict with the model of a record, when it lies beside the store or where we are; else False."""
    model = model_of_record(path, record)
    if model is None:
        return False
    kept = {name: value for name, value in record.settings.items() if name in PredictSettings.model_fields}
    predict(path, model=model, step=frame_of(record.key)[0], **kept, run=run)
    return True


def softness_group(path: Path, model: str | Path, step: int = 0) -> str:
    """Group of a model's softness of a frame in a store, which must be complete.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING`` when this model was not applied to the store.
    BadDataError
        ``E-MODEL-CHANGED`` when another model of this name was.
    """
    name = name_of_model(model)
    group, of_frame = group_at(step, f"softness/{name}"), f" --frame {step}" * (step > 0)
    if ledger.read(path, group) is None:
        raise NoInputError(
            f"the model {name} has not been applied to this store",
            code="E-STAGE-MISSING",
            file=path,
            hint=f"qsdask predict {path} --model {model}{of_frame}",
        )
    applied = ledger.require(path, group).settings["model_digest"]
    # A name is enough to look at what was predicted; the model itself must be the one that predicted it.
    if folder_of(model).is_dir() and loaded(str(model)).digest() != applied:
        raise BadDataError(
            f"the softness in this store is that of another model named {name}",
            code="E-MODEL-CHANGED",
            file=path,
            why="the model was trained again",
            hint=f"qsdask predict {path} --model {model}{of_frame} --overwrite",
        )
    return group


def model_of_record(path: Path, record: Record) -> Path | None:
    """Folder of the model that a softness, or its explanation, was computed with; None where it is not to be found."""
    name = record.settings["model"]
    # Models are folders of this machine, also where the store is in a bucket.
    folders = [folder for folder in (path.resolve().parent, Path.cwd()) if in_bucket(folder) is None]
    beside = (folder / kind for folder in folders for kind in (f"{name}.qs", name))
    for model in (*beside, folder_of(name)):
        try:
            if loaded(model).digest() == record.settings["model_digest"]:
                return model
        except QSDaskError:
            continue
    return None


def _load_here(path: str) -> None:
    loaded(path)


def _predict_domain(
    work: StageRun,
    part: int,
    domain: int,
    steps: list[int],
    standard: Standard | None,
    *,
    group: str,
    frame: int,
    model: str,
    digest: str,
    accept: bool,
) -> None:
    root = work.reader()
    found = loaded(model, digest)
    rows = root.rows(domain)
    value = feature_rows(root, rows, found.sets, found.columns, frame)
    names, species = root.names("atoms/species_name"), root["atoms/species"][rows]
    qs, spread, distance = softness_of_atoms(found, value, species, names, standard=standard, accept=accept)
    with work.committing(part, steps[0], domain) as writer:
        writer.write(group, "qs", (rows,), qs)
        writer.write(group, "qs_std", (rows,), spread)
        if has_outside(located(work.root), group):
            writer.write(group, "outside", (rows,), distance.astype(np.float32))


def has_outside(root: Path, group: str) -> bool:
    """Whether a softness tells how far atoms are from what the model knows; those begun before do not."""
    return Place(root).exists(f"{group}/outside/zarr.json")


def counts_outside(root: Arrays, group: str) -> tuple[int, int]:
    """Atoms of a frame beyond the rim of what its model knows, and atoms whose distance from that is known.

    Parameters
    ----------
    root : Arrays
        With the softness, as far as it is there.
    group : str
        Group of the softness; that of earlier versions does not tell, and counts as unknown.

    Returns
    -------
    tuple of (int, int)
    """
    if isinstance(root, StoreReader) and not has_outside(root.path, group):
        return 0, 0
    distance = root[f"{group}/outside"]
    starts = range(0, distance.shape[0], distance.chunks[0])
    counts = [count_outside(distance[first : first + distance.chunks[0]]) for first in starts]
    return sum(beyond for beyond, _ in counts), sum(known for _, known in counts)


def _template(path: Path, group: str, target: Path) -> None:
    ids = StoreReader(path)["atoms/id"]
    create_group(target, group, {"atom": ids.shape[0]}, {"atom": ids.chunks[0]}, {})
