"""The passes over an undeformed frame that cut it into parts: count what is sure, collect the rest, put every atom into its part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.files.durable import being_written
from qsdask.formats.frame import MARKED, FramePiece
from qsdask.formats.trajectory import Portion
from qsdask.intake.grouped import grouped, put_columns, waiting
from qsdask.intake.survey import HeldFrame, Kinds, box_of_header, put_atoms
from qsdask.space.cuts import Cuts, Sample

__all__ = ["Counted", "counted", "parted", "resolved"]

_COLLECTED = (np.dtype(np.int64), np.dtype((np.float64, 3)))


class Counted(NamedTuple):
    """What one section tells of the places of cuts.

    Attributes
    ----------
    sure : list of int
        Atoms that reached each part.
    held : list of int
        Atoms that stopped at each cut.
    file : str
        Where these wait.
    offsets : list of int
        Of each piece.
    """

    sure: list[int]
    held: list[int]
    file: str
    offsets: list[int]


def counted(source: Portion | HeldFrame, section: tuple[int, int], folder: str, name: str, cuts: Cuts) -> Counted:
    """Count the atoms of a section on either side of all brackets, and collect those within; the task of a counting pass.

    Parameters
    ----------
    source, section, folder, name
        As of `qsdask.intake.survey.looked`.
    cuts : Cuts
        With brackets.
    """
    n_cut = len(cuts.axis)
    sure, held = np.zeros(cuts.n_part, np.int64), np.zeros(n_cut, np.int64)
    offsets = []
    with being_written(Path(folder) / name) as file:
        for piece, length in _pieces(source, section):
            route = cuts.routes(piece.id, length)
            stopped = route >= 0
            sure += np.bincount(~route[~stopped], minlength=cuts.n_part)
            held += np.bincount(route[stopped], minlength=n_cut)
            offsets.append(put_columns(file, grouped(route[stopped], n_cut, piece.id[stopped], length[stopped])))
    return Counted(sure.tolist(), held.tolist(), name, offsets)


def resolved(cuts: Cuts, told: Sequence[Counted], folder: Path) -> Cuts:
    """The cuts after a counting pass; see `Cuts.resolved`.

    Parameters
    ----------
    cuts : Cuts
        As the pass had them.
    told : sequence of Counted
        Of all sections.
    folder : Path
        Where the atoms wait.
    """
    n_cut = len(cuts.axis)
    runs = [waiting(folder / one.file, at, n_cut, _COLLECTED) for one in told for at in one.offsets]

    def collected(cut: int) -> Sample:
        parts = [run.of(cut) for run in runs]
        return Sample(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    sure, held = (np.sum([getattr(one, name) for one in told], axis=0) for name in ("sure", "held"))
    return cuts.resolved(sure, held, collected)


def parted(source: Portion | HeldFrame, section: tuple[int, int], folder: str, name: str, cuts: Cuts) -> tuple:
    """Put the atoms of a section into a file, part by part; the task of the last pass over the text.

    Parameters
    ----------
    source, section, folder, name
        As of `qsdask.intake.survey.looked`.
    cuts : Cuts
        All of them exact.

    Returns
    -------
    Waiting
    """
    pieces = ((piece, ~cuts.routes(piece.id, length), cuts.n_part) for piece, length in _pieces(source, section))
    return put_atoms(Path(folder) / name, pieces, Kinds())


def _pieces(source: Portion | HeldFrame, section: tuple[int, int]) -> Iterator[tuple[FramePiece, np.ndarray]]:
    """Pieces of a section of the undeformed frame, and their wrapped reduced coordinates times the heights of the cell."""
    for piece in source.section(0, section, MARKED):
        box = box_of_header(piece.header)
        yield piece, box.reduced(box.wrap(piece.position)) * box.height
