"""What is to be known of an undeformed frame before it is cut, found part by part: nobody holds all its atoms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.files.durable import being_written
from qsdask.formats.copies import probes_of
from qsdask.formats.frame import MARKED, Elements, Frame, FrameHeader, FrameLocation, FramePiece
from qsdask.formats.trajectory import Portion, as_piece
from qsdask.intake.grouped import Grouped, grouped, put_columns, waiting
from qsdask.intake.specimen import Chain
from qsdask.space.box import Box
from qsdask.space.cuts import Region, Sample, sampled

__all__ = [
    "ATOM",
    "Kinds",
    "Survey",
    "Waiting",
    "box_of_header",
    "looked",
    "put_atoms",
    "sample_of",
    "surveyed",
    "waiting_of",
]

#: Columns of atoms that wait: id, kind, position as read.
ATOM = (np.dtype(np.int64), np.dtype(np.int16), np.dtype((np.float64, 3)))

_SAMPLE = (np.dtype(np.int64), np.dtype((np.float64, 3)))

#: Types and elements that are told apart by counting; more are sorted.
_COUNTED = 1 << 16


class Waiting(NamedTuple):
    """Atoms of one section of a frame that wait in a file.

    Attributes
    ----------
    file : str
        Its name in the scratch folder.
    offsets : tuple of int
        First byte of each piece.
    kinds : tuple of tuple
        Type and element that each number in the column of kinds stands for.
    """

    file: str
    offsets: tuple[int, ...]
    kinds: tuple[tuple[int | None, str | None], ...]


class HeldFrame:
    """A frame that is held, in place of the part of a trajectory that it is in.

    Parameters
    ----------
    source : Portion
        With step 0.
    frame : Frame
        In place of that.
    """

    def __init__(self, source: Portion, frame: Frame) -> None:
        self._source, self._frame, self.stamps = source, frame, source.stamps

    def place(self, step: int) -> FrameLocation:
        """Where it stood."""
        return self._source.place(step)

    def sections(self, step: int, most: int) -> list[tuple[int, int]]:
        """The whole frame."""
        return [(0, self._frame.natoms)]

    def section(self, step: int, section: tuple[int, int], n_atom: int) -> list[FramePiece]:
        """The whole frame."""
        return [as_piece(self._frame)]

    def repeated_id(self, step: int, atom_id: int) -> Exception:
        """See `Portion.repeated_id`."""
        return self._source.repeated_id(step, atom_id)


class Kinds:
    """Numbers for pairs of type and element, in the order in which they are met; how many atoms have each, and the first one."""

    def __init__(self) -> None:
        self.number: dict[tuple[int | None, str | None], int] = {}
        self.first: list[tuple[int, int]] = []
        self.count: list[int] = []

    def of(self, piece: FramePiece) -> np.ndarray:
        """Number of every atom of a piece; int16, shape (n,)."""
        element = np.zeros(len(piece.id), np.int64) if piece.element is None else piece.element.code.astype(np.int64)
        kind = np.zeros(len(piece.id), np.int64) if piece.type is None else piece.type
        n_element = 1 if piece.element is None else len(piece.element.name)
        pair, place = _distinct(kind, element, n_element)
        index = np.empty(len(pair), dtype=np.int16)
        for k in np.argsort([first for _, _, first in pair]):
            type_, code, first = pair[k]
            name = (None if piece.type is None else type_, None if piece.element is None else piece.element.name[code])
            if name not in self.number:
                self.number[name] = len(self.number)
                self.first.append((piece.first + first, int(piece.id[first])))
                self.count.append(0)
            index[k] = self.number[name]
        found = index[place]
        for number, n in enumerate(np.bincount(found, minlength=len(self.count)).tolist()):
            self.count[number] += n
        return found


def _distinct(kind: np.ndarray, element: np.ndarray, n_element: int) -> tuple[list[tuple[int, int, int]], np.ndarray]:
    """Pairs of type and element with the first atom of each, and which of them every atom is."""
    if int(kind.max()) * n_element < _COUNTED:
        both = kind * n_element + element
        there = np.flatnonzero(np.bincount(both))
        first = [int(np.argmax(both == one)) for one in there]
        place = np.zeros(int(there[-1]) + 1, dtype=np.intp)
        place[there] = np.arange(len(there))
        return [(*divmod(int(one), n_element), k) for one, k in zip(there, first, strict=True)], place[both]
    both = np.stack([kind, element], axis=1)
    pair, where, place = np.unique(both, axis=0, return_index=True, return_inverse=True)
    return [(int(a), int(b), int(k)) for (a, b), k in zip(pair, where, strict=True)], place.ravel()


def box_of_header(header: FrameHeader) -> Box:
    """Box of a frame as its header has it."""
    return Box(header.cell, header.origin, header.periodic)


def put_atoms(place: Path, pieces: Iterable[tuple[FramePiece, np.ndarray, int]], kinds: Kinds) -> Waiting:
    """Write atoms into a file, each piece part by part.

    Parameters
    ----------
    place : Path
        The file.
    pieces : iterable of tuple
        Piece, part of every atom, and the number of parts.
    kinds : Kinds
        Filled.
    """
    offsets = []
    with being_written(place) as file:
        for piece, part, n_part in pieces:
            held = grouped(part, n_part, piece.id, kinds.of(piece), piece.position)
            offsets.append(put_columns(file, held))
    return Waiting(place.name, tuple(offsets), tuple(kinds.number))


def looked(
    source: Portion | HeldFrame, section: tuple[int, int], folder: str, name: str, keep: bool, sample: bool
) -> dict:
    """Look at a section of the undeformed frame; the task of the first pass.

    Parameters
    ----------
    source : Portion or HeldFrame
        With step 0.
    section : tuple of int
        Of `Portion.sections`.
    folder, name : str
        Where files may be left, and how they are called.
    keep : bool
        Leave the atoms in a file, for a frame of one part.
    sample : bool
        Leave those that belong to the sample in another.

    Returns
    -------
    dict
        For `surveyed`.
    """
    found = _Look(source.place(0).natoms, sample)
    place, kinds = Path(folder) / name, Kinds()
    pieces = found.each(source.section(0, section, MARKED))
    if keep:
        waiting = put_atoms(place, ((piece, np.zeros(len(piece.id), np.int64), 1) for piece in pieces), kinds)
        told = {"waiting": waiting}
    else:
        for piece in pieces:
            kinds.of(piece)
        told = {}
    if sample:
        with being_written(place.with_suffix(".sample")) as file:
            put_columns(file, Grouped(np.array([0, len(found.sample.id)]), tuple(found.sample)))
    return {**told, **found.told(), "kinds": list(kinds.number), "first": kinds.first, "count": kinds.count}


class _Look:
    """What one section of a frame tells."""

    def __init__(self, n_atom: int, sample: bool) -> None:
        self.n_atom, self._samples = n_atom, [Sample(np.empty(0, np.int64), np.empty((0, 3)))] if sample else None
        self.low, self.high = np.full(3, np.inf), np.full(3, -np.inf)
        self.lowest, self.highest = np.full(3, np.inf), np.full(3, -np.inf)
        self.chain = Chain(np.empty(0, np.int64), np.empty((0, 3)))
        self.probes: list[tuple[int, list[float]]] = []
        self.resolution, self.digest = math.nan, ""
        self.header: FrameHeader | None = None

    def each(self, pieces: Iterable[FramePiece]) -> Iterator[FramePiece]:
        """The pieces, looked at on their way."""
        wanted = probes_of(self.n_atom)
        for piece in pieces:
            self.header, box = piece.header, box_of_header(piece.header)
            self.low = np.minimum(self.low, piece.position.min(axis=0))
            self.high = np.maximum(self.high, piece.position.max(axis=0))
            position = box.wrap(piece.position)
            reduced = box.reduced(position)
            self.lowest = np.minimum(self.lowest, reduced.min(axis=0))
            self.highest = np.maximum(self.highest, reduced.max(axis=0))
            if self._samples is not None:
                self._samples.append(sampled(piece.id, reduced * box.height, self.n_atom))
            self.chain = _joined([self.chain, Chain.of(piece.id, position)])
            mine = wanted[(wanted >= piece.first) & (wanted < piece.first + len(piece.id))] - piece.first
            places = (reduced[mine] - np.floor(reduced[mine])).tolist()
            self.probes += zip(piece.id[mine].tolist(), places, strict=True)
            self.resolution = float(np.fmax(self.resolution, piece.resolution))
            self.digest = piece.digest
            yield piece

    @property
    def sample(self) -> Sample:
        """Atoms of the section that belong to the sample."""
        assert self._samples is not None
        return Sample(*(np.concatenate(column) for column in zip(*self._samples, strict=True)))

    def told(self) -> dict[str, Any]:
        """The same as JSON has it; numbers keep all their digits."""
        header = self.header
        assert header is not None
        arrays = {name: getattr(self, name).tolist() for name in ("low", "high", "lowest", "highest")}
        chain = [self.chain.id.tolist(), self.chain.position.tolist()]
        found = {"header": header.told(), "chain": chain, "probes": self.probes, "digest": self.digest}
        return {**arrays, **found, "resolution": None if math.isnan(self.resolution) else self.resolution}


def sample_of(folder: Path, names: Sequence[str]) -> Sample:
    """The sample that some sections have left."""
    parts = [waiting((folder / name).with_suffix(".sample"), 0, 1, _SAMPLE).of(0) for name in names]
    return Sample(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _joined(chains: Sequence[Chain]) -> Chain:
    return Chain.of(*(np.concatenate(column) for column in zip(*chains, strict=True)))


@dataclass(frozen=True)
class Survey:
    """What is known of an undeformed frame.

    Attributes
    ----------
    header : FrameHeader
    low, high : float64 array, shape (3,)
        Lowest and highest coordinates, as read. Unit: angstrom.
    region : Region
        That its wrapped atoms fill.
    kinds : dict
        Numbers of the pairs of type and element that there are, in the order of the file.
    first, count : tuple of int
        Id of the first atom of each, and how many there are.
    chain : Chain
        For the fingerprint.
    probes : tuple
        Id of each atom of `qsdask.formats.copies.probes_of`, and where it stands.
    resolution : float
        As of `Frame`.
    digest : str
        Likewise.
    waiting : tuple of Waiting
        Where the atoms wait, if they were kept.
    """

    header: FrameHeader
    low: np.ndarray
    high: np.ndarray
    region: Region
    kinds: dict[tuple[int | None, str | None], int]
    first: tuple[int, ...]
    count: tuple[int, ...]
    chain: Chain
    probes: tuple[tuple[int, tuple[float, ...]], ...]
    resolution: float
    digest: str
    waiting: tuple[Waiting, ...]

    @property
    def box(self) -> Box:
        """Cell of the frame."""
        return box_of_header(self.header)

    @property
    def examples(self) -> Frame:
        """A frame of one atom of each pair of type and element, the first that the file has, in its order: it has all types and
        names of the whole one.
        """
        types = [kind for kind, _ in self.kinds]
        names = sorted({name for _, name in self.kinds if name is not None})
        header, n = self.header, len(self.kinds)
        element = Elements(tuple(names), np.array([names.index(name) for _, name in self.kinds if name], np.int32))
        return Frame(
            timestep=header.timestep,
            natoms=n,
            cell=header.cell,
            origin=header.origin,
            boundary=header.boundary,
            id=np.array(self.first, dtype=np.int64),
            position=np.zeros((n, 3)),
            convention=header.convention,
            type=None if None in types else np.array(types, dtype=np.int64),
            element=element if names else None,
            units=header.units,
            time=header.time,
            digest=self.digest,
            has_id=header.has_id,
            resolution=self.resolution,
        )


def surveyed(told: Sequence[dict], digest: str = "") -> Survey:
    """What the sections of a frame tell together.

    Parameters
    ----------
    told : sequence of dict
        Of `looked`, in the order of the sections.
    digest : str
        Of the frame, where no section is the whole of it.
    """
    header = FrameHeader.of_told(told[0]["header"])
    edges = {
        name: pick([one[name] for one in told], axis=0)
        for name, pick in (("low", np.min), ("high", np.max), ("lowest", np.min), ("highest", np.max))
    }
    first: dict[tuple[int | None, str | None], tuple[int, int]] = {}
    count: dict[tuple[int | None, str | None], int] = {}
    for one in told:
        for (kind, name), (row, atom_id), n in zip(one["kinds"], one["first"], one["count"], strict=True):
            first[kind, name] = min(first.get((kind, name), (row, atom_id)), (row, atom_id))
            count[kind, name] = count.get((kind, name), 0) + n
    kinds = sorted(first, key=lambda pair: first[pair])
    chains = [Chain(np.array(ids, np.int64), np.array(at).reshape(-1, 3)) for ids, at in (one["chain"] for one in told)]
    steps = [one["resolution"] for one in told if one["resolution"] is not None]
    return Survey(
        header,
        edges["low"],
        edges["high"],
        Region.of(edges["lowest"], edges["highest"], box_of_header(header).height),
        {pair: k for k, pair in enumerate(kinds)},
        tuple(first[pair][1] for pair in kinds),
        tuple(count[pair] for pair in kinds),
        _joined(chains),
        tuple((atom_id, tuple(place)) for one in told for atom_id, place in one["probes"]),
        max(steps, default=math.nan),
        digest or told[-1]["digest"],
        tuple(waiting_of(one["waiting"]) for one in told if "waiting" in one),
    )


def waiting_of(told: Sequence) -> Waiting:
    """From JSON."""
    file, offsets, kinds = told
    return Waiting(file, tuple(offsets), tuple((kind, name) for kind, name in kinds))
