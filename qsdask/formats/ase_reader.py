"""Extended XYZ, VASP (POSCAR, CONTCAR, XDATCAR) and CIF through ASE, as the same frames.

Frames of extended XYZ are found here, by whole lines: a cut or damaged file is told with its place, compressed
files work, and one frame is read without those before it. ASE then makes sense of the text of that frame.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from xxhash import xxh3_128

from qsdask.errors import BadDataError
from qsdask.files.memory import memory_at_hand
from qsdask.formats.arrays import BadFrame, cell_around, checked_frame, digest_of, elements_of, read_each
from qsdask.formats.ase_package import ase_for
from qsdask.formats.container import TextFile
from qsdask.formats.extxyz import comment_layout, index_extxyz
from qsdask.formats.frame import Frame, FrameLocation, ReadWarning
from qsdask.formats.header import shown
from qsdask.formats.refusal import changed, refusal

__all__ = ["format_of", "index_ase", "read_ase"]

_PACKED = (".gz", ".bz2", ".zst")
#: Memory that VASP and CIF files take, which are read whole, in lengths of their text: 6.5 measured.
_TEXT_COPIES = 6

_XDATCAR_HEADER = 7  # lines; once, or before every frame when the cell changes


def format_of(path: str | os.PathLike, head: bytes) -> str | None:
    """ASE's name of the format of a file, from its name and how its text begins; None when it is not read here."""
    name = os.path.basename(os.fspath(path)).lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    if name.endswith(".extxyz") or (name.endswith(".xyz") and b"Lattice=" in head):
        return "extxyz"
    if name.endswith(".cif"):
        return "cif"
    if name.startswith("xdatcar"):
        return "vasp-xdatcar"
    if name.startswith(("poscar", "contcar")) or name.endswith((".poscar", ".vasp")):
        return "vasp"
    return None


