"""From the parts of an undeformed frame to the rows of a store: part by part in space, then slice by slice of the ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.files.durable import being_written
from qsdask.formats.copies import Partners, partners_met
from qsdask.intake.grouped import Grouped, grouped, put_columns, waiting
from qsdask.intake.rowtable import REDUCED, Slice, write_slice
from qsdask.intake.soundness import OVERLAP, Pair, overlapping
from qsdask.intake.survey import ATOM, Waiting
from qsdask.space.box import Box
from qsdask.space.cuts import Cuts
from qsdask.space.domains import rows_of_region

__all__ = ["Part", "atoms_of", "bordering", "met_in", "part_arranged", "slice_written"]

#: Columns of a part: id, species, reduced coordinates; of the border: id, wrapped position; and of a slice: id, row, species.
_ROWS = (np.dtype(np.int64), np.dtype(np.int16), REDUCED)
_BORDER = (np.dtype(np.int64), np.dtype((np.float64, 3)))
_BY_ID = (np.dtype(np.int64), np.dtype(np.int64), np.dtype(np.int16))


class Part(NamedTuple):
    """A part of an undeformed frame, arranged.

    Attributes
    ----------
    first, stop : int
        Its rows.
    file : str
        Where its atoms wait, row by row, and behind them those at its border, and all of them by slices of the ids.
    reduced, border, by_id : int
        First byte of the reduced coordinates, of the border, and of the slices.
    pair : Pair or None
        Two atoms at one place.
    """

    first: int
    stop: int
    file: str
    reduced: int
    border: int
    by_id: int
    pair: Sequence | None


def part_arranged(
    folder: str,
    name: str,
    number: int,
    sections: Sequence[Waiting],
    species: Mapping[tuple[int | None, str | None], int],
    box: Box,
    cuts: Cuts,
    chunk: int,
    id_cuts: np.ndarray,
) -> Part:
    """Arrange the atoms of one part of a frame.

    Parameters
    ----------
    folder, name : str
        Where the file is written, and how it is called.
    number : int
        Of the part.
    sections : sequence of Waiting
        Where its atoms wait.
    species : mapping
        Index of the species of each pair of type and element.
    box : Box
        Cell of the frame.
    cuts : Cuts
        All of them exact.
    chunk : int
        Atoms per domain.
    id_cuts : int64 array
        See `qsdask.intake.rowtable.slice_cuts`.

    Returns
    -------
    Part
    """
    place = Path(folder)
    found = []
    for section in sections:
        of_kind = np.array([species[kind] for kind in section.kinds], dtype=np.int16)
        for offset in section.offsets:
            ids, kind, position = waiting(place / section.file, offset, cuts.n_part, ATOM).of(number)
            found.append((ids, of_kind[kind], position))
    ids, kinds, position = (np.concatenate(column) for column in zip(*found, strict=True))
    del found
    position = box.wrap(position)
    reduced = box.reduced(position)
    length = reduced * box.height
    order = rows_of_region(length, ids, cuts.region[number], chunk)
    first, stop = cuts.rows[number].tolist()
    if len(order) != stop - first:
        raise AssertionError(f"part {number} has {len(order)} atoms, its rows are {first} to {stop}")
    near = _at_border(length, cuts.faces(number))
    pair = overlapping(position, ids)
    border = Grouped(np.array([0, int(near.sum())]), (ids[near], position[near]))
    del position, length
    ids, kinds, reduced = ids[order], kinds[order], reduced[order].astype(np.float32)
    rows = Grouped(np.array([0, len(ids)]), (ids, kinds, reduced))
    of_slice = np.searchsorted(id_cuts, ids, side="right")
    with being_written(place / name) as file:
        put_columns(file, rows)
        at_reduced = file.tell() - reduced.nbytes
        at_border = put_columns(file, border)
        by_id = put_columns(file, grouped(of_slice, len(id_cuts) + 1, ids, np.arange(first, stop), kinds))
    return Part(first, stop, name, at_reduced, at_border, by_id, pair)


def _at_border(length: np.ndarray, faces: Sequence[tuple[int, float]]) -> np.ndarray:
    """Atoms that may stand where one on the other side of a cut stands; bool, shape (n,)."""
    near = np.zeros(len(length), dtype=bool)
    for axis, face in faces:
        near |= np.abs(length[:, axis] - face) <= 2.0 * OVERLAP
    return near


def bordering(folder: str, parts: Sequence[Part]) -> Pair | None:
    """Two atoms at one place, of those at the borders of all parts."""
    found = [waiting(Path(folder) / part.file, part.border, 1, _BORDER).of(0) for part in parts]
    ids, position = (np.concatenate(column) for column in zip(*found, strict=True))
    return overlapping(position, ids)


def atoms_of(folder: str, part: Part, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and species of some rows of a part."""
    ids, species, _ = waiting(Path(folder) / part.file, 0, 1, _ROWS).columns
    rows = slice(start - part.first, stop - part.first)
    return ids[rows], species[rows]


def met_in(folder: str, part: Part, wanted: Partners, box: Box) -> list[bool]:
    """At which of the places an atom of a part stands; see `qsdask.formats.copies.partners_met`."""
    _, species, reduced = waiting(Path(folder) / part.file, 0, 1, _ROWS).of(0)
    return partners_met(reduced.astype(np.float64), species, wanted, box).tolist()


def slice_written(
    folder: str, table: str, number: int, n_slice: int, parts: Sequence[Part]
) -> tuple[Slice, int | None]:
    """Write one slice of the table of rows by id; see `qsdask.intake.rowtable.write_slice`.

    Parameters
    ----------
    folder, table : str
        Where the parts wait, and where the table is.
    number, n_slice : int
        Of the slice, and of how many.
    parts : sequence of Part
    """
    found = [waiting(Path(folder) / part.file, part.by_id, n_slice, _BY_ID).of(number) for part in parts]
    return write_slice(Path(table), number, *(np.concatenate(column) for column in zip(*found, strict=True)))
