"""Large frames into rows and chunks of a store, each by many tasks: nobody reads all of a frame as numbers.

1. A section of the text of a frame is read, its atoms are matched with the rows of the store, and they wait in a file bucket by
   bucket. A bucket is some domains one after the other.
2. A bucket collects its rows from the files of all sections, and writes the chunks of its domains, for all steps of one file.
3. What there is once for a frame is written, and the receipt, which names the files of all buckets.

A few steps, at least those of one file, are done before the next ones are begun, so that no more of them wait. The first two
kinds of tasks leave receipts beside what waits: a run that was killed goes on behind the last one. `qsdask.intake.scatter` has the
same for smaller frames, with one task for all steps of a file, and writes the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.files.durable import being_written
from qsdask.formats.frame import MARKED, FrameHeader
from qsdask.formats.trajectory import Portion, Trajectory
from qsdask.intake.comparison import SHOWN, Policy, lost_atoms_error
from qsdask.intake.grouped import grouped, put_columns, waiting
from qsdask.intake.rowtable import RowTable
from qsdask.intake.scatter import HELD_PIECES, PIECE_ATOMS, box_of, known_atoms, put_domain, put_frame
from qsdask.intake.undeformed import kept, mark_folder
from qsdask.kernels.following import fill_rows
from qsdask.schema import MOST_IN_FILE
from qsdask.store.task_writer import StageRun

__all__ = [
    "LARGE",
    "Buckets",
    "Matched",
    "bucket_tasks",
    "closed",
    "leave_nothing",
    "leave_room",
    "make_room",
    "match_tasks",
    "matched_frames",
    "spreads",
    "tasks_of",
    "waves",
]

#: Frames of more atoms are spread over many tasks; one that is alone with them has to leave them on the disk, too.
LARGE = PIECE_ATOMS * HELD_PIECES

#: Atoms of a bucket, at most, unless a single domain has more; and into how many tasks a frame that has fewer is cut, about.
BUCKET_ATOMS, TASKS = 1 << 20, 64

#: Tasks that keep many workers busy: frames of fewer sections are done with others.
ENOUGH = 256

#: What is left from work with other rules of this file is no use.
_LAYOUT = 1

#: Columns of an atom that waits: its row within the bucket, and where it is.
_WAITING = (np.dtype(np.int32), np.dtype((np.float64, 3)))

#: What an atom takes on the disk while it waits. Unit: bytes.
WAITING_BYTES = sum(column.itemsize for column in _WAITING)


class Buckets(NamedTuple):
    """How the rows of a store are cut, and where what is left for them waits.

    Attributes
    ----------
    folder : str
        For files and receipts of the tasks.
    table : str
        Folder of the `RowTable`.
    chunk : int
        Rows of a domain.
    n_domain : int
    """

    folder: str
    table: str
    chunk: int
    n_domain: int

    @property
    def n_together(self) -> int:
        """Domains of a bucket, but the last."""
        return max(1, min(self.n_domain // TASKS, BUCKET_ATOMS // self.chunk))

    @property
    def n_bucket(self) -> int:
        """Number of buckets."""
        return -(-self.n_domain // self.n_together)

    @property
    def n_row(self) -> int:
        """Rows of a bucket, but the last."""
        return self.chunk * self.n_together

    def place(self, steps: Sequence[int]) -> str:
        """Folder in the folder for what is left of the steps of one file."""
        return f"{steps[0]}"

    def names(self, steps: Sequence[int]) -> list[str]:
        """Tasks of all buckets for the steps of one file."""
        return [f"{self.place(steps)}/bucket-{k}" for k in range(self.n_bucket)]


class Matched(NamedTuple):
    """A frame whose atoms wait bucket by bucket.

    Attributes
    ----------
    step : int
    header : FrameHeader
    n_new : int
        Atoms that the first frame does not have.
    digest : str
    files : tuple of tuple
        Name of the file of each section, and the first byte of each of its pieces.
    """

    step: int
    header: FrameHeader
    n_new: int
    digest: str
    files: tuple[tuple[str, tuple[int, ...]], ...]


def tasks_of(n_atom: int, n_step: int, stride: int, n_domain: int) -> tuple[int, int]:
    """Tasks that frames of a plain text take, with `stride` of them in one file, and bytes an atom that then wait on the disk."""
    n_file = -(-n_step // stride)
    if n_atom <= LARGE:
        return n_file, 0
    # All domains but the last have as many rows.
    buckets = Buckets("", "", -(-n_atom // n_domain), n_domain)
    together = min(n_step, stride * _files_together(n_atom, stride))
    reading = n_step * (1 + _n_section(n_atom))
    return reading + n_file * (1 + buckets.n_bucket), WAITING_BYTES * together


def _files_together(n_atom: int, stride: int) -> int:
    """Files of the store, of `stride` steps each, whose frames are read before any of them is written."""
    return max(1, min(MOST_IN_FILE, ENOUGH // _n_section(n_atom)) // stride)


def _n_section(n_atom: int) -> int:
    """Sections of a plain text that so many atoms are read in, about."""
    return min(-(-n_atom // PIECE_ATOMS), most_sections(n_atom))


def waves(files: Sequence[Sequence[int]], n_atom: int) -> list[Sequence[Sequence[int]]]:
    """Files of the store, given by their steps, that are done at the same time."""
    some = _files_together(n_atom, max(map(len, files)))
    return [files[first : first + some] for first in range(0, len(files), some)]


def spreads(source: Trajectory, steps: Sequence[int], n_atom: int) -> bool:
    """Whether these steps, which lie in one file of the store, are done by many tasks; the others are packed, small, or are given
    as wholes.
    """
    large = max(n_atom, *(source.place(step).natoms for step in steps)) > LARGE
    return large and all(source.stands_apart(step) for step in steps)


def most_sections(n_atom: int) -> int:
    """Sections that a frame is read in, at most: so many that they can be held."""
    return max(TASKS, n_atom // LARGE)


def _sections(source: Trajectory, step: int) -> list[tuple[int, int]]:
    return source.sections(step, most_sections(source.place(step).natoms))


def make_room(buckets: Buckets, files: Sequence[Sequence[int]], run: object) -> None:
    """Make the folders for what waits.

    Parameters
    ----------
    buckets : Buckets
    files : sequence of sequence of int
        Steps of each file of the store that is to be written. What has been left of others is removed: one that was written, and is
        taken back, is done from its beginning.
    run : object
        What tells the run, and what it reads, from others; what these have left is removed.
    """
    folder, wanted = Path(buckets.folder), {buckets.place(steps) for steps in files}
    mark_folder(folder, (_LAYOUT, MARKED, LARGE, TASKS, BUCKET_ATOMS, run, buckets))
    for left in folder.glob("*/"):
        if left.name not in wanted:
            shutil.rmtree(left)
    for name in wanted:
        (folder / name).mkdir(exist_ok=True)


def leave_room(buckets: Buckets, frames: Iterable[Matched]) -> None:
    """Remove the atoms of some frames, which no bucket needs any more; the receipts stay."""
    for name in (name for frame in frames for name, _ in frame.files):
        (Path(buckets.folder) / name).unlink(missing_ok=True)


def leave_nothing(buckets: Buckets, files: Sequence[Sequence[int]]) -> None:
    """Remove the receipts, too, of the steps of files that have theirs."""
    for steps in files:
        shutil.rmtree(Path(buckets.folder) / buckets.place(steps))


def match_tasks(
    source: Trajectory, files: Sequence[Sequence[int]], every: Sequence[Sequence[int]], policy: Policy, buckets: Buckets
) -> list[tuple]:
    """Tasks that read frames: names, callables, arguments.

    Parameters
    ----------
    source : Trajectory
    files : sequence of sequence of int
        Steps that are read now, file by file.
    every : sequence of sequence of int
        Those of which the text is hashed besides: one task a frame, as long as its text, so that it begins early.
    policy : Policy
    buckets : Buckets
    """
    later = [step for steps in every for step in steps if len(_sections(source, step)) > 1]
    tasks: list[tuple] = [(f"hash-{step}", _hashed, source.portion([step]), step) for step in later]
    for steps in files:
        for step in steps:
            portion, told = source.portion([step]), policy.of([step])
            for k, section in enumerate(_sections(source, step)):
                name = f"{buckets.place(steps)}/match-{step}-{k}"
                tasks.append((name, _matched, portion, step, section, name, told, buckets))
    return tasks


def _hashed(source: Portion, step: int) -> str:
    return source.digest(step)


def _matched(
    source: Portion, step: int, section: tuple[int, int], name: str, policy: Policy, buckets: Buckets
) -> dict[str, Any]:
    """Read a section of a frame, and leave its atoms bucket by bucket.

    Raises
    ------
    BadDataError
        ``E-LOST-ATOMS`` for atoms that are new, ``E-TYPE-CHANGE``, and what the readers raise.
    """
    table, n_new, offsets = RowTable(Path(buckets.table)), 0, []
    with being_written(Path(buckets.folder) / name) as file:
        for piece in source.section(step, section, LARGE):
            row, position = known_atoms(piece, table, policy, source.place(step).path, step)
            n_new += len(piece.id) - len(row)
            bucket, within = np.divmod(row, buckets.n_row)
            found = grouped(bucket, buckets.n_bucket, within.astype(_WAITING[0]), position)
            offsets.append(put_columns(file, found))
    return {"header": piece.header.told(), "n_new": n_new, "digest": piece.digest, "offsets": offsets}


def matched_frames(tasks: Sequence[tuple], told: Sequence[Any]) -> dict[int, Matched]:
    """Frames whose sections have all been read, by their steps, from the tasks of `match_tasks` and what these told."""
    digests: dict[int, str] = {}
    sections: dict[int, list[tuple[str, dict]]] = {}
    for (name, work, _, step, *_), one in zip(tasks, told, strict=True):
        if work is _hashed:
            digests[step] = one
        else:
            sections.setdefault(step, []).append((name, one))
    return {
        step: Matched(
            step,
            FrameHeader.of_told(found[0][1]["header"]),
            sum(one["n_new"] for _, one in found),
            digests.get(step) or found[-1][1]["digest"],
            tuple((name, tuple(one["offsets"])) for name, one in found),
        )
        for step, found in sections.items()
    }


def bucket_tasks(work: StageRun, frames: Sequence[Matched], policy: Policy, buckets: Buckets) -> list[tuple]:
    """Tasks that write what waits: names, callables, arguments. The frames are those of one file."""
    told = policy.of([frame.step for frame in frames])
    names = buckets.names([frame.step for frame in frames])
    return [(name, _collected, work, k, frames, told, buckets) for k, name in enumerate(names)]


def _collected(
    work: StageRun, number: int, frames: Sequence[Matched], policy: Policy, buckets: Buckets
) -> dict[str, Any]:
    """Write the chunks of one bucket; what `closed` is to know of it."""
    root, table = work.own(), RowTable(Path(buckets.table))
    domains = root.domain_rows[number * buckets.n_together : (number + 1) * buckets.n_together].tolist()
    first, stop = domains[0][0], domains[-1][1]
    told = []
    with work.writing() as writer:
        for frame in frames:
            position, count = np.full((stop - first, 3), np.nan), np.zeros(stop - first, np.uint8)
            for file, offsets in frame.files:
                for offset in offsets:
                    row, found = waiting(Path(buckets.folder) / file, offset, buckets.n_bucket, _WAITING).of(number)
                    fill_rows(row.astype(np.int64), found, position, count)
            box = box_of(frame.header, policy, frame.step)
            mine = [slice(start - first, end - first) for start, end in domains]
            put = [put_domain(writer, frame.step, first + one.start, position[one], table, box) for one in mine]
            told.append(
                {
                    "bounds": [bounds.tolist() for bounds, _ in put],
                    "outside": sum(far for _, far in put),
                    "lost": int(np.count_nonzero(count == 0)),
                    "lost_ids": _ids(root["atoms/id"], first, count == 0)[:SHOWN],
                    "twice": _ids(root["atoms/id"], first, count > 1)[:1],
                }
            )
    return {"written": writer.written, "frames": told}


def _ids(atom_id: Any, first: int, chosen: np.ndarray) -> list[int]:
    """Ids of the rows that are chosen, rising; `first` is the row of the first of them that may be."""
    return np.sort(atom_id[first : first + len(chosen)][chosen]).tolist() if chosen.any() else []


def closed(
    work: StageRun, steps: list[int], source: Portion, frames: Sequence[Matched], policy: Policy, buckets: Buckets
) -> None:
    """Write what there is once for each frame of a file, and the receipt of all.

    Parameters
    ----------
    work : StageRun
    steps : list of int
        Of the file.
    source : Portion
        Where these frames are, for messages.
    frames : sequence of Matched
    policy : Policy
    buckets : Buckets
        All have been collected.

    Raises
    ------
    BadDataError
        ``E-DUP-ID``, ``E-LOST-ATOMS`` for atoms that are missing.
    """
    n_atom = int(work.own().domain_rows[-1, 1])
    told = [kept(buckets.folder, name)[0] for name in buckets.names(steps)]
    written: dict[str, list[int]] = {key: words for one in told for key, words in one["written"].items()}
    with work.committing(0, steps[0], 0, written) as writer:
        for k, frame in enumerate(frames):
            mine: list[Mapping[str, Any]] = [one["frames"][k] for one in told]
            if twice := [atom_id for one in mine for atom_id in one["twice"]]:
                raise source.repeated_id(frame.step, min(twice))
            n_lost = sum(one["lost"] for one in mine)
            if not policy.bears(n_lost, n_atom):
                lowest = np.sort([atom_id for one in mine for atom_id in one["lost_ids"]])[:SHOWN]
                raise lost_atoms_error(lowest, n_lost, n_atom, source.place(frame.step), frame.step)
            bounds = np.concatenate([np.array(one["bounds"]) for one in mine])
            n_outside = sum(one["outside"] for one in mine)
            put_frame(
                writer,
                frame.step,
                frame.header,
                policy,
                frame.digest,
                bounds,
                n_lost=n_lost,
                n_new=frame.n_new,
                n_outside=n_outside,
            )