def index_ase(
    path: str | os.PathLike, form: str, *, boundary: tuple[str, str, str] | None = None, strict: bool = False
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a file that ASE reads.

    Parameters
    ----------
    path : path-like
    form : str
        What `format_of` says.
    boundary : tuple of str, optional
        Needed for extended XYZ without ``pbc``, with which it must agree. VASP and CIF are periodic by
        definition; a boundary given here replaces that, for slabs.
    strict : bool
        Refuse a last frame of extended XYZ that is cut, instead of leaving it out with a warning.

    Returns
    -------
    frames : list of FrameLocation
        ``timestep`` is ``Timestep`` (or ``step``) of the comment line of extended XYZ, else the position in
        the file. ``has_id`` when there is a column ``id``, or the format itself keeps the order (XDATCAR).
    warnings : list of ReadWarning
        ``W-NO-STEP``, ``W-TRUNCATED``.

    Raises
    ------
    UsageError
        ``E-EXTRA``: ASE is not installed.
    BadDataError
        ``E-FORMAT``, ``E-HEADER``, ``E-COUNT``, ``E-TRUNCATED``, ``E-BOUNDARY-UNKNOWN``, ``E-BOUNDARY``.
    """
    name = os.fspath(path)
    if form == "extxyz":
        frames, notes, stepless = index_extxyz(name, boundary, strict)
    else:
        notes, stepless = [], True
        frames = [
            FrameLocation(
                path=name,
                ordinal=ordinal,
                offset=0,
                length=0,
                header=0,
                timestep=ordinal,
                natoms=len(atoms),
                line=0,
                boundary=boundary or ("pp", "pp", "pp"),
                convention="wrapped",
                reader="ase",
                has_id=form == "vasp-xdatcar",
                by_order=True,
            )
            for ordinal, atoms in enumerate(_structures(name, form))
        ]
    if not frames:
        raise BadDataError("the file has no frame", code="E-FORMAT", file=path)
    if stepless:
        notes.append(ReadWarning("W-NO-STEP", f"{name}: no timesteps in the file; frames are counted from 0"))
    return frames, notes


def _structures(path, form):
    """All structures of a VASP or CIF file."""
    ase_io = ase_for(path)
    with TextFile(path) as text:
        whole = _text(text, form, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ase_io.read(io.StringIO(whole), index=":", format=form)
    except Exception as error:  # ASE raises whatever its parsers met
        raise BadDataError(
            f"ASE cannot read it as {form}: {type(error).__name__}: {error}", code="E-FORMAT", file=path
        ) from error
    if form == "vasp-xdatcar":
        _refuse_lost_frames(whole, found, path)
    for atoms in found:
        if any(share != 1 for site in atoms.info.get("occupancy", {}).values() for share in site.values()):
            raise BadDataError(
                "sites are occupied only in part: which atom is where, the file does not tell",
                code="E-FORMAT",
                file=path,
            )
    return found


def _refuse_lost_frames(whole, found, path):
    """ASE stops at the first XDATCAR frame that it does not understand, as if it were the end."""
    lines = whole.count("\n")
    titles = sum("configuration=" in line for line in whole.split("\n"))
    headers = lines - len(found) * (1 + len(found[0]) if found else 0)
    if titles != len(found) or headers % _XDATCAR_HEADER or not 0 < headers <= _XDATCAR_HEADER * len(found):
        raise BadDataError(
            f"{len(found)} frames are read; {titles} are announced, and {lines} lines are not as many as they need",
            code="E-COUNT",
            file=path,
            why="the file is cut or damaged",
        )


def _text(text, form, path):
    """The text of a VASP or CIF file, and what ASE would pass over in silence."""
    data = bytearray()
    block = memoryview(bytearray(1 << 20))
    most = memory_at_hand() // _TEXT_COPIES
    while n := text.readinto(block):
        data += block[:n]
        if len(data) > most:
            raise BadDataError(
                f"the text is longer than {most / 1e9:.3g} GB, more than fits into memory as a whole",
                code="E-MEMORY",
                file=path,
                why=f"files of {form} are read whole, into some {_TEXT_COPIES} times their length",
                hint="convert it to a LAMMPS dump or extended XYZ, or use a computer with more memory",
            )
    whole = data.decode("utf-8", "replace")
    lines = whole.split("\n", 7)
    if form.startswith("vasp") and len(lines) > 5 and lines[5].split()[:1] and lines[5].split()[0].isdigit():
        raise BadDataError(
            "the file does not name its elements",
            code="E-SPECIES",
            file=path,
            line=6,
            why="it was written by VASP 4",
            hint="put a line with the elements before that with their numbers",
        )
    if form.startswith("vasp"):
        _refuse_counts(whole, path)
    if form == "vasp-xdatcar" and not whole.endswith("\n"):
        raise BadDataError("the last frame is cut: the last line has no newline", code="E-TRUNCATED", file=path)
    return whole


def _refuse_counts(whole, path):
    """Refuse more atoms than the text has lines: ASE makes room for all that a header says."""
    lines = whole.split("\n")
    counts = {6, *(row - 1 for row, line in enumerate(lines) if "configuration=" in line)}
    for row in sorted(counts & set(range(len(lines)))):
        words = lines[row].split()
        if all(map(str.isdecimal, words)) and sum(int(word[:20]) for word in words) > len(lines):
            raise BadDataError(
                f"the header says {' '.join(words)[:60]} atoms, but the file has only {len(lines)} lines",
                code="E-COUNT",
                file=path,
                line=row + 1,
                why="the file is cut or damaged",
            )


def read_ase(locations: Sequence[FrameLocation], *, on_bad: BadFrame | None = None) -> Iterator[Frame]:
    """Read frames of one file that `index_ase` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file.
    on_bad : callable, optional
        Called with the error of a frame that cannot be used, which is then left out; without it the error is
        raised.

    Yields
    ------
    Frame
        Without a cell and without a periodic axis the cell is the box that holds all atoms.

    Raises
    ------
    UsageError
        ``E-EXTRA``.
    BadDataError
        ``E-FORMAT``, ``E-LINE`` (a line has more or fewer columns), ``E-NUMBER``, ``E-BOX``, ``E-DUP-ID``,
        ``E-CHANGED``.
    """
    if not locations:
        return
    path = locations[0].path
    if locations[0].length:
        with TextFile(path) as text:
            yield from read_each(locations, lambda place: _read_extxyz(text, place), on_bad)
        return
    found = _structures(path, format_of(path, b""))

    def read_one(place):
        if len(found) <= place.ordinal or len(found[place.ordinal]) != place.natoms:
            raise changed(place)
        atoms = found[place.ordinal]
        digest = digest_of(atoms.positions, atoms.cell.array, atoms.numbers)
        return _frame(atoms, place, np.arange(1, place.natoms + 1), digest)

    yield from read_each(locations, read_one, on_bad)


def _read_extxyz(text, place):
    data = bytearray(place.length)
    text.pass_to(place.offset)
    if text.readinto(memoryview(data)) < place.length:
        raise changed(place)
    whole = data.decode("utf-8", "replace")
    lines = whole.split("\n")[:-1]  # only newlines part lines, as where they were counted
    extxyz = ase_for(place.path).extxyz
    _refuse_other_widths(lines, comment_layout(extxyz.key_val_str_to_dict(lines[1].strip())), place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = next(iter(extxyz.read_xyz(io.StringIO(whole), index=0)))
    except Exception as error:  # ASE raises whatever its parser met
        raise refusal(
            place, f"ASE cannot read the frame: {type(error).__name__}: {error}", "E-FORMAT", line=place.line
        ) from error
    identity = np.arange(1, place.natoms + 1)
    if place.has_id:
        identity = np.asarray(atoms.arrays.get("id"))
        if identity.dtype.kind != "i" or identity.ndim != 1:
            raise refusal(place, "column 'id' needs whole numbers (id:I:1)", "E-NUMBER")
    return _frame(atoms, place, identity.astype(np.int64), xxh3_128(data).hexdigest())


def _refuse_other_widths(lines, layout, place):
    """ASE leaves out what stands beyond the announced columns."""
    try:
        width = sum(map(int, layout[2::3]))
    except ValueError:
        width = 0
    if not width or len(layout) % 3:
        raise refusal(place, f"cannot read Properties={':'.join(layout)}", "E-HEADER", line=place.line + 1)
    for row, line in enumerate(lines[2:], start=2):
        n = len(line.split())
        if n != width:
            raise refusal(
                place,
                f"the line has {n} columns, {width} are announced: {shown(line.encode())}",
                "E-LINE",
                line=place.line + row,
            )


def _frame(atoms, place, identity, digest):
    cell, origin = atoms.cell.array, np.zeros(3)
    if not cell.any():
        cell, origin = cell_around(place, atoms.positions)
    else:
        origin = np.asarray(atoms.info.get("Origin", origin), np.float64)
        if origin.shape != (3,):
            raise refusal(place, "Origin needs three numbers", "E-HEADER", line=place.line or None)
    if not atoms.numbers.all():
        raise refusal(place, "an atom has no element (X)", "E-NAME", atom_id=int(identity[np.argmin(atoms.numbers)]))
    return checked_frame(
        place,
        cell=np.array(cell, np.float64),
        origin=origin,
        id=identity,
        position=np.array(atoms.positions, np.float64),
        element=elements_of(atoms.get_chemical_symbols()),
        digest=digest,
        line=place.line + 2 if place.line else None,  # of extended XYZ: behind count and comment
    )
