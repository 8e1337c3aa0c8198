"""Files in, one ordered trajectory out: many frames in a file, one frame per file, or both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from qsdask.errors import BadDataError, NoInputError, QSDaskError
from qsdask.files.location import absolute, located
from qsdask.formats.ase_reader import read_ase
from qsdask.formats.binary import read_binary
from qsdask.formats.container import refuse_changed
from qsdask.formats.frame import MARKED, Frame, FrameHeader, FrameLocation, FramePiece, ReadWarning
from qsdask.formats.gsd_reader import read_gsd
from qsdask.formats.layouts import LAYOUTS
from qsdask.formats.mda import read_universe
from qsdask.formats.refusal import refusal
from qsdask.formats.rows import digest_of, lines_of_id, read_frames, read_pieces, read_stretch

__all__ = ["Portion", "Trajectory", "as_piece", "read_locations"]


class _Places(ABC):
    """Frames that can be read by their numbers; see `Trajectory` and `Portion`."""

    topology: str | None
    stamps: dict[str, tuple[int, int, int]]
    reference: str | None

    @abstractmethod
    def place(self, step: int) -> FrameLocation:
        """Where a frame stands."""

    def pieces(self, steps: Sequence[int], n_atom: int, *, digest: bool = True) -> Iterator[tuple[int, FramePiece]]:
        """Read frames piece by piece: those of text with one atom a line never stand in memory as a whole.

        Parameters
        ----------
        steps : sequence of int
            Which frames, rising.
        n_atom : int
            Atoms in a piece of such a text; the other formats give whole frames.
        digest : bool
            See `read`.

        Yields
        ------
        step : int
        piece : FramePiece

        Raises
        ------
        BadDataError, NoInputError
            As `read`. An id that stands twice in different pieces is for the caller to find; see `repeated_id`.
        """
        steps = list(steps)
        for group in _runs([self.place(step) for step in steps]):
            refuse = self._guard(group[0].path)
            if group[0].reader in LAYOUTS:
                found = read_pieces(group, n_atom, digest=digest)
            else:
                found = enumerate(map(as_piece, read_locations(group, self._beside(group[0].path))))
            for k, piece in found:
                refuse()
                yield steps[k], piece
            steps = steps[len(group) :]

    def frames_in_pieces(self, steps: Sequence[int], n_atom: int) -> Iterator[tuple[int, Iterator[FramePiece]]]:
        """Read frames piece by piece, frame by frame.

        Parameters
        ----------
        steps, n_atom
            As in `pieces`.

        Yields
        ------
        step : int
        pieces : iterator of FramePiece
            To be used up before the next frame; nothing of that one is read before, so that its errors are its own.

        Raises
        ------
        BadDataError, NoInputError
            As `pieces`.
        """
        found = self.pieces(steps, n_atom)
        for step in steps:
            yield step, _until_whole(found)

    def sections(self, step: int, most: int) -> list[tuple[int, int]]:
        """Parts of a frame that can be read apart from one another.

        Parameters
        ----------
        step : int
        most : int
            How many of them, about.

        Returns
        -------
        list of tuple of int
            First atom of each and the one after its last. One for all where nobody can begin to read within: of packed text, of
            formats that are not one atom a line, and of binary ones.
        """
        place = self.place(step)
        edges = [0, *(first for first, _ in place.marks)]
        edges = edges[:: -(-len(edges) // most)]
        return list(pairwise([*edges, place.natoms]))

    def section(self, step: int, section: tuple[int, int], n_atom: int) -> Iterator[FramePiece]:
        """Read one of the sections of a frame, piece by piece.

        Parameters
        ----------
        step, n_atom
            As in `pieces`.
        section : tuple of int
            Of `sections`.

        Yields
        ------
        FramePiece
            Without a digest where the section is not the whole frame; see `digest`.

        Raises
        ------
        BadDataError, NoInputError
            As `pieces`.
        """
        place = self.place(step)
        if section == (0, place.natoms):
            for _, piece in self.pieces([step], n_atom):
                yield piece
            return
        refuse = self._guard(place.path)
        for piece in read_stretch(place, section, n_atom):
            refuse()
            yield piece

    def stands_apart(self, step: int) -> bool:
        """Whether a frame of text with one atom a line can be read without the text of the frames before it."""
        place = self.place(step)
        return place.reader in LAYOUTS and (bool(place.marks) or place.ordinal == 0)

    def digest(self, step: int) -> str:
        """`Frame.digest` of a frame; of one with several sections from its text, which is not read as numbers."""
        if self.place(step).marks:
            refuse = self._guard(self.place(step).path)
            found = digest_of(self.place(step))
            refuse()
            return found
        *_, (_, last) = self.pieces([step], MARKED)
        return last.digest

    def repeated_id(self, step: int, atom_id: int) -> BadDataError:
        """The error for an id that stands twice in a frame, with its lines.

        Parameters
        ----------
        step : int
        atom_id : int

        Returns
        -------
        BadDataError
            ``E-DUP-ID``.
        """
        place = self.place(step)
        lines = lines_of_id(place, atom_id) if place.reader in LAYOUTS else []
        first = f" (first seen on line {lines[0]})" if lines else ""
        return refusal(
            place,
            f"atom id {atom_id} appears twice in one frame{first}",
            "E-DUP-ID",
            line=lines[1] if len(lines) > 1 else None,
            atom_id=atom_id,
            why="ids must be unique; a restart with 'dump_modify append yes' often causes this",
        )

    def _beside(self, path: str) -> str | None:
        """Topology of a file; the undeformed frame has none."""
        return None if path == self.reference else self.topology

    def _guard(self, path: str) -> Callable[[], None]:
        """Refuse a file that is no longer what it was; what does it again."""
        stamps = {name: self.stamps[name] for name in (path, self._beside(path)) if name in self.stamps}

        def refuse() -> None:
            if not located(path).exists():
                raise NoInputError("the file is no longer there", code="E-NO-FILE", file=path)
            for name, before in stamps.items():
                refuse_changed(name, before)

        refuse()
        return refuse


@dataclass(frozen=True)
class Trajectory(_Places):
    """Frames in order of their timesteps: places only, no open files, so that it can be sent to any worker.

    Attributes
    ----------
    frames : tuple of FrameLocation
    warnings : tuple of ReadWarning
    topology : str or None
        Beside coordinates that MDAnalysis reads.
    stamps : dict of str to tuple of int
        `qsdask.formats.container.stamp` of every file when it was opened.
    reference : str or None
        File of the undeformed frame, where it is one of its own; see `qsdask.formats.reference.open_run`.
    """

    frames: tuple[FrameLocation, ...]
    warnings: tuple[ReadWarning, ...] = ()
    topology: str | None = None
    stamps: dict[str, tuple[int, int, int]] = field(default_factory=dict, hash=False)
    reference: str | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def place(self, step: int) -> FrameLocation:
        """Where a frame stands."""
        return self.frames[step]

    @property
    def units(self) -> str | None:
        """Unit style of LAMMPS, that of all frames; None when neither files nor user say it."""
        return next((place.units for place in self.frames if place.units), None)

    def portion(self, steps: Sequence[int]) -> Portion:
        """Some of the frames, with absolute paths: for a worker, which may stand in another folder.

        Parameters
        ----------
        steps : sequence of int
            The frames. What is sent does not grow with the others.
        """
        topology = self.topology and absolute(self.topology)
        reference = self.reference and absolute(self.reference)
        places = {step: self.frames[step] for step in steps}
        read = {place.path for place in places.values()} | {self.topology}
        return Portion(
            {step: replace(place, path=absolute(place.path)) for step, place in places.items()},
            topology,
            {absolute(path): stamp for path, stamp in self.stamps.items() if path in read},
            reference,
        )

    def read(self, first: int = 0, last: int | None = None, *, digest: bool = True) -> Iterator[Frame]:
        """Read frames ``first`` up to, not including, ``last``.

        Parameters
        ----------
        first, last : int
            As in a slice; all by default.
        digest : bool
            Compute `Frame.digest` of such text; empty otherwise.

        Yields
        ------
        Frame
            In order of the timesteps. One frame is held at a time.

        Raises
        ------
        BadDataError
            ``E-CHANGED`` when a file is no longer what it was when it was opened, and what
            `qsdask.formats.rows.read_frames` and the readers of other formats raise.
        NoInputError
            ``E-NO-FILE`` when a file has gone since.
        """
        for group in _runs(self.frames[first:last]):
            refuse = self._guard(group[0].path)
            for frame in read_locations(group, self._beside(group[0].path), digest=digest):
                refuse()
                yield frame


@dataclass(frozen=True)
class Portion(_Places):
    """Some frames of a trajectory, under the numbers that they have in it.

    Attributes
    ----------
    places : dict of int to FrameLocation
    topology : str or None
    stamps : dict of str to tuple of int
    reference : str or None
        As of `Trajectory`.
    """

    places: dict[int, FrameLocation]
    topology: str | None
    stamps: dict[str, tuple[int, int, int]]
    reference: str | None

    def place(self, step: int) -> FrameLocation:
        """Where a frame stands."""
        return self.places[step]


def _until_whole(found: Iterator[tuple[int, FramePiece]]) -> Iterator[FramePiece]:
    """Pieces of the frame that comes next."""
    for _, piece in found:
        yield piece
        if piece.first + len(piece.id) == piece.header.natoms:
            return


def as_piece(frame: Frame) -> FramePiece:
    """The whole frame as its only piece."""
    header = FrameHeader(
        timestep=frame.timestep,
        natoms=frame.natoms,
        cell=frame.cell,
        origin=frame.origin,
        boundary=frame.boundary,
        convention=frame.convention,
        units=frame.units,
        time=frame.time,
        has_id=frame.has_id,
    )
    return FramePiece(
        header=header,
        first=0,
        line=0,
        id=frame.id,
        position=frame.position,
        type=frame.type,
        element=frame.element,
        resolution=frame.resolution,
        digest=frame.digest,
    )


def _runs(frames: Sequence[FrameLocation]) -> Iterator[list[FrameLocation]]:
    """Cut into stretches of one file each, in the order of the file."""
    group: list[FrameLocation] = []
    for place in frames:
        if group and (group[-1].path != place.path or group[-1].ordinal >= place.ordinal):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def read_locations(
    group: list[FrameLocation],
    topology: str | None,
    *,
    digest: bool = True,
    on_bad: Callable[[QSDaskError], None] | None = None,
) -> Iterator[Frame]:
    """Read frames of one file by the reader that found them."""
    reader = group[0].reader
    if reader in LAYOUTS:
        return read_frames(group, digest=digest, on_bad=on_bad)
    if reader == "binary":
        return read_binary(group, on_bad=on_bad)
    if reader == "gsd":
        return read_gsd(group, on_bad=on_bad)
    if reader == "ase":
        return read_ase(group, on_bad=on_bad)
    return read_universe(group, topology=topology, on_bad=on_bad)
