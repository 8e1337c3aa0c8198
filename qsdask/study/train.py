"""Stage ``train``: learn from deformed glasses which atoms of an undeformed one will rearrange."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from qsdask import learn
from qsdask.engine.tasks import progress_bar, run_tasks
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, CannotCreateError
from qsdask.learn import Specimen, Table, definition_digest
from qsdask.learn.validity import share_sampled
from qsdask.names import checked_name, name_of_model
from qsdask.settings import TrainSettings, refuse_defaults, validated
from qsdask.stages.definition import definition_of
from qsdask.stages.steps import label_note, label_step
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.store.unchanged import unchanged
from qsdask.study.columns import columns_of, same_atoms_of, sets_of, with_columns
from qsdask.study.response import refuse_undeformed, response_of
from qsdask.study.rows import labelled_rows
from qsdask.study.search import searched
from qsdask.study.surface import margin_of, surface_ledgers, surface_note
from qsdask.units import renamed

__all__ = ["Gathered", "gathered", "learned", "train"]


def train(
    stores: str | Path | Sequence[str | Path], *, model: str | Path, run: Run | None = None, **settings: object
) -> Path:
    """Learn quench-in softness from one or more deformed glasses.

    Parameters
    ----------
    stores : path or sequence of paths
        Stores with features and response. Their order does not matter.
    model : str or Path
        Model folder to write, for example ``cuzr.qs``.
    run : Run, optional
        Cluster, workers, overwriting, progress.
    **settings
        Fields of `qsdask.settings.TrainSettings`: ``label``, ``strain``, ``frame``, ``threshold``, ``set``, ``columns``,
        ``folds``, ``fold_kind``, ``block`` (angstrom), ``draws``, ``ratio``, ``surface_margin`` (angstrom), ``host``,
        ``trees``, ``depth``, ``learning_rate``, ``seed``, ``same_atoms``, ``search``.

    Returns
    -------
    Path
        The model folder: text models and JSON. Training it again with the same numbers and settings leaves it as it is.

    Raises
    ------
    UsageError
        ``E-NAMING`` for a folder whose name cannot be that of a softness; ``E-NO-DEFAULT`` for a threshold or margin that is
        not given for glasses whose lengths are in sigma.
    BadDataError
        ``E-NO-USABLE``: a store without atoms to learn from; ``E-ONE-CLASS``, ``E-FEW-PLASTIC``: labels from which nothing
        can be learned; ``E-STRAIN``: no frame at the label's strain, or a frame that has another strain in each store;
        ``E-FEATURES-DIFFER``: stores whose features were defined differently; ``E-MODEL-UNITS``: stores of lengths in
        angstrom and in sigma.
    CannotCreateError
        ``E-EXISTS`` when another model, or something else, is there.

    Notes
    -----
    All plastic atoms and as many others, drawn by a hash of (seed, specimen, atom id), five stratified folds, one
    LightGBM model each, repeated for every draw. Only the rows that a draw can choose are ever gathered.
    """
    run, target = run or Run(), Path(model)
    paths = [Path(s) for s in ([stores] if isinstance(stores, str | Path) else stores)]
    chosen = validated(TrainSettings, **settings)
    checked_name(name_of_model(target), "model", key=True)
    learn.refuse_other_content(target)
    made = learned(paths, chosen, run)
    if target.exists() and not run.overwrite:
        if learn.load_model(target).digest() == made.digest():
            return target
        raise CannotCreateError(
            "another model is here, learned from other numbers or with other settings",
            code="E-EXISTS",
            file=target,
            hint="choose another --model, or add --overwrite",
        )
    learn.save_model(made, target, overwrite=run.overwrite)
    return target


class Gathered(NamedTuple):
    """What is learned from.

    Attributes
    ----------
    table : Table
        Rows that some draw can choose.
    samples : dict of str to float32 array, shape (n, n_feature)
        Features of usable atoms of every species.
    definition, label : dict
        As models keep them.
    d2_quantiles : list of float
        Of usable atoms. Unit: angstrom^2.
    """

    table: Table
    samples: dict[str, np.ndarray]
    definition: dict
    label: dict
    d2_quantiles: list[float]


def learned(paths: Sequence[Path], chosen: TrainSettings, run: Run) -> learn.Model:
    """The model that `train` saves.

    Parameters
    ----------
    paths : sequence of Path
        Stores.
    chosen : TrainSettings
        How it is learned.
    run : Run
        Cluster, workers, progress.

    Raises
    ------
    QSDaskError
        Those of `train`.
    """
    chosen = with_columns(chosen)
    with run.shared() as here:
        rows = gathered(paths, chosen, here)
        chosen, tried = searched(rows.table, chosen, here) if chosen.search else (chosen, None)
    threads = run.workers or len(psutil.Process().cpu_affinity())
    with progress_bar("train", chosen.draws * chosen.folds, show=run.progress) as advance:
        made = learn.train(
            rows.table,
            definition=rows.definition,
            label=rows.label,
            settings=chosen,
            threads=threads,
            d2_quantiles=rows.d2_quantiles,
            progress=lambda done, total: advance(1),
        )
    made = learn.with_experience(made, rows.samples)
    scores = made.scores if tried is None else {**made.scores, "search": tried}
    return replace(made, scores=scores, warnings=(*made.warnings, *_notes(paths, rows.label)))


def gathered(paths: Sequence[Path], chosen: TrainSettings, run: Run) -> Gathered:
    """What is learned from; arguments and errors as of `learned`."""
    _refuse_twice(paths)
    chosen = with_columns(chosen)
    for path in paths:
        refuse_undeformed(path)
    response = "response/propensity" if chosen.label == "propensity" else "response/d2min"
    with ExitStack() as stack:
        for path in paths:
            surfaces = surface_ledgers(path, chosen.surface_margin_angstrom)
            features = (f"features/{one}" for one in {*sets_of(chosen), *same_atoms_of(chosen)})
            stack.enter_context(unchanged(path, (*features, response, *surfaces)))
        label, definition = _agreed(paths, chosen)
        label_of = [
            (store, domain, label_step(Path(store.path), label))
            for store in map(StoreAt.of, paths)
            for domain in range(store.reader().n_domain)
        ]
        client = stack.enter_context(run.connected())
        counted = list(
            run_tasks(
                client, partial(_count, chosen=chosen, label=label), label_of, label="label", progress=run.progress
            )
        )
        for path in paths:
            _refuse_unusable(path, [c for c in counted if c["path"] == os.path.abspath(path)], chosen)
        specimens = _told_apart({os.path.abspath(path): _specimen(path, counted) for path in paths})
        gather = partial(_gather, chosen=chosen, label=label, share=_share(specimens, chosen), specimens=specimens)
        parts = list(run_tasks(client, gather, label_of, label="gather", progress=run.progress))
        samples: dict[str, list[Table]] = defaultdict(list)
        for _, sampled in parts:
            for name, table in sampled.items():
                samples[name].append(table)
        quantiles = np.quantile(np.concatenate([c["d2_quantiles"] for c in counted]), [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Gathered(
        learn.concatenate([table for table, _ in parts]),
        {name: learn.concatenate(tables).X for name, tables in samples.items()},
        definition,
        label,
        quantiles,
    )


def _agreed(paths: Sequence[Path], chosen: TrainSettings) -> tuple[dict, dict]:
    """Label and feature definition, the same for all stores."""
    length = _one_length(paths)
    refuse_defaults(chosen, length)
    whole = [definition_of(path, sets_of(chosen)) for path in paths]
    definitions = [{name: value for name, value in one.items() if name != "radii"} for one in whole]
    responses = [response_of(path, averaged=chosen.label == "propensity") for path in paths]
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
    label = {
        **_moment(paths, chosen),
        renamed("surface_margin_angstrom", length): chosen.surface_margin_angstrom,
        "host": chosen.host,
        "threshold": chosen.threshold,
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
        stages = (ledger.read(path, key) for key in ("shells", "response/d2min"))
        found = [w for stage in stages if stage for w in stage.facts.get("warnings", [])]
        notes = [*label_note(path, label), *surface_note(path, margin), *(f"{w['code']}: {w['text']}" for w in found)]
        told += [f"{note} ({name})" for note in notes]
    return sorted(set(told))


def _count(store: StoreAt, domain: int, step: int, *, chosen: TrainSettings, label: dict) -> dict:
    root = store.reader()
    found = labelled_rows(root, domain, sets_of(chosen), columns_of(root, chosen), step, label)
    d2 = found.d2[found.mask]
    return {
        "path": store.path,
        "n_usable": int(found.mask.sum()),
        "n_plastic": int(found.y[found.mask].sum()),
        "excluded": found.excluded,
        "known": np.isfinite(found.value).sum(axis=0),
        "d2_quantiles": np.quantile(d2, np.linspace(0, 1, 21)) if len(d2) else np.empty(0),
    }


def _refuse_unusable(path: Path, counted: list[dict], chosen: TrainSettings) -> None:
    """Refuse a store without an atom to learn from, and tell what left them all out."""
    if any(c["n_usable"] for c in counted):
        return
    columns = columns_of(StoreReader(path), chosen)
    void = [name for name, n in zip(columns, sum(c["known"] for c in counted), strict=True) if n == 0]
    rules = Counter({rule: sum(c["excluded"][rule] for c in counted) for rule in counted[0]["excluded"]})
    of_columns = f"; {', '.join(void[:3])}{', ...' * (len(void) > 3)}: no value in any atom" if void else ""
    raise BadDataError(
        "no atom of this store can be learned from",
        code="E-NO-USABLE",
        file=path,
        why=f"left out by {', '.join(f'{rule}: {n}' for rule, n in rules.most_common() if n)}{of_columns}",
        hint=f"--columns short_range or other sets than {chosen.set}"
        if void
        else "a smaller --surface-margin, another --strain, or another --host",
    )


def _specimen(path: Path, counted: list[dict]) -> Specimen:
    source = ledger.require(path, "ingest")
    root = StoreReader(path)
    mine = [c for c in counted if c["path"] == os.path.abspath(path)]
    return Specimen(
        key=source.facts["specimen"],
        name=source.settings["name"],
        n_atoms=root["atoms/id"].shape[0],
        n_usable=sum(c["n_usable"] for c in mine),
        n_plastic=sum(c["n_plastic"] for c in mine),
        fingerprint=tuple(source.facts["fingerprint"]),
        species=tuple(root.names("atoms/species_name")),
    )


def _told_apart(specimens: dict[str, Specimen]) -> dict[str, Specimen]:
    """Glasses of the same ids and species have one key, by which atoms are drawn; their fingerprints tell them apart."""
    keys = Counter(specimen.key for specimen in specimens.values())
    return {
        path: replace(specimen, key=f"{specimen.key}:{definition_digest({'distances': specimen.fingerprint})[:16]}")
        if keys[specimen.key] > 1
        else specimen
        for path, specimen in specimens.items()
    }


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


def _share(specimens: dict[str, Specimen], chosen: TrainSettings) -> float:
    """Share of the majority, by hash, that certainly holds what every draw can choose."""
    plastic = sum(s.n_plastic for s in specimens.values())
    other = sum(s.n_usable for s in specimens.values()) - plastic
    few, many = sorted((plastic, other))
    wanted = few * max(chosen.ratio, 1.0)
    # Ten standard deviations above the expectation: the chance to miss a row is nil.
    return min(1.0, (wanted + 10.0 * np.sqrt(wanted) + 100.0) / max(many, 1))


def _gather(
    store: StoreAt,
    domain: int,
    step: int,
    *,
    chosen: TrainSettings,
    label: dict,
    share: float,
    specimens: dict[str, Specimen],
) -> tuple[Table, dict[str, Table]]:
    """The rows of a domain that some draw can choose: the minority, and the majority with the smallest hashes.

    Then a sample of all usable rows, by species.
    """
    root = store.reader()
    columns = columns_of(root, chosen)
    found = labelled_rows(root, domain, sets_of(chosen), columns, step, label)
    rows = root.rows(domain)
    ids = root["atoms/id"][rows]
    me = specimens[store.path]
    plastic = sum(s.n_plastic for s in specimens.values())
    rare = plastic * 2 <= sum(s.n_usable for s in specimens.values())
    minority = found.y if rare else ~found.y
    lowest = np.min(
        [learn.identity_hash(chosen.seed, "undersample", draw, me.key, ids) for draw in range(chosen.draws)], axis=0
    )
    keep = found.mask & (minority | (share >= 1.0) | (lowest.astype(np.float64) < share * 2.0**64))
    block = None
    if chosen.search or chosen.fold_kind == "spatial_block":
        block = learn.blocks(
            root["frames/position"][0, rows],
            root["frames/cell"][0],
            root["frames/periodic"][:],
            chosen.block_angstrom,
            origin=root["frames/origin"][0],
        )[keep]
    n_usable = sum(s.n_usable for s in specimens.values())
    scattered = learn.identity_hash(chosen.seed, "cloud", 0, me.key, ids).astype(np.float64)
    sampled = found.mask & (scattered < share_sampled(n_usable) * 2.0**64)
    species, names = root["atoms/species"][rows], root.names("atoms/species_name")

    def table(keep: np.ndarray, block: np.ndarray | None = None) -> Table:
        first = np.zeros(int(keep.sum()), dtype=np.int64)
        return Table((me,), first, ids[keep], found.value[keep], found.y[keep], columns, block)

    return table(keep, block), {name: table(sampled & (species == k)) for k, name in enumerate(names)}
