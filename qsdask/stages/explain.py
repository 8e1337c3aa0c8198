"""Stage ``explain``: what every column adds to the softness of every atom."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan, owned_and_ghosts, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.learn import Model, Standard, contributions, loaded
from qsdask.learn.shipped import folder_of
from qsdask.names import name_of_model
from qsdask.schema import frame_of, group_at
from qsdask.stages.columns import feature_rows, meaning_of
from qsdask.stages.parts import members, sums
from qsdask.stages.predict import model_of_record, softness_group, standard_of
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group, write_whole

__all__ = ["explain", "features_of", "plan_of"]


def explain(store: str | Path, *, model: str | Path, step: int | Sequence[int] = 0, run: Run | None = None) -> Path:
    """Tell for every atom what each column adds to its softness.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict` with this model.
    model : str or Path
        Model folder.
    step : int or sequence of int
        Frames whose softness is explained, the undeformed one by default; negative numbers count from the end.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``explanation/<model>``: Shapley values of the columns for the logarithm of the odds (``score``; of
        trees its mean over the fold models), and their sums by range and quantity. NaN for atoms without a softness. That of
        step 32 is ``steps/32/explanation/<model>``. See `qsdask.learn.contributions` for how the score is related to QS.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING`` when the model has not been applied to the store; ``E-NO-MODEL`` when it is no folder.
    BadDataError
        ``E-MODEL-CHANGED`` when the softness is that of another model of this name; ``E-MODEL-...`` when the model is damaged.
    UsageError
        ``E-STEP`` for a step that the store does not have.

    References
    ----------
    S. M. Lundberg et al., Nat. Mach. Intell. 2, 56 (2020), doi:10.1038/s42256-019-0138-9.
    """
    path, run = located(store), run or Run()
    found = loaded(str(model))
    with run.shared() as together:
        for frame in chosen_steps(path, step):
            _explain_frame(path, frame, found, Path(model), together)
    return path


def _explain_frame(path: Path, frame: int, found: Model, model: Path, run: Run) -> None:
    softness = ledger.require(path, softness_group(path, model, frame))
    features = features_of(path, found, frame)
    root, name = StoreReader(path), name_of_model(model)
    group = group_at(frame, f"explanation/{name}")
    inputs = {key: ledger.require(path, key).digest for key in (softness.key, *features)}
    record = Record(
        group,
        (group,),
        {"model": name, "model_digest": found.digest()},
        {**inputs, "ingest": softness.inputs["ingest"]},
        (1, 1, root.n_domain),
        3,
    )
    course = Course(
        record,
        plan_of(size_of(root), found.columns),
        partial(_template, path, group, frame, found),
        partial(
            _explain_domain,
            group=group,
            softness=softness.key,
            frame=frame,
            model=str(folder_of(model).resolve()),
            digest=found.digest(),
        ),
        partial(_compile, str(folder_of(model).resolve())),
        given=lambda steps: (standard_of(path, softness.key),),
    )
    run_stage(path, course, run)


def features_of(path: Path, found: Model, frame: int = 0) -> tuple[str, ...]:
    """Groups of the features that a model looks at, which must be complete.

    That they are what it learned from was checked when it was applied; see `qsdask.stages.predict`.
    """
    return tuple(ledger.require(path, group_at(frame, f"features/{one}")).key for one in found.sets)


def plan_of(size: Size, columns: Sequence[str]) -> StagePlan:
    """What explaining the softness of a frame by so many columns will cost."""
    n_column, n_part = len(columns), len(members(columns))
    owned, _ = owned_and_ghosts(size, 0.0)
    work = owned * (n_column * (4 + 4 + 4 + 8 + 4) + n_part * 8 + 16)
    return plan_stage("explain", size, work=work, n_column=n_column, n_part=n_part)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Explain with the model of a record, when it lies beside the store or where we are; else False."""
    model = model_of_record(path, record)
    if model is None:
        return False
    explain(path, model=model, step=frame_of(record.key)[0], run=run)
    return True


def _compile(model: str) -> None:
    found = loaded(model)
    contributions(found, np.zeros((1, len(found.columns)), dtype=np.float32))


def _explain_domain(
    work: StageRun,
    part: int,
    domain: int,
    steps: list[int],
    standard: Standard | None,
    *,
    group: str,
    softness: str,
    frame: int,
    model: str,
    digest: str,
) -> None:
    root = work.reader()
    found, rows = loaded(model, digest), root.rows(domain)
    value = feature_rows(root, rows, found.sets, found.columns, frame)
    species, names = root["atoms/species"][rows], root.names("atoms/species_name")
    added = contributions(found, found.part.seen(value, species, names, standard))
    without = np.isnan(root[f"{softness}/qs"][rows])
    added.value[without] = added.score[without] = np.nan
    with work.committing(part, steps[0], domain) as writer:
        writer.write(group, "score", (rows,), added.score)
        writer.write(group, "contribution", (rows, slice(0, len(found.columns))), added.value.astype(np.float32))
        summed = sums(added.value, members(found.columns))
        writer.write(group, "summed", (rows, slice(0, summed.shape[1])), summed)


def _template(path: Path, group: str, frame: int, found: Model, target: Path) -> None:
    root, parts = StoreReader(path), list(members(found.columns))
    ids, meaning = root["atoms/id"], meaning_of(root, found.sets, frame)
    expected = contributions(found, np.empty((0, len(found.columns)), dtype=np.float32)).expected
    sizes = {"atom": ids.shape[0], "feature": len(found.columns), "part": len(parts), "fold": len(expected)}
    create_group(target, group, sizes, {"atom": ids.chunks[0]}, {})
    whole: dict[str, list | np.ndarray] = {
        "feature": list(found.columns),
        "meaning": [meaning[name] for name in found.columns],
        "part": parts,
        "expected": expected,
    }
    write_whole(target, group, whole)
