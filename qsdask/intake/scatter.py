"""Atoms of a frame, in whatever order the file has them, into the rows and chunks of a store, piece by piece.

A frame is read in pieces. Each is sorted by domain; when there are several, they wait in one file beside the store. Then
every domain collects its rows from the pieces. Memory follows the piece and the chunk, not the frame.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.files.location import located
from qsdask.files.staging import waiting_file
from qsdask.formats.frame import FrameHeader, FramePiece, ReadWarning
from qsdask.formats.trajectory import Portion
from qsdask.intake.comparison import Policy, lost_atoms_error, refuse_changed_species, refuse_strangers
from qsdask.intake.rowtable import RowTable
from qsdask.space.box import Box
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun

__all__ = ["PIECE_ATOMS", "box_of", "count_warnings", "far_outside", "hash_words", "known_atoms", "scatter_steps"]


#: Atoms of a frame that are held at once.
PIECE_ATOMS = 1 << 18


class GroupedPiece(NamedTuple):
    """Atoms of one piece, domain by domain.

    Attributes
    ----------
    cut : int64 array, shape (n_domain + 1,)
        Where the rows of every domain begin.
    row : int64 array, shape (n,), or Column
        Rows.
    position : float64 array, shape (n, 3), or Column
        Unit: angstrom.
    """

    cut: np.ndarray
    row: np.ndarray | Column
    position: np.ndarray | Column

    def of_domain(self, domain: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and positions of the atoms that belong to a domain."""
        mine = slice(*self.cut[domain : domain + 2].tolist())
        return self.row[mine], self.position[mine]


@dataclass(frozen=True)
class Column:
    """An array that waits in a file; slices of it are read when they are asked for.

    Attributes
    ----------
    file : Path
        Raw numbers.
    offset : int
        First byte.
    dtype : numpy dtype
        Of one row; rows may have a shape.
    """

    file: Path
    offset: int
    dtype: np.dtype

    def __getitem__(self, part: slice) -> np.ndarray:
        start = self.offset + part.start * self.dtype.itemsize
        return np.fromfile(self.file, self.dtype, part.stop - part.start, offset=start)


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
    root, table = work.own(), RowTable(located(scratch))
    for step, pieces in source.frames_in_pieces(steps, PIECE_ATOMS):
        waiting = waiting_file(located(scratch), f"step-{step}.{os.getpid()}")
        try:
            _scatter_frame(work, root, step, pieces, table, policy, waiting, source)
        finally:
            waiting.unlink(missing_ok=True)


def _scatter_frame(
    work: StageRun,
    root: StoreReader,
    step: int,
    pieces: Iterable[FramePiece],
    table: RowTable,
    policy: Policy,
    waiting: Path,
    source: Portion,
) -> None:
    rows = root.domain_rows
    held, last, n_new = _grouped_pieces(pieces, rows, table, policy, waiting, source.place(step).path, step)
    header, box = last.header, box_of(last.header, policy, step)
    digest = hash_words(last.digest)
    bounds = np.empty((len(rows), 2, 3))
    missing: list[np.ndarray] = []
    outside = 0
    with work.committing(0, step, 0) as writer:
        for domain, (start, stop) in enumerate(rows.tolist()):
            mine = [piece.of_domain(domain) for piece in held]
            position, lost = _collected(mine, start, stop, root, source, step)
            missing.append(lost)
            reduced = box.reduced(position)
            # Follow every atom from its wrapped place in the first frame: the bounds of a domain stay compact although
            # its atoms cross the faces of the cell.
            before = table.reduced(start, stop)
            followed = reduced - np.where(box.periodic, np.rint(reduced - before), 0.0)
            bounds[domain] = np.fmin.reduce(followed, axis=0), np.fmax.reduce(followed, axis=0)
            outside += far_outside(reduced, header)
            writer.write("frames", "position", (slice(step, step + 1), slice(start, stop)), position[None])
        lost = np.concatenate(missing)
        if not policy.bears(len(lost), len(table)):
            raise lost_atoms_error(np.sort(root["atoms/id"][:][lost]), len(table), source.place(step), step)
        writer.write("frames", "cell", (step,), box.cell[None])
        writer.write("frames", "origin", (step,), box.origin[None])
        writer.write("frames", "source_hash", (step,), digest[None])
        writer.write("frames", "n_lost", (step,), np.array([len(lost)]))
        if policy.new == "ignore":
            writer.write("frames", "n_new", (step,), np.array([n_new]))
        writer.write("frames", "n_outside", (step,), np.array([outside]))
        writer.write("domains", "bounds", (step,), bounds[None])


def _grouped_pieces(
    pieces: Iterable[FramePiece], rows: np.ndarray, table: RowTable, policy: Policy, waiting: Path, file: str, step: int
) -> tuple[list[GroupedPiece], FramePiece, int]:
    """All pieces domain by domain, the last one of them, and how many atoms are new; a single piece stays in memory."""
    held: list[GroupedPiece] = []
    offset = n_new = 0
    for piece in pieces:
        row, position = known_atoms(piece, table, policy, file, step)
        n_new += len(piece.id) - len(row)
        # All domains but the last have as many rows as the first. Small integers are sorted in linear time.
        domain = (row // (rows[0, 1] - rows[0, 0])).astype(np.min_scalar_type(len(rows)))
        together = np.argsort(domain, kind="stable")
        row, position = row[together], position[together]
        cut = np.cumsum([0, *np.bincount(domain, minlength=len(rows))])
        if len(piece.id) < piece.header.natoms:
            with waiting.open("ab") as store:
                row.tofile(store)
                position.tofile(store)
            stop = offset + row.nbytes
            held.append(GroupedPiece(cut, Column(waiting, offset, _ROW), Column(waiting, stop, _POSITION)))
            offset = stop + position.nbytes
        else:
            held.append(GroupedPiece(cut, row, position))
    return held, piece, n_new


def _collected(
    pieces: Sequence[tuple[np.ndarray, np.ndarray]],
    start: int,
    stop: int,
    root: StoreReader,
    source: Portion,
    step: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows from `start` to `stop`, NaN where there is no atom, and the rows without one."""
    position = np.full((stop - start, 3), np.nan)
    count = np.zeros(stop - start, dtype=np.int64)
    for row, found in pieces:
        position[row - start] = found
        count += np.bincount(row - start, minlength=stop - start)
    twice = np.flatnonzero(count > 1)
    if len(twice):
        raise source.repeated_id(step, int(root["atoms/id"][start + int(twice[0])]))
    return position, start + np.flatnonzero(count == 0)


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
    row = table.rows_of(piece.id)
    known = row >= 0
    if policy.new == "error":
        refuse_strangers(piece, row, file, step)
    refuse_changed_species(piece, known, table.species_of(row), policy, file, step)
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
