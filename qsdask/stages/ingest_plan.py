"""What ``ingest`` will cost: pieces of text, parts of the undeformed frame, and what waits on the disk between two tasks."""

from __future__ import annotations

from dataclasses import replace

from qsdask.engine.cost import Size, StagePlan, plan_stage
from qsdask.formats.layouts import LAYOUTS
from qsdask.intake.rowtable import MOST_SLICES, SLICE
from qsdask.intake.scatter import HELD_PIECES, PIECE_ATOMS
from qsdask.intake.spreading import tasks_of
from qsdask.space.cuts import sizes_of

__all__ = ["plan_of"]

_WHOLE = "this format gives whole frames only: a worker holds all atoms of one; text dumps are read in pieces"

#: Memory of a task that arranges a part of the undeformed frame, or a slice of its ids, or is given a whole frame; and what lies
#: on the disk meanwhile, and afterwards until all frames are stored. Unit: bytes an atom.
PART_BYTES, SLICE_BYTES, WHOLE_BYTES, SCRATCH_BYTES, ARRANGED_BYTES = 200, 100, 150, 100, 60


def plan_of(size: Size, reader: str = "lammps") -> StagePlan:
    """What ingesting a trajectory will cost; a reader of formats that are not one atom a line gives whole frames."""
    # Pieces of text and their arrays, or the part of the undeformed frame that a task cuts; and a slice of the rows by id.
    part = min(size.n_atom, max(sizes_of(size.n_atom).part, size.chunk))
    by_id = min(size.n_atom, max(SLICE, size.n_atom // MOST_SLICES))
    work = max(min(size.n_atom, PIECE_ATOMS * HELD_PIECES) * 125, part * PART_BYTES, by_id * SLICE_BYTES)
    whole = reader not in LAYOUTS
    tasks, waiting = tasks_of(size.n_atom, size.n_step, size.stride, size.n_domain)
    if whole:
        work, tasks, waiting = max(work, size.n_atom * WHOLE_BYTES), size.n_stride, 0
    scratch = size.n_atom * max(SCRATCH_BYTES, ARRANGED_BYTES + waiting)
    found = plan_stage("ingest", size, work=work, tasks=tasks, scratch=scratch)
    return replace(found, note=_WHOLE if whole else "")
