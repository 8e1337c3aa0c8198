"""Files in, one ordered trajectory out: many frames in a file, one frame per file, or both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.formats.container import sniff
from qsdask.formats.frame import Frame, FrameLocation, ReadWarning, boundary_flags, periodic_axes
from qsdask.formats.lammps import index_frames, read_frames
from qsdask.formats.mda import index_universe, is_known, read_universe

__all__ = ["Trajectory", "open_trajectory"]


@dataclass(frozen=True)
class Trajectory:
    """Frames in order of their timesteps: places only, no open files, so that it can be sent to any worker.

    Attributes
    ----------
    frames : tuple of FrameLocation
    warnings : tuple of ReadWarning
    topology : str or None
        Beside coordinates that MDAnalysis reads.
    """

    frames: tuple[FrameLocation, ...]
    warnings: tuple[ReadWarning, ...] = ()
    topology: str | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, first: int = 0, last: int | None = None, *, digest: bool = True) -> Iterator[Frame]:
        """Read frames ``first`` up to, not including, ``last``.

        Parameters
        ----------
        first, last : int
            As in a slice; all by default.
        digest : bool
            Compute `Frame.digest` of text dumps, a quarter to a third of the time; empty otherwise.

        Yields
        ------
        Frame
            In order of the timesteps. One frame is held at a time.

        Raises
        ------
        BadDataError
            See `qsdask.formats.lammps.read_frames` and `qsdask.formats.mda.read_universe`.
        NoInputError
            ``E-NO-FILE`` when a file has gone since it was indexed.
        """
        for group in _runs(self.frames[first:last]):
            path = group[0].path
            if not os.path.exists(path):
                raise NoInputError("the file is no longer there", code="E-NO-FILE", file=path)
            if group[0].reader == "mda":
                yield from read_universe(group, topology=self.topology)
            else:
                yield from read_frames(group, digest=digest)


def _runs(frames):
    """Cut into stretches of one file each."""
    group: list[FrameLocation] = []
    for place in frames:
        if group and group[-1].path != place.path:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def open_trajectory(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    boundary: str | None = None,
    strict: bool = False,
    topology: str | os.PathLike | None = None,
) -> Trajectory:
    """Find and check all frames of one or more files; atoms are read later, by any process.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        LAMMPS text dumps (plain or gzip, told by content) or files that MDAnalysis reads (told by name),
        with one frame or many. Their order does not matter: the timesteps within count.
    boundary : str, optional
        See `qsdask.formats.frame.boundary_flags`. Needed when the files do not say it.
    strict : bool
        Refuse a cut last frame instead of leaving it out with a warning.
    topology : path-like, optional
        For coordinates without atom names (DCD, XTC, NetCDF).

    Returns
    -------
    Trajectory

    Raises
    ------
    UsageError
        ``E-BOUNDARY``, or ``E-NO-FILE`` for an empty list.
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-STEP-ORDER`` (a timestep twice, or going back within a file), ``E-CONVENTION`` (wrapped and
        unwrapped frames mixed), ``E-BOUNDARY`` (a periodic axis becomes free), ``E-UNITS``, and those of
        `qsdask.formats.lammps.index_frames` and `qsdask.formats.mda.index_universe`.
    """
    names = [os.fspath(paths)] if isinstance(paths, str | os.PathLike) else [os.fspath(p) for p in paths]
    if not names:
        raise UsageError("no input file is given", code="E-NO-FILE")
    flags = None if boundary is None else boundary_flags(boundary)
    files, notes = [], []
    for name in names:
        found, more = _index(name, flags, strict, topology)
        files.append(found)
        notes.extend(more)
    if len(files) > 1 and all(len(found) == 1 and found[0].timestep == 0 for found in files):
        same = files[0][0]
        if same.reader == "mda":
            raise BadDataError(
                "several files of one frame each, and none has a timestep",
                code="E-STEP-ORDER",
                file=files[1][0].path,
                hint="convert them to LAMMPS dumps, which carry a timestep",
            )
    files.sort(key=lambda found: found[0].timestep)
    frames = tuple(place for found in files for place in found)
    for before, after in pairwise(frames):
        _compare(before, after)
    return Trajectory(frames, tuple(notes), None if topology is None else os.fspath(topology))


def _index(name, flags, strict, topology):
    if not os.path.isfile(name):
        what = "is a folder, not a file" if os.path.isdir(name) else "is not there"
        raise NoInputError(f"the input file {what}", code="E-NO-FILE", file=name)
    if topology is None:
        _, head = sniff(name)
        if b"ITEM:" in head[:1024] or not is_known(name):
            return index_frames(name, boundary=flags, strict=strict)
    return index_universe(name, topology=topology, boundary=flags)


def _compare(before: FrameLocation, after: FrameLocation) -> None:
    """Refuse two frames that cannot follow each other in one trajectory."""

    def refuse(message, code, **more):
        return BadDataError(
            message,
            code=code,
            file=after.path,
            frame=after.ordinal,
            timestep=after.timestep,
            line=after.line or None,
            **more,
        )

    where = f"frame {before.ordinal} of {before.path}"
    if after.timestep <= before.timestep:
        what = "appears twice" if after.timestep == before.timestep else "goes back"
        raise refuse(
            f"timestep {after.timestep} {what}: {where} has timestep {before.timestep}",
            "E-STEP-ORDER",
            why="a restart wrote again what was there, or files of different runs are mixed",
            hint="leave out the file or the frames that stand twice",
        )
    if after.convention != before.convention:
        raise refuse(
            f"coordinates are {after.convention}, in {where} they are {before.convention}", "E-CONVENTION"
        )
    if (periodic_axes(after.boundary) != periodic_axes(before.boundary)).any():
        raise refuse(
            f"the boundary is {' '.join(after.boundary)}, in {where} it is {' '.join(before.boundary)}",
            "E-BOUNDARY",
        )
    if after.units and before.units and after.units != before.units:
        raise refuse(f"units are {after.units!r}, in {where} they are {before.units!r}", "E-UNITS")
