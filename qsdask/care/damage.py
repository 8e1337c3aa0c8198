"""What `verify` reports: one thing of a store that is not as it was written."""

from __future__ import annotations

from dataclasses import dataclass

from qsdask.store.ledger import Task

__all__ = ["Damage"]


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it was written.

    Attributes
    ----------
    kind : str
        ``missing``, ``length``, ``content``, ``lineage`` (computed from numbers that the store does not have),
        ``extra`` (a file that no stage wrote), ``orphan`` (numbers without a ledger), ``unsafe`` (a link or device);
        harmless ones: ``leftover`` of a crash, ``unfinished`` overwriting, ``foreign`` file outside of all stages.
    file : str
        Path inside the store.
    text : str
        What was expected and what is there.
    stage : str, optional
        Ledger of the stage it belongs to.
    task : (part, step, domain), optional
        Task that wrote it.
    array : str, optional
        Array it belongs to.
    step, domain : int, optional
        Place of a chunk.
    steps : (int, int), optional
        First and last step of a file with several.
    rows, ids : (int, int), optional
        First and last row, and lowest and highest atom id, of a chunk.
    """

    kind: str
    file: str
    text: str
    stage: str | None = None
    task: Task | None = None
    array: str | None = None
    step: int | None = None
    domain: int | None = None
    rows: tuple[int, int] | None = None
    ids: tuple[int, int] | None = None
    steps: tuple[int, int] | None = None

    @property
    def harmless(self) -> bool:
        """Whether no number can be wrong because of it."""
        return self.kind in ("leftover", "unfinished", "foreign")

    def __str__(self) -> str:
        place = [
            f"array {self.array}" if self.array else None,
            f"step {self.step}" if self.step is not None else None,
            f"steps {self.steps[0]} to {self.steps[1]}" if self.steps and self.step is None else None,
            f"domain {self.domain}" if self.domain is not None else None,
            f"rows {self.rows[0]} to {self.rows[1]}" if self.rows else None,
            f"atom ids {self.ids[0]} to {self.ids[1]}" if self.ids else None,
        ]
        shown = ", ".join(p for p in place if p)
        name = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in self.file)
        return f"{self.kind:<8} {name}: {self.text}" + (f" ({shown})" if shown else "")
