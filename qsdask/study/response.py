"""How the response of a store was measured, and whether a model's label was measured alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qsdask.errors import BadDataError, UsageError
from qsdask.learn.own_label import is_own
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["check_response", "is_deformed", "plastic_above", "refuse_undeformed", "response_of"]


def is_deformed(path: Path) -> bool:
    """Whether a store holds more than the undeformed glass."""
    ledger.require(path, "ingest")
    return len(StoreReader(path)["frames/strain"][:]) > 1


def refuse_undeformed(path: Path) -> None:
    """Refuse a question about deformation to a store without any, before it is told to compute a response.

    Raises
    ------
    BadDataError
        ``E-STRAIN``.
    """
    if not is_deformed(path):
        raise BadDataError(
            "the store holds the undeformed glass alone: nobody knows which of its atoms rearrange",
            code="E-STRAIN",
            file=path,
            hint=f"its softness is shown by 'qsdask report {path} --model MODEL'",
        )


def response_of(path: Path, *, averaged: bool) -> dict:
    """How the response of a store was measured.

    Parameters
    ----------
    path : Path
        Root of the store.
    averaged : bool
        Of its average over isoconfigurational runs: also ``threshold``, by which an atom was plastic in a run.

    Returns
    -------
    dict

    Raises
    ------
    BadDataError
        ``E-STRAIN``: the store holds the undeformed glass alone.
    """
    refuse_undeformed(path)
    measured = ledger.require(path, "response/d2min").settings
    if not averaged:
        return dict(measured)
    # The D2min threshold keeps its name: what is plastic at a strain is judged by it, whatever was learned from.
    return {**measured, "threshold": ledger.require(path, "response/propensity").settings["threshold"]}


def check_response(path: Path, label: Mapping, *, averaged: bool = False) -> None:
    """Refuse a store whose response was computed with different settings than that of a model's label.

    Parameters
    ----------
    path : Path
        Root of the store.
    label : mapping
        Of the model.
    averaged : bool, optional
        Compare also the average over isoconfigurational runs.

    Raises
    ------
    BadDataError
        ``E-RESPONSE-DIFFERS``.
    """
    here = response_of(path, averaged=averaged)
    rows = [f"{name}: {label[name]} -> {value}" for name, value in here.items() if label.get(name, value) != value]
    if rows:
        raise BadDataError(
            f"the response in this store was computed with different settings than that of the model's label: {'; '.join(rows)}",
            code="E-RESPONSE-DIFFERS",
            file=path,
            why="plastic atoms of one measure are not those of another",
            hint=f"measure it again with --overwrite: qsdask respond {path}",
        )


def plastic_above(path: Path, label: Mapping, threshold: float | None) -> float:
    """D2min above which an atom is plastic: what is asked for, or the model's, if it was measured in the same way here.

    Raises
    ------
    UsageError
        ``E-THRESHOLD`` where the model learned a label of the user's own.
    """
    if threshold is not None:
        return float(threshold)
    if is_own(label):
        raise UsageError(
            f"the model learned {label['name']}: it does not say above which D2min an atom is plastic",
            code="E-THRESHOLD",
            hint="name the threshold, such as --threshold 5",
        )
    check_response(path, label)
    return float(label["threshold"])
