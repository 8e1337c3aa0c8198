"""Opening a trajectory: which files, in which format, in which order, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from qsdask.errors import BadDataError, NoInputError, QSDaskError, UsageError
from qsdask.files.location import in_bucket, located
from qsdask.formats.ase_reader import format_of, index_ase
from qsdask.formats.atomeye import index_atomeye, is_atomeye
from qsdask.formats.binary import index_binary, is_binary
from qsdask.formats.container import sniff, stamp
from qsdask.formats.data import index_data, is_data
from qsdask.formats.frame import FrameLocation, ReadWarning, boundary_flags
from qsdask.formats.gsd_reader import index_gsd, is_gsd
from qsdask.formats.index import index_frames
from qsdask.formats.mda import index_universe, is_known
from qsdask.formats.refusal import refusal, refuse_many
from qsdask.formats.rmcprofile import index_rmc6f, is_rmc6f
from qsdask.formats.sequence import in_sequence, numbered, refuse_unlike
from qsdask.formats.trajectory import Trajectory, read_locations
from qsdask.formats.unread import refuse_unread
from qsdask.formats.yaml_dump import index_yaml, is_yaml

__all__ = ["open_trajectory"]


#: What dumps are mostly called; only to say which ones a folder holds.
_DUMPS = ("*.dump*", "dump.*", "*.lammpstrj*", "*.extxyz*")


def open_trajectory(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    boundary: str | None = None,
    units: str | None = None,
    strict: bool = False,
    topology: str | os.PathLike | None = None,
    columns: str | None = None,
    assume_order: bool = False,
    restart_overlap: str = "error",
    skip_bad_frames: bool = False,
    max_errors: int = 20,
    on_bad: Callable[[QSDaskError], None] | None = None,
) -> Trajectory:
    """Find and check all frames of one or more files; atoms are read later, by any process.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        LAMMPS dumps (text, plain or packed, of style custom, yaml or cfg, or binary), LAMMPS data files, AtomEye
        configurations, rmc6f of RMCProfile, and GSD, recognised by content; extended XYZ, VASP and CIF files through ASE,
        and what MDAnalysis reads, recognised by name; with one frame or many. Their order does not matter: the timesteps
        within count.
    boundary : str, optional
        See `qsdask.formats.frame.boundary_flags`. Needed when the files do not say it.
    units : str, optional
        Unit style of LAMMPS, see `qsdask.units`; ``metal`` when neither the user nor the files say it.
    strict : bool
        Refuse a cut last frame instead of leaving it out with a warning.
    topology : path-like, optional
        For coordinates without atom names (DCD, XTC, NetCDF).
    columns : str, optional
        Names of the columns of binary dumps and data files that do not name them; see
        `qsdask.formats.binary.index_binary` and `qsdask.formats.data.index_data`.
    assume_order : bool
        Atoms without ids stand in the same order in every frame, and files without timesteps are given in
        their order.
    restart_overlap : {"error", "last"}
        Whether a timestep that goes back is refused, or what was written later replaces what was written before
        from that timestep on.
    skip_bad_frames : bool
        Leave out frames that cannot be used, with a warning each, instead of refusing the first. All content is read
        once for that. In text dumps any damage; in the other formats numbers that cannot be used.
    max_errors : int
        Bad frames that are left out at most.
    on_bad : callable, optional
        Takes the errors of frames whose header or length is wrong, and they are left out: for those who look for
        all errors. Their content is not read here.

    Returns
    -------
    Trajectory
        Its warnings: ``W-TRUNCATED``, ``W-BAD-FRAME``, ``W-DUP-STEP``, ``W-OVERLAP``, ``W-ASSUMED-ORDER``,
        ``W-COLUMNS``, ``W-FLOAT32``, ``W-NO-STEP``, ``W-NAME-STEP``.

    Raises
    ------
    UsageError
        ``E-BOUNDARY``, ``E-OPTION``, ``E-EXTRA``, or ``E-NO-FILE`` for an empty list.
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-FRAMES`` (more than 10,000), ``E-STEP-ORDER`` (a timestep twice with other content, or going back),
        ``E-PIECES``, ``E-NO-ID`` (more than one frame, and atoms without ids), ``E-CONVENTION`` (wrapped and unwrapped
        frames mixed), ``E-BOUNDARY`` (a periodic axis becomes free), ``E-UNITS`` (they change, or are not
        those given), ``E-BAD-FRAMES`` (more than
        ``max_errors``), and those of the
        readers. A first frame that is bad is always refused: all others are compared with it.
    """
    names = [os.fspath(paths)] if isinstance(paths, str | os.PathLike) else [str(p) for p in paths]
    if not names:
        raise UsageError("no input file is given", code="E-NO-FILE")
    if restart_overlap not in ("error", "last"):
        raise UsageError(f"restart_overlap is 'error' or 'last', not {restart_overlap!r}", code="E-OPTION")
    flags = None if boundary is None else boundary_flags(boundary)
    topology = None if topology is None else os.fspath(topology)
    bad = _BadFrames(max_errors) if skip_bad_frames else None
    for name in names if topology is None else [*names, topology]:
        _refuse_no_file(name)
    stamps = {name: stamp(name) for name in ([*names, topology] if topology else names)}
    files, notes, n_frame = [], [], 0
    for name in names:
        found, more = _index(name, flags, strict, topology, columns, units, on_bad or bad)
        _refuse_other_units(found, units)
        files.append(found)
        notes.extend(more)
        n_frame += len(found)
        refuse_many(n_frame, name)
    stepless = {note.text for note in notes if note.code == "W-NO-STEP"}
    if bad is not None:
        files = bad.without(files, topology)
        notes.extend(bad.warnings())
    if len(files) > 1 and len(stepless) == len(set(names)):
        files, more = numbered(files, assume_order)
        notes = [note for note in notes if note.code != "W-NO-STEP" or assume_order]
        notes.extend(more)
    frames, more = in_sequence(
        files, lambda place: next(read_locations([place], topology, digest=False)), overlap=restart_overlap
    )
    notes.extend(more)
    notes.extend(refuse_unlike(frames, assume_order=assume_order))
    return Trajectory(tuple(frames), tuple(notes), topology, stamps)


def _refuse_no_file(name: str) -> None:
    folder = located(name)
    if folder.is_dir():
        dumps = sorted(map(str, {p for kind in _DUMPS for p in (*folder.glob(kind), *folder.glob(f"*/{kind}"))}))
        more = f"; there are {len(dumps) - 1} more" if len(dumps) > 1 else ""
        raise NoInputError(
            "the input file is a folder, not a file",
            code="E-NO-FILE",
            file=name,
            hint=f"name a file: {dumps[0]}{more}" if dumps else "name a trajectory file; no dump is in this folder",
        )
    if not folder.is_file():
        raise NoInputError("the input file is not there", code="E-NO-FILE", file=name)


def _refuse_in_bucket(*names: str | None) -> None:
    """Refuse what other packages read: they open files of this machine only."""
    for name in names:
        if name is not None and in_bucket(name) is not None:
            raise UsageError(
                "files of this format are read on a disk, not in a bucket",
                code="E-BUCKET",
                file=name,
                why="the package that reads them opens files by their path",
                hint="copy it here first; text dumps, plain or packed, data files and binary dumps are read where they are",
            )


def _refuse_other_units(frames: Sequence[FrameLocation], given: str | None) -> None:
    """Refuse a file that names other units than the user does."""
    for place in frames:
        if given is not None and place.units != given:
            raise refusal(
                place,
                f"the units given are {given!r}, the file says {place.units!r}",
                "E-UNITS",
                line=place.line or None,
                hint="leave the units out to use those of the file",
            )


def _index(name, flags, strict, topology, columns, units, bad):
    """Frames and warnings of one file, by the reader that its content or name asks for."""
    _, head = sniff(name)
    if topology is not None or is_gsd(head):
        _refuse_in_bucket(name, topology)
    if topology is not None:
        refuse_unread(name, head, topology=True)
        return _in_units(units, index_universe(name, topology=topology, boundary=flags))
    if is_binary(head):
        return index_binary(name, boundary=flags, strict=strict, columns=columns, units=units)
    if is_gsd(head):
        return _in_units(units, index_gsd(name, boundary=flags))
    refuse_unread(name, head)
    if b"ITEM:" not in head[:1024]:
        if is_yaml(head):
            return index_yaml(name, boundary=flags, strict=strict, units=units)
        if is_atomeye(head):
            return index_atomeye(name, boundary=flags, units=units)
        if is_rmc6f(head):
            return index_rmc6f(name, boundary=flags, units=units)
        if is_data(head):
            return index_data(name, boundary=flags, columns=columns, units=units)
        form = format_of(name, head)
        if form is not None or is_known(name):
            _refuse_in_bucket(name)
        if form is not None:
            return _in_units(units, index_ase(name, form, boundary=flags, strict=strict))
        if is_known(name):
            return _in_units(units, index_universe(name, topology=None, boundary=flags))
    try:
        return index_frames(name, boundary=flags, strict=strict, units=units, on_bad=bad)
    except QSDaskError as error:
        if not isinstance(bad, _BadFrames) or error not in bad.errors:
            raise
        return [], []  # no good frame in this file


def _in_units(units, found):
    """Frames of a format that mostly names no units, with those that the user names."""
    frames, notes = found
    return [replace(place, units=place.units or units) for place in frames], notes


class _BadFrames:
    """Errors of frames that are left out."""

    def __init__(self, most: int) -> None:
        self.errors: list[QSDaskError] = []
        self.most = most

    def __call__(self, error: QSDaskError) -> None:
        self.errors.append(error)
        if len(self.errors) > self.most:
            raise BadDataError(
                f"more than {self.most} frames are bad; the last one: {error.code}: {error.message}",
                code="E-BAD-FRAMES",
                file=error.file,
                frame=error.frame,
                timestep=error.timestep,
                line=error.line,
                hint="'qsdask check' lists them; dump again, or leave the damaged part of the file out",
            )

    def without(self, files: list[list[FrameLocation]], topology: str | None) -> list[list[FrameLocation]]:
        """The frames whose content can be read, of the files that have any."""
        kept = []
        for file in files:
            if file:
                for _ in read_locations(file, topology, digest=False, on_bad=self):
                    pass
            left_out = {(error.file, error.frame) for error in self.errors}
            file = [place for place in file if (place.path, place.ordinal) not in left_out]
            if file:
                kept.append(file)
        self._refuse_bad_first(kept)
        return kept

    def _refuse_bad_first(self, files):
        """A bad frame that may be the first of all: then the next one would pass for the undeformed glass."""
        first = min((file[0] for file in files), key=lambda place: place.timestep, default=None)
        for error in self.errors:
            early = first is None or (error.timestep is not None and error.timestep < first.timestep)
            if error.timestep is None:
                own = next((file[0].ordinal for file in files if file[0].path == error.file), None)
                early = own is None or error.frame is None or error.frame < own
            if early:
                raise error

    def warnings(self) -> list[ReadWarning]:
        """``W-BAD-FRAME`` with code, place and message of each."""
        return [
            ReadWarning("W-BAD-FRAME", f"{e.file}: frame {e.place()}: {e.code}: {e.message}; left out")
            for e in self.errors
        ]
