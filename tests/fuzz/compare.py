"""One damaged file through qsdask and through the reference: do they agree?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from qsdask.errors import QSDaskError
from qsdask.formats.opening import open_trajectory
from tests.fuzz import reference

__all__ = ["FAILURES", "OUTCOMES", "compare"]

OUTCOMES = ("equal", "both refuse", "stricter", "mismatch", "no place", "exception", "hang", "crash")
#: Outcomes that are faults. "stricter" is none: qsdask refuses, with a place, what the format would allow.
FAILURES = OUTCOMES[3:]

PIECES = 4  # into which a frame is cut, about

#: Faults of the whole file or of its container, which no line can name.
WHOLE_FILE = {"E-FORMAT", "E-GZIP", "E-ZSTD", "E-BZIP2"}


def compare(path: Path, data: bytes) -> tuple[str, str]:
    """Outcome and what was found, for one file.

    Parameters
    ----------
    path : Path
        Holds ``data``.
    data : bytes

    Returns
    -------
    outcome : str
        One of `OUTCOMES`; ``"both refuse"`` also when the file is cut and qsdask refuses it.
    detail : str
        What each of them says.
    """
    try:
        expected = reference.read(data)
        says = f"reads {len(expected.frames)} frames, cut: {expected.cut}"
    except reference.Refused as error:
        expected, says = None, f"refuses: {error}"
    try:
        trajectory = open_trajectory(path)
        frames = _frames(trajectory)
    except QSDaskError as error:
        detail = f"reference {says}\nqsdask {error}"
        if error.file != str(path) or (error.line is None and error.code not in WHOLE_FILE):
            return "no place", detail
        fault = _fault_of_what_is_left(path, data)
        if fault:
            return "mismatch", f"{detail}\n{fault}"
        return "both refuse" if expected is None or expected.cut else "stricter", detail
    except Exception as error:
        return "exception", f"reference {says}\nqsdask raised {type(error).__name__}: {error}"
    codes = {warning.code for warning in trajectory.warnings}
    detail = f"reference {says}\nqsdask reads {len(frames)} frames, warnings {sorted(codes)}"
    if expected is None:
        return "mismatch", detail
    if expected.cut != ("W-TRUNCATED" in codes):
        return "mismatch", detail
    if len(frames) != len(expected.frames):
        return "mismatch", detail
    for k, (got, wanted) in enumerate(zip(frames, expected.frames, strict=True)):
        fault = _difference(got, wanted)
        if fault:
            return "mismatch", f"{detail}\nframe {k}: {fault}"
    return "equal", detail


def _frames(trajectory):
    """All frames, whole; read in pieces they must be the same, or be refused too."""
    try:
        frames = list(trajectory.read())
    except QSDaskError as error:
        try:
            for _ in _pieces(trajectory):
                pass
        except QSDaskError:  # of several faults, whole and pieces may meet another first
            raise error from None
        if error.code == "E-DUP-ID":  # between pieces the caller compares ids
            raise
        raise AssertionError(f"refused only when read whole: {error}") from None
    pieces = [[] for _ in frames]
    for step, piece in _pieces(trajectory):
        pieces[step].append(piece)
    for frame, parts in zip(frames, pieces, strict=True):
        assert _bits(np.concatenate([p.position for p in parts])) == _bits(frame.position)
        assert np.concatenate([p.id for p in parts]).tolist() == frame.id.tolist()
        assert (parts[-1].digest, parts[0].header.timestep) == (frame.digest, frame.timestep)
    return frames


def _pieces(trajectory):
    n_atom = max(place.natoms for place in trajectory.frames) // PIECES + 1
    return trajectory.pieces(range(len(trajectory)), n_atom)


def _fault_of_what_is_left(path, data):
    """Bad frames left out on request: the others must be what their stretch of the text says, alone."""
    try:
        trajectory = open_trajectory(path, skip_bad_frames=True, max_errors=1000)
        frames = list(trajectory.read())
        text = reference.unpacked(data)
    except (QSDaskError, reference.Refused):  # nothing is left, or nothing to hold it against
        return None
    for place, got in zip(trajectory.frames, frames, strict=True):
        try:
            (wanted,) = reference.read(text[place.offset : place.offset + place.length]).frames
        except reference.Refused as error:
            return f"frame {place.ordinal} is kept, the reference refuses it: {error}"
        fault = _difference(got, dataclasses.replace(wanted, units=got.units))
        if fault:
            return f"frame {place.ordinal} is kept, and differs: {fault}"
    return None


def _difference(got, wanted):
    """The first field in which two frames differ, bit for bit; None when none does."""
    element = None if got.element is None else [got.element.name[k] for k in got.element.code]
    pairs = {
        "timestep": (got.timestep, wanted.timestep),
        "natoms": (got.natoms, wanted.natoms),
        "boundary": (got.boundary, wanted.boundary),
        "convention": (got.convention, wanted.convention),
        "units": (got.units, wanted.units),
        "time": (got.time, wanted.time),
        "id": (got.id.tolist(), wanted.id),
        "type": (None if got.type is None else got.type.tolist(), wanted.type),
        "element": (element, wanted.element),
        "cell": (_bits(got.cell), _bits(wanted.cell)),
        "origin": (_bits(got.origin), _bits(wanted.origin)),
    }
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            return f"{name} is {ours}, reference {theirs}"
    theirs = np.array(wanted.position)
    if wanted.scaled:
        # A product of matrices: the order of its sums is not laid down.
        scale = np.abs(wanted.cell).max() * max(1.0, np.abs(got.position).max()) + np.abs(wanted.origin).max()
        same = got.position.shape == theirs.shape and np.abs(got.position - theirs).max() <= 1e-13 * scale
    else:
        same = _bits(got.position) == _bits(theirs)
    return None if same else f"positions differ:\n{got.position}\nreference\n{theirs}"


def _bits(values):
    return np.asarray(values, np.float64).tobytes()
