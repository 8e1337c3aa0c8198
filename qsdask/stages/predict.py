"""Stage ``predict``: the quench-in softness of every atom."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from qsdask.engine.plan import plan_stage, size_of
from qsdask.engine.stage import Course, Run, run_stage
from qsdask.learn import Model, load_model, quench_in_softness
from qsdask.stages.redo import redo
from qsdask.stages.train import definition_of
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.template import create_group

__all__ = ["loaded", "predict"]


def predict(store: str | Path, *, model: str | Path, run: Run | None = None) -> Path:
    """Give every atom of a glass its quench-in softness (QS).

    Parameters
    ----------
    store : str or Path
        A specimen's store with the features that the model knows; it need not be deformed.
    model : str or Path
        Model folder.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``softness/<model>``: the mean plastic probability of the fold models and its spread. NaN
        for atoms without a complete set of features, and for species the model was not made for.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER`` when the features were defined otherwise than those the model learned from;
        ``E-MODEL-...`` when the model folder is damaged.
    """
    path, run = Path(store), run or Run()
    found = loaded(str(model))
    feature_set = found.definition["features"]["set"]
    features = ledger.require(path, f"features/{feature_set}")
    root = StoreReader(path)
    columns = tuple(root.names(f"features/{feature_set}/feature"))
    index = found.check_features(columns, definition_of(path, feature_set))
    name = Path(model).stem
    group = f"softness/{name}"
    settings = {"model": name, "model_digest": found.digest(), "set": feature_set, "label": found.label}
    record = Record(
        group,
        (group,),
        settings,
        {features.key: features.digest, "ingest": features.inputs["ingest"]},
        (1, 1, root.n_domain),
        2,
    )
    strangers = found.outside_domain(root.names("atoms/species_name"))
    warnings = (
        [{"code": "W-OUT-OF-DOMAIN", "text": f"the model never saw {', '.join(strangers)}"}]
        if strangers
        else []
    )
    course = Course(
        record,
        plan_stage("predict", size_of(root), n_column=len(columns)),
        partial(_template, path, group),
        partial(_predict_domain, group=group, model=str(Path(model).resolve()), index=index),
        partial(_load_here, str(Path(model).resolve())),
        conclude=lambda: {"warnings": warnings},
    )
    redo(path, run_stage(path, course, run), run)
    return path


@lru_cache(maxsize=4)
def _cached(path: str, stamp: int) -> Model:
    return load_model(path)


def loaded(path: str) -> Model:
    """Model of a folder, validated once per process and per change of its JSON."""
    file = Path(path) / "model.json"
    return _cached(path, file.stat().st_mtime_ns if file.is_file() else 0)


def _load_here(path: str) -> None:
    loaded(path)


def _predict_domain(
    path: str, part: int, domain: int, steps: list[int], *, group: str, model: str, index: np.ndarray
) -> None:
    root = StoreReader(path)
    found = loaded(model)
    rows = root.rows(domain)
    value = root[f"features/{found.definition['features']['set']}/value"][rows][:, index]
    host = found.label.get("host")
    if host is not None:
        names = np.array(root.names("atoms/species_name"))
        value[names[root["atoms/species"][rows]] != host] = np.nan
    qs, spread = quench_in_softness(found, value)
    with ledger.committing(Path(path), group, (part, steps[0], domain)) as writer:
        writer.write(group, "qs", (rows,), qs)
        writer.write(group, "qs_std", (rows,), spread)


def _template(path: Path, group: str) -> None:
    ids = StoreReader(path)["atoms/id"]
    create_group(path, group, {"atom": ids.shape[0]}, {"atom": ids.chunks[0]}, {})
