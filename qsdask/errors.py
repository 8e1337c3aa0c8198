"""Every error a user can meet: one cause, one stable code, one exit status, and what to do.

The message of an error is written for the person at the terminal::

    qsdask: error E-DUP-ID: atom id 4711 appears twice in one frame
      file    run7.dump.gz
      frame   17 (TIMESTEP 340000), line 1175204
      why     ids must be unique; a restart with 'dump_modify append yes' often causes this
      try     qsdask ingest --skip-bad-frames
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "BadDataError",
    "CannotCreateError",
    "InternalError",
    "NoInputError",
    "QSDaskError",
    "ResumableError",
    "StoreIOError",
    "UsageError",
    "of_os_error",
    "storage_errors",
]

#: What the system says when there is no more room: disk, quota, size limit of a file.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

#: What NumPy says instead, without the system's number, when less was written than asked for.
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")

#: What the system says when we may not write.
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class QSDaskError(Exception):
    """Base of every error that qsdask raises on purpose.

    Parameters
    ----------
    message : str
        What was expected and what came, with name and value.
    code : str
        Stable code such as ``"E-DUP-ID"``; scripts may rely on it.
    file, frame, timestep, line, atom_id : optional
        The place of the fault, as far as it is known.
    why : str, optional
        The usual cause.
    hint : str, optional
        What to do, best as a command to type.
    """

    #: Exit status of the ``qsdask`` command (sysexits.h).
    exit_status = 70

    def __init__(
        self,
        message: str,
        *,
        code: str,
        file: object = None,
        frame: int | None = None,
        timestep: int | None = None,
        line: int | None = None,
        atom_id: int | None = None,
        why: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.file = None if file is None else str(file)
        self.frame = frame
        self.timestep = timestep
        self.line = line
        self.atom_id = atom_id
        self.why = why
        self.hint = hint

    def __reduce__(self):
        """Travel between Dask processes with every field."""
        return (_rebuild, (type(self), self.message, {k: v for k, v in self.__dict__.items() if k != "message"}))

    def __str__(self) -> str:
        return self.render()

    def as_json(self) -> dict:
        """Every field that is known, as plain values."""
        return {name: value for name, value in self.__dict__.items() if value is not None}

    def place(self) -> str:
        """Frame, timestep, line and atom id in one phrase, empty when unknown."""
        parts = []
        if self.frame is not None:
            parts.append(f"{self.frame}" + (f" (TIMESTEP {self.timestep})" if self.timestep is not None else ""))
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.atom_id is not None:
            parts.append(f"atom id {self.atom_id}")
        return ", ".join(parts)

    def render(self) -> str:
        """The full text shown to the user, one fact a line."""
        rows = [
            ("file", None if self.file is None else _printable(self.file)),
            ("frame" if self.frame is not None else "place", self.place() or None),
            ("why", self.why),
            ("try", self.hint),
        ]
        lines = [f"error {self.code}: {_printable(self.message)}"]
        lines += [f"  {label:<7} {text}" for label, text in rows if text]
        return "\n".join(lines)


class UsageError(QSDaskError):
    """The call itself is wrong: unknown option, value out of range, stages in the wrong order."""

    exit_status = 64


class BadDataError(QSDaskError):
    """The input was read and is not what it must be."""

    exit_status = 65


class NoInputError(QSDaskError):
    """An input file, store or model is not there."""

    exit_status = 66


class InternalError(QSDaskError):
    """A fault of qsdask itself."""

    exit_status = 70


class CannotCreateError(QSDaskError):
    """An output cannot be created, or exists and would be changed."""

    exit_status = 73


class StoreIOError(QSDaskError):
    """Reading or writing failed, or what is stored is damaged."""

    exit_status = 74


class ResumableError(QSDaskError):
    """Stopped before the end; the same command goes on from there."""

    exit_status = 75


def of_os_error(error: OSError, path: object = None) -> QSDaskError:
    """The refusal for a failure of the file system.

    Parameters
    ----------
    error : OSError
        What the system said.
    path : path-like, optional
        Place to name when the error names none.

    Returns
    -------
    QSDaskError
        ``E-DISK-FULL`` (resumable), ``E-NOT-WRITABLE``, or ``E-IO``.
    """
    place = error.filename or path
    if error.errno in _FULL or _SHORT_WRITE.fullmatch(str(error)):
        return ResumableError(
            f"no room to write: {error.strerror or error}; {_free(place)} bytes are free",
            code="E-DISK-FULL",
            file=place,
            why="the disk, its inodes, a quota or the limit on the size of a file",
            hint="make room, then run the same command again: it goes on where it was",
        )
    if error.errno in _FORBIDDEN:
        return CannotCreateError(
            f"cannot write here: {error.strerror}", code="E-NOT-WRITABLE", file=place, hint="choose another place"
        )
    return StoreIOError(
        f"the file system failed: {error.strerror or error}",
        code="E-IO",
        file=place,
        hint="run the same command again; if it stays, look at the disk",
    )


@contextmanager
def storage_errors(path: object) -> Iterator[None]:
    """Turn failures of the file system inside the ``with`` into refusals; see `of_os_error`."""
    try:
        yield
    except OSError as error:
        raise of_os_error(error, path) from None


def _free(place: object) -> int:
    """Bytes free at a place or at the nearest folder above it that exists; 0 when that cannot be told."""
    folder = Path(str(place or ".")).absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _rebuild(cls, message, fields):
    error = cls(message, code=fields.pop("code"))
    error.__dict__.update(fields)
    return error


def _printable(text: str) -> str:
    """Show control characters as escapes, so that a file name cannot steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n" else c.encode("unicode_escape").decode() for c in text)
