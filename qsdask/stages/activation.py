"""Stage ``activation``: which QS is activated, strain by strain; and the spectrum of QS at one strain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from pathlib import Path

import xarray as xr

from qsdask.analysis import activation as by_strain
from qsdask.analysis import spectrum as at_strain
from qsdask.engine.run import run_tasks
from qsdask.engine.stage import Run
from qsdask.errors import BadDataError, NoInputError
from qsdask.stages.predict import loaded
from qsdask.stages.steps import step_near
from qsdask.stages.usable import check_response, usable_softness
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["activation", "label_step", "softness_group", "spectrum"]


def activation(
    store: str | Path, *, model: str | Path, threshold: float | None = None, run: Run | None = None
) -> xr.Dataset:
    """Follow the quench-in softness of the atoms that become plastic.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`.
    model : str or Path
        Model folder, or its name, whose softness is followed.
    threshold : float, optional
        D2min above which an atom is plastic; the model's own label by default. Unit: angstrom^2.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        At every strain: the number and QS (mean, quantiles, histogram) of the atoms plastic at it, newly plastic and
        activated by then, AUC of QS, fraction activated per QS decile. See `qsdask.analysis.activation.finalise`.

    Raises
    ------
    QSDaskError
        When the response or the softness is missing or incomplete.
    """
    path, run = Path(store), run or Run()
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    limit = _limit(path, label, threshold)
    total = _reduced(
        path,
        partial(_activation_of_domain, group=group, label=label, threshold=limit),
        by_strain.combine,
        run,
        "activation",
    )
    return by_strain.finalise(total)


def spectrum(
    store: str | Path,
    *,
    model: str | Path,
    strain: float | None = None,
    threshold: float | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Distribution of QS and its relation to plasticity at one strain.

    Parameters
    ----------
    store, model, threshold, run
        As in `activation`.
    strain : float, optional
        Strain of the comparison, a fraction; the model's own label by default.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.spectrum.finalise`.
    """
    path, run = Path(store), run or Run()
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    step = label_step(path, label["strain"] if strain is None else strain)
    limit = _limit(path, label, threshold)
    total = _reduced(
        path,
        partial(_spectrum_of_domain, group=group, label=label, step=step, threshold=limit),
        at_strain.combine,
        run,
        "spectrum",
    )
    return at_strain.finalise(total)


def softness_group(path: Path, model: str | Path) -> str:
    """Group of a model's softness in a store, which must be complete.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING`` when this model was not applied to the store.
    BadDataError
        ``E-MODEL-CHANGED`` when another model of this name was.
    """
    group = f"softness/{Path(model).stem}"
    if ledger.read(path, group) is None:
        raise NoInputError(
            f"the model {Path(model).stem} has not been applied to this store",
            code="E-STAGE-MISSING",
            file=path,
            hint=f"qsdask predict {path} --model {model}",
        )
    applied = ledger.require(path, group).settings["model_digest"]
    # A name is enough to look at what was predicted; the model itself must be the one that predicted it.
    if Path(model).is_dir() and loaded(str(model)).digest() != applied:
        raise BadDataError(
            f"the softness in this store is that of another model named {Path(model).stem}",
            code="E-MODEL-CHANGED",
            file=path,
            why="the model was trained again",
            hint=f"qsdask predict {path} --model {model} --overwrite",
        )
    return group


def _limit(path: Path, label: Mapping, threshold: float | None) -> float:
    """D2min above which an atom is plastic: what is asked for, or the model's, if it was measured in the same way here."""
    if threshold is not None:
        return float(threshold)
    check_response(path, label)
    return float(label["threshold"])


def label_step(path: Path, strain: float) -> int:
    """Step of a label's strain.

    Raises
    ------
    BadDataError
        ``E-STRAIN`` when no frame was stored near it, or only the undeformed one.
    """
    step, there = step_near(path, strain)
    if step == 0:
        raise BadDataError(
            f"no deformed frame was stored at strain {strain:g}, the nearest is the undeformed one at {there:g}",
            code="E-STRAIN",
            file=path,
            hint="choose a stored strain with --strain, or ingest with the right --strain-step",
        )
    return step


def _reduced(path: Path, part: Callable, combine: Callable, run: Run, label: str) -> xr.Dataset:
    """Combine the counts of all domains; exact integers, so the order does not matter."""
    ledger.require(path, "response/d2min")
    domains = [(str(path), domain) for domain in range(StoreReader(path).n_domain)]
    with run.connected() as client:
        return reduce(combine, run_tasks(client, part, domains, label=label, progress=run.progress))


def _activation_of_domain(path: str, domain: int, *, group: str, label: dict, threshold: float) -> xr.Dataset:
    root = StoreReader(path)
    rows = root.rows(domain)
    return by_strain.partial(
        usable_softness(root, domain, group, label),
        root["response/d2min/d2min"][:, rows],
        root["response/d2min/valid"][:, rows],
        root["frames/strain"][:],
        threshold,
    )


def _spectrum_of_domain(path: str, domain: int, *, group: str, label: dict, step: int, threshold: float) -> xr.Dataset:
    root = StoreReader(path)
    rows = root.rows(domain)
    return at_strain.partial(
        usable_softness(root, domain, group, label),
        root["response/d2min/d2min"][step, rows],
        root["response/d2min/valid"][step, rows],
        threshold,
        strain=float(root["frames/strain"][step]),
    )
