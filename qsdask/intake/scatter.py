"""Atoms of a frame, in whatever order the file has them, into the rows and chunks of a store, piece by piece.

A frame is read in pieces. Of one with few pieces the atoms are put into their rows in memory; those of a larger one are sorted by
domain and wait in one file beside the store, and every domain collects its rows from there. Memory follows the piece and the
chunk, not the frame.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from qsdask.formats.frame import MARKED, FrameHeader, FramePiece, ReadWarning
from qsdask.formats.trajectory import Portion
from qsdask.intake.comparison import SHOWN, Policy, lost_atoms_error, refuse_changed_species, refuse_strangers
from qsdask.intake.grouped import Grouped, grouped, put_columns, waiting
from qsdask.intake.rowtable import RowTable
from qsdask.kernels.following import extent_followed, fill_rows
from qsdask.space.box import Box
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun, TaskWriter

__all__ = [
    "HELD_PIECES",
    "PIECE_ATOMS",
    "box_of",
    "count_warnings",
    "far_outside",
    "hash_words",
    "known_atoms",
    "put_domain",
    "put_frame",
    "scatter_steps",
]

#: Atoms in one piece of a frame, and pieces of a frame that a task holds until they are written; of a larger one it holds a
#: piece at a time, and the others wait in a file.
PIECE_ATOMS = MARKED
HELD_PIECES = 4

_ROW, _POSITION = np.dtype(np.int64), np.dtype((np.float64, 3))


def scatter_steps(
    work: StageRun, part: int, domain: int, steps: list[int], source: Portion, policy: Policy, *, scratch: str
) -> None:
    """Ingest some steps; the unit of work of the stage ``ingest``.

    Parameters
    ----------
    work : StageRun
        The run that it is part of.
    part, domain : int
        Always 0: a task is a frame.
    steps : list of int
        Rising.
    source : Portion
        Where these frames are.
    policy : Policy
        How they are compared with the first one.
    scratch : str
        Folder of the `RowTable`.

    Raises
    ------
    BadDataError
        ``E-LOST-ATOMS``, ``E-DUP-ID``, ``E-TYPE-CHANGE``, and what the readers raise.
    """
    root, table = work.own(), RowTable(Path(scratch))
    frames = iter(source.frames_in_pieces(steps, PIECE_ATOMS))
    for some in work.together(steps):
        with work.committing(part, some[0], domain) as writer:
            for step, pieces in islice(frames, len(some)):
                place = Path(scratch) / f"step-{step}.{os.getpid()}"
                try:
                    _scatter_frame(writer, root, step, pieces, table, policy, place, source)
                finally:
                    place.unlink(missing_ok=True)


def _scatter_frame(
    writer: TaskWriter,
    root: StoreReader,
    step: int,
    pieces: Iterable[FramePiece],
    table: RowTable,
    policy: Policy,
    place: Path,
    source: Portion,
) -> None:
    rows = root.domain_rows
    held, n_new = _Held(source.place(step).natoms, rows, place), 0
    for piece in pieces:
        row, position = known_atoms(piece, table, policy, source.place(step).path, step)
        n_new += len(piece.id) - len(row)
        held.add(row, position)
    header, box = piece.header, box_of(piece.header, policy, step)
    bounds = np.empty((len(rows), 2, 3))
    lost = np.zeros(len(rows), dtype=np.int64)
    outside = 0
    for domain, (start, stop) in enumerate(rows.tolist()):
        position, count = held.of(domain, start, stop)
        if (count > 1).any():
            raise source.repeated_id(step, int(root["atoms/id"][start + int(np.argmax(count > 1))]))
        lost[domain] = np.count_nonzero(count == 0)
        bounds[domain], far = put_domain(writer, step, start, position, table, box)
        outside += far
    n_lost = int(lost.sum())
    if not policy.bears(n_lost, len(table)):
        ids = held.lowest_lost(lost, root)
        raise lost_atoms_error(ids, n_lost, len(table), source.place(step), step)
    put_frame(writer, step, header, policy, piece.digest, bounds, n_lost=n_lost, n_new=n_new, n_outside=outside)


def put_domain(
    writer: TaskWriter, step: int, start: int, position: np.ndarray, table: RowTable, box: Box
) -> tuple[np.ndarray, int]:
    """Write the positions of the rows of a domain at a step.

    Parameters
    ----------
    writer : TaskWriter
    step : int
    start : int
        First row.
    position : float64 array, shape (n_row, 3)
        NaN where there is no atom. Unit: angstrom.
    table : RowTable
        Of the first frame.
    box : Box
        Of this one.

    Returns
    -------
    bounds : float64 array, shape (2, 3)
    outside : int
        See `qsdask.kernels.following.extent_followed`.
    """
    stop = start + len(position)
    # Follow every atom from its wrapped place in the first frame: the bounds of a domain stay compact although its atoms
    # cross the faces of the cell.
    found = extent_followed(position, table.reduced(start, stop), box.origin, box.inverse, box.periodic)
    writer.write("frames", "position", (slice(step, step + 1), slice(start, stop)), position[None])
    return found


def put_frame(
    writer: TaskWriter,
    step: int,
    header: FrameHeader,
    policy: Policy,
    digest: str,
    bounds: np.ndarray,
    *,
    n_lost: int,
    n_new: int,
    n_outside: int,
) -> None:
    """Write what a frame has besides its positions.

    Parameters
    ----------
    writer : TaskWriter
    step : int
    header : FrameHeader
    policy : Policy
    digest : str
        Of the frame.
    bounds : float64 array, shape (n_domain, 2, 3)
        Of `put_domain`.
    n_lost, n_new, n_outside : int
        Atoms; those outside count where the frame is wrapped.
    """
    box = box_of(header, policy, step)
    writer.write("frames", "cell", (step,), box.cell[None])
    writer.write("frames", "origin", (step,), box.origin[None])
    writer.write("frames", "source_hash", (step,), hash_words(digest)[None])
    writer.write("frames", "n_lost", (step,), np.array([n_lost]))
    if policy.new == "ignore":
        writer.write("frames", "n_new", (step,), np.array([n_new]))
    writer.write("frames", "n_outside", (step,), np.array([n_outside if header.convention == "wrapped" else 0]))
    writer.write("domains", "bounds", (step,), bounds[None])


class _Held:
    """Atoms of a frame, in memory row by row; of a large frame in a file, piece by piece and domain by domain."""

    def __init__(self, n_atom: int, rows: np.ndarray, place: Path) -> None:
        self._rows, self._place = rows, place
        self._pieces: list[Grouped] = []
        n_row = int(rows[-1, 1])
        small = max(n_atom, n_row) <= HELD_PIECES * PIECE_ATOMS
        self._all = (np.full((n_row, 3), np.nan), np.zeros(n_row, np.uint8)) if small else None

    def add(self, row: np.ndarray, position: np.ndarray) -> None:
        """Take the atoms of a piece."""
        if self._all:
            fill_rows(row, position, *self._all)
            return
        n_domain = len(self._rows)
        # All domains but the last have as many rows as the first.
        found = grouped(row // (self._rows[0, 1] - self._rows[0, 0]), n_domain, row, position)
        with self._place.open("ab") as store:
            offset = put_columns(store, found)
        self._pieces.append(waiting(self._place, offset, n_domain, (_ROW, _POSITION)))

    def of(self, domain: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the rows of a domain, NaN where there is no atom, and how many atoms each has, 2 for more."""
        if self._all:
            position, count = self._all
            return position[start:stop], count[start:stop]
        position, count = np.full((stop - start, 3), np.nan), np.zeros(stop - start, np.uint8)
        for row, found in (piece.of(domain) for piece in self._pieces):
            fill_rows(row - start, found, position, count)
        return position, count

    def lowest_lost(self, lost: np.ndarray, root: StoreReader) -> np.ndarray:
        """Lowest ids of the atoms that are not in the frame, rising, for a message; `lost` counts them by domain."""
        ids = np.empty(0, dtype=np.int64)
        for domain in np.flatnonzero(lost).tolist():
            start, stop = self._rows[domain].tolist()
            _, count = self.of(domain, start, stop)
            ids = np.sort(np.concatenate([ids, root["atoms/id"][start:stop][count == 0]]))[:SHOWN]
        return ids


