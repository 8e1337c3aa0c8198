"""The undeformed frame as rows of a store, without anybody who holds all its atoms.

1. Every section of the file is looked at: which types and elements there are, which part of the box is filled, and a sample of
   the atoms, which is chosen by their ids.
2. The sample tells along which axes the frame is cut, and brackets of the places (`qsdask.space.cuts`). A pass over the text
   counts the atoms beside the brackets and collects those within; then the cuts are exact. A bracket that misses is found out,
   made wider, and counted again.
3. Another pass puts the atoms into files, part by part.
4. Every part is cut further in the memory of one task, down to the domains, and gets its rows.
5. The rows are brought into the order of the ids, slice by slice: the table that later frames are compared with.

A frame of few atoms is one part: the first pass leaves them for step 4. All that a task makes lies in a scratch folder with a
receipt, so that a run that was killed goes on behind the last one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from qsdask.files.durable import write_durable
from qsdask.formats.continuity import oddities
from qsdask.formats.copies import Partners, copies_of
from qsdask.formats.frame import Frame, ReadWarning
from qsdask.formats.reference import tells_species, undeformed
from qsdask.formats.trajectory import Portion, Trajectory
from qsdask.intake.parting import Counted, counted, parted, resolved
from qsdask.intake.rows import Part, bordering, met_in, part_arranged, slice_written
from qsdask.intake.rowtable import SLICE, RowTable, Slice, slice_cuts
from qsdask.intake.soundness import Pair, refuse_overlap
from qsdask.intake.survey import HeldFrame, Survey, looked, sample_of, surveyed, waiting_of
from qsdask.space.cuts import Cuts, RepeatedIdError, Sample, planned, sizes_of
from qsdask.space.domains import EXTENTS, Rule

__all__ = ["TABLE", "Arranged", "Each", "Passes", "in_turn", "kept", "mark_folder", "once", "survey_of"]

#: Folder of the table of rows, in the scratch folder.
TABLE = "table"

#: Sections of a frame that are read apart from one another, at most: enough for all workers of a large cluster, few enough for
#: the files that they leave.
_SECTIONS = 512

#: Factor by which brackets get wider when one has missed.
_WIDER = 8

#: What is left from work with other rules of this file is no use.
_LAYOUT = 1


class Each(Protocol):
    """Runs tasks, each of them a name, a callable and its arguments, as `once` does; their results in the same order."""

    def __call__(self, label: str, tasks: Sequence[tuple]) -> list[Any]: ...


def once(folder: str, name: str, work: Callable, *arguments: object) -> tuple[str, Any]:
    """Do a task whose receipt is not there yet.

    Parameters
    ----------
    folder : str
        Where receipts lie.
    name : str
        Of the task.
    work : callable
        Leaves its files, and returns what can be written as JSON.
    *arguments : object
        Of the work.

    Returns
    -------
    name : str
    result : object
        As JSON has it, whether it was done now or before.
    """
    if not kept(folder, name):
        write_durable(Path(folder) / f"{name}.json", json.dumps([work(*arguments)]).encode())
    return name, kept(folder, name)[0]


def kept(folder: str, name: str) -> list:
    """The result of a task as its receipt has it, in a list of one; an empty list where there is no receipt."""
    receipt = Path(folder) / f"{name}.json"
    return json.loads(receipt.read_bytes()) if receipt.is_file() else []


def in_turn(folder: Path) -> Each:
    """Runs tasks in this process, one after the other; their receipts lie in a folder."""

    def each(label: str, tasks: Sequence[tuple]) -> list[Any]:
        return [once(str(folder), *task)[1] for task in tasks]

    return each


def mark_folder(folder: Path, identity: object) -> None:
    """Make a folder for a piece of work, which its identity tells from others; what others have left there is removed."""
    mark = hashlib.blake2b(repr(identity).encode(), digest_size=16).hexdigest()
    marked = folder / "work"
    if not marked.is_file() or marked.read_text() != mark:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_durable(marked, mark.encode())


def survey_of(source: Trajectory, species: Mapping[int | str, str]) -> Survey:
    """Look at the undeformed frame in this process, piece by piece, and leave nothing.

    Parameters
    ----------
    source : Trajectory
    species : mapping of int or str to str
        Element of each type or label, as far as it is known.
    """
    portion: Portion | HeldFrame = source.portion([0])
    whole = (0, portion.place(0).natoms)
    seen = surveyed([looked(portion, whole, "", "", False, False)])
    if tells_species(source, seen.examples, species):
        return seen
    return surveyed([looked(HeldFrame(source.portion([0]), undeformed(source, species)), whole, "", "", False, False)])


class Arranged(NamedTuple):
    """An undeformed frame whose atoms have their rows.

    Attributes
    ----------
    table : RowTable
        Rows by id.
    parts : tuple of Part
        Where atoms wait in the order of the rows.
    warnings : tuple of ReadWarning
        See `qsdask.formats.continuity.oddities`.
    """

    table: RowTable
    parts: tuple[Part, ...]
    warnings: tuple[ReadWarning, ...]


class Passes:
    """The passes over an undeformed frame.

    Parameters
    ----------
    source : Portion or HeldFrame
        With step 0.
    folder : Path
        For files and receipts; what is left there of other frames, or cut in another way, is removed.
    chunk : int
        Atoms per domain.
    rule : {"regions", "extents"}
        See `qsdask.space.domains`. By the extents only a task that holds all atoms can cut.
    given : object
        What else decides the files that are left: the species that the user names.
    """

    def __init__(self, source: Portion | HeldFrame, folder: Path, chunk: int, rule: Rule, given: object) -> None:
        self.source, self.folder, self._chunk, self._rule, self._given = source, folder, chunk, rule, given
        self._folder = str(folder)
        place, held = source.place(0), isinstance(source, HeldFrame)
        self.path, self.n_atom = place.path, place.natoms
        sizes = sizes_of(self.n_atom)
        self._one_part = rule == EXTENTS or self.n_atom <= max(chunk, sizes.part)
        self._sampled = not self._one_part or self.n_atom > SLICE
        self._sections = source.sections(0, _SECTIONS)
        identity = (_LAYOUT, place, source.stamps, held, chunk, rule, sizes, given)
        mark_folder(folder, identity)

    def of_frame(self, frame: Frame) -> Passes:
        """The same with a frame that is held in place of the first one; for a reference that others complete."""
        assert isinstance(self.source, Portion)
        return Passes(HeldFrame(self.source, frame), self.folder, self._chunk, self._rule, self._given)

    def survey(self, each: Each) -> Survey:
        """Look at the frame.

        Raises
        ------
        BadDataError
            Whatever the readers raise.
        """
        tasks = self._over_text("look", looked, self._one_part, self._sampled)
        if len(self._sections) > 1:
            tasks.insert(0, ("digest", _digest, self.source))
        found = each("ingest look", tasks)
        digest = found.pop(0) if len(tasks) > len(self._sections) else ""
        return surveyed(found, digest)

    def arranged(self, each: Each, survey: Survey, species: Mapping[Any, int]) -> Arranged:
        """Give every atom its row.

        Parameters
        ----------
        each : Each
            Runs the tasks.
        survey : Survey
            Of the frame.
        species : mapping
            Index of the species of each pair of type and element.

        Raises
        ------
        BadDataError
            ``E-OVERLAP``, ``E-DUP-ID``.
        """
        sample = sample_of(self.folder, self._names("look")) if self._sampled else None
        try:
            cuts = self._cut(each, survey, sample)
        except RepeatedIdError as repeated:
            raise self.source.repeated_id(0, repeated.atom_id) from None
        by_part = survey.waiting
        if not self._one_part:
            by_part = tuple(map(waiting_of, each("ingest part", self._over_text("sorted", parted, cuts))))
        id_cuts = slice_cuts(sample.id, self.n_atom) if sample and self.n_atom > SLICE else np.empty(0, np.int64)
        arguments = (by_part, species, survey.box, cuts, self._chunk, id_cuts)
        parts = [
            Part(*told)
            for told in each(
                "ingest rows",
                [(f"part-{k}", part_arranged, self._folder, f"part-{k}", k, *arguments) for k in range(cuts.n_part)],
            )
        ]
        self._remove("look", "sorted")
        self._refuse_overlap(each, parts, survey.header.timestep)
        table = self._table(each, parts, id_cuts)
        return Arranged(table, tuple(parts), self._oddities(each, survey, parts, table))

    def _names(self, name: str) -> list[str]:
        return [f"{name}-{k}" for k in range(len(self._sections))]

    def _over_text(self, name: str, work: Callable, *more: object) -> list[tuple]:
        """Tasks of a pass over the text, one a section."""
        both = zip(self._names(name), self._sections, strict=True)
        return [(one, work, self.source, section, self._folder, one, *more) for one, section in both]

    def _remove(self, *names: str) -> None:
        """Remove what is not needed any more; the receipts stay."""
        for file in (self.folder / one for name in names for one in self._names(name)):
            file.unlink(missing_ok=True)

    def _cut(self, each: Each, survey: Survey, sample: Sample | None) -> Cuts:
        """The cuts of the frame, all of them exact."""
        if self._one_part or sample is None:
            return Cuts.whole(self.n_atom, survey.region if self._rule != EXTENTS else None)
        wider, cuts = 1, planned(sample, self.n_atom, self._chunk, survey.region)
        while not cuts.exact:
            name = f"count-{wider}"
            told = [Counted(*one) for one in each("ingest count", self._over_text(name, counted, cuts))]
            places = once(self._folder, f"cuts-{wider}", _places, cuts, told, self.folder)[1]
            self._remove(name)
            wider *= _WIDER
            cuts = planned(sample, self.n_atom, self._chunk, survey.region, wider).known(*map(np.array, places))
        return cuts

    def _refuse_overlap(self, each: Each, parts: Sequence[Part], timestep: int | None) -> None:
        pairs = [part.pair for part in parts]
        if len(parts) > 1:
            pairs += each("ingest rows", [("border", bordering, self._folder, parts)])
        refuse_overlap(min((Pair(*pair) for pair in pairs if pair), default=None), self.path, timestep)

    def _table(self, each: Each, parts: Sequence[Part], id_cuts: np.ndarray) -> RowTable:
        folder, n_slice = self.folder / TABLE, len(id_cuts) + 1
        folder.mkdir(exist_ok=True)
        tasks = [(f"slice-{k}", slice_written, self._folder, str(folder), k, n_slice, parts) for k in range(n_slice)]
        written = each("ingest table", tasks)
        if repeated := [atom_id for _, atom_id in written if atom_id is not None]:
            raise self.source.repeated_id(0, min(repeated))
        slices = [Slice(*told) for told, _ in written]
        places = [(part.first, part.stop, part.file, part.reduced) for part in parts]
        return RowTable.joined(folder, self.n_atom, id_cuts, slices, places)

    def _oddities(self, each: Each, survey: Survey, parts: Sequence[Part], table: RowTable) -> tuple[ReadWarning, ...]:
        """``W-REPLICATED``, ``W-ROUNDING``."""
        asked = 0

        def met(wanted: Partners) -> np.ndarray:
            nonlocal asked
            asked += 1
            tasks = [
                (f"copies-{asked}-{k}", met_in, self._folder, part, wanted, survey.box) for k, part in enumerate(parts)
            ]
            return np.any(each("ingest rows", tasks), axis=0)

        ids, places = zip(*survey.probes, strict=True)
        probes = Partners(np.array(places), table.found(np.array(ids))[1])
        copies = copies_of(probes, self.n_atom, survey.header.periodic, met)
        return oddities(copies, survey.resolution, survey.header.cell, self.n_atom, survey.header.units)


def _digest(source: Portion) -> str:
    return source.digest(0)


def _places(cuts: Cuts, told: Sequence[Counted], folder: Path) -> list[list]:
    """Places of the cuts after a counting pass, as JSON has them."""
    found = resolved(cuts, told, folder)
    return [found.low.tolist(), found.high.tolist(), found.tie.tolist()]
