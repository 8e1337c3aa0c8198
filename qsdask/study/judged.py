"""A model that is judged by a glass: whether it may be, and by which plastic atoms."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qsdask.engine.where import Run
from qsdask.learn import Model, loaded
from qsdask.learn.own_label import Judge, is_own
from qsdask.learn.shipped import folder_of
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.study.own_label import check_label, extremes_of, ledger_of_label
from qsdask.study.response import refuse_undeformed
from qsdask.study.rows import softness_group
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["Judged", "judged"]


class Judged(NamedTuple):
    """A model with its softness in a store.

    Attributes
    ----------
    model : str or Path
        As it was named.
    found : Model
        The model.
    group : str
        Its softness in the store.
    step : int or None
        Frame whose plastic atoms it should find; a label of the user's own has none.
    """

    model: str | Path
    found: Model
    group: str
    step: int | None

    def softness(self) -> dict[str, str]:
        """Where workers find the softness, and the very model that gave it."""
        return {"group": self.group, "model": str(folder_of(self.model).resolve()), "digest": self.found.digest()}

    def label_in(self, path: Path, run: Run) -> int | Judge:
        """Where the label is in a store, as `qsdask.study.rows.labelled_rows` takes it."""
        if self.step is not None:
            return self.step
        return Judge.of(self.found.label, extremes_of(path, self.group, self.found.label, run).value)

    def rests_on(self, path: Path) -> tuple[str, ...]:
        """Ledgers of what is read in the store."""
        return (self.group, ledger_of_label(self.found.label), *surface_ledgers(path, margin_of(self.found.label)))


def judged(path: Path, model: str | Path, frame: int | None) -> Judged:
    """Check that a model may be judged by a glass, and find by which frame of it.

    Parameters
    ----------
    path : Path
        Root of the store.
    model : str or Path
        Model folder.
    frame : int, optional
        Frame whose plastic atoms are to be predicted, instead of that of the model's label.

    Returns
    -------
    Judged

    Raises
    ------
    QSDaskError
        As of `qsdask.evaluate`.
    """
    found = loaded(str(model))
    source = ledger.require(path, "ingest")
    own = is_own(found.label)
    if not own:
        refuse_undeformed(path)
    found.check_specimen(source.facts["specimen"], source.facts["fingerprint"])
    group = softness_group(path, model)
    check_label(path, found.label)
    return Judged(model, found, group, None if own else label_step(path, found.label, frame))