def known_atoms(
    piece: FramePiece, table: RowTable, policy: Policy, file: str, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and positions of the atoms of a piece that the first frame has, which must be of the same species.

    Parameters
    ----------
    piece : FramePiece
        Atoms as read.
    table : RowTable
        Atoms of the first frame.
    policy : Policy
        Which species they are.
    file : str
        Where they were read, for messages.
    step : int
        Frame, for messages.

    Returns
    -------
    row : int64 array, shape (n,)
    position : float64 array, shape (n, 3)
        Without the atoms that are new, if they are ignored. Unit: angstrom.

    Raises
    ------
    BadDataError
        ``E-LOST-ATOMS`` for atoms that are new and not ignored, ``E-TYPE-CHANGE``.
    """
    row, species = table.found(piece.id)
    known = row >= 0
    if policy.new == "error":
        refuse_strangers(piece, row, file, step)
    refuse_changed_species(piece, known, species, policy, file, step)
    return (row, piece.position) if known.all() else (row[known], piece.position[known])


def box_of(header: FrameHeader, policy: Policy, step: int) -> Box:
    """Box of a frame, its cell continued across box flips."""
    return Box(policy.cells.get(step, header.cell), header.origin, header.periodic)


def hash_words(digest: str) -> np.ndarray:
    """Hash of a frame as it is stored, uint64, shape (2,), from its hexadecimal digits."""
    return np.frombuffer(bytes.fromhex(digest)[:16], dtype=">u8").astype(np.uint64)


def far_outside(reduced: np.ndarray, header: FrameHeader) -> int:
    """Number of atoms of a wrapped frame that lie more than a box length outside along a periodic axis.

    Parameters
    ----------
    reduced : float64 array, shape (n, 3)
        Reduced coordinates in the box of the frame; NaN for atoms that are not there.
    header : FrameHeader
        Of the frame.
    """
    if header.convention != "wrapped":
        return 0
    return int((np.abs(reduced - 0.5) > 1.5)[:, header.periodic].any(axis=1).sum())


def count_warnings(n_lost: np.ndarray, n_new: np.ndarray, n_outside: np.ndarray) -> list[ReadWarning]:
    """One warning a kind for all frames with lost atoms, with new ones, and with atoms far outside of a periodic box.

    Parameters
    ----------
    n_lost, n_new, n_outside : int array, shape (n_step,)
        Atoms of every frame.

    Returns
    -------
    list of ReadWarning
        ``W-LOST-ATOMS``, ``W-ATOMS-BACK``, ``W-NEW-ATOMS``, ``W-OUTSIDE``.
    """
    made = []
    for code, count, what in (
        ("W-LOST-ATOMS", n_lost, "atoms of the first frame are missing; they are NaN there"),
        (
            "W-ATOMS-BACK",
            -np.diff(n_lost, prepend=0),
            "atoms that were missing are there again: a new atom may have the id of one that was lost",
        ),
        ("W-NEW-ATOMS", n_new, "atoms are not in the first frame; they are left out"),
        ("W-OUTSIDE", n_outside, "wrapped atoms lie more than a box length outside; they are wrapped again"),
    ):
        steps = np.flatnonzero(count > 0)
        if len(steps):
            made.append(ReadWarning(code, f"up to {count.max()} {what}; first in frame {steps[0]}"))
    return made
