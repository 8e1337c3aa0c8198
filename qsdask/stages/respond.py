"""Stage ``respond``: D2min of every atom at every stored strain, against the undeformed glass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from qsdask.engine.cost import SLOTS, Size, StagePlan, owned_and_ghosts, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.halo_block import halo_block
from qsdask.engine.neighbourhood import with_currents
from qsdask.engine.reading import CHUNKS_AT_ONCE, MOST_AT_ONCE
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.kernels.cells import neighbour_shell
from qsdask.response.d2min import D2Min
from qsdask.schema import steps_in_file
from qsdask.settings import RespondSettings, refuse_defaults, validated
from qsdask.space.block import Shell
from qsdask.stages.cutoffs import MOST_IN_RESPONSE, cutoff_warnings, resolved
from qsdask.stages.propensity import propensity
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import Work
from qsdask.store.template import create_group, write_whole

__all__ = ["respond", "respond_of_domain"]

KEY = "response/d2min"

#: Steps that one unit of work takes, and where there is work enough for all: the neighbours of the reference are found once for
#: all of them.
STEPS_PER_UNIT, MOST_PER_UNIT = 8, 64


def respond(
    store: str | Path,
    *,
    cutoff: float | Literal["auto"] | None = None,
    normalise: str | None = None,
    runs: Sequence[str | Path] = (),
    threshold: float | None = None,
    run: Run | None = None,
) -> Path:
    """Measure the non-affine displacement D2min of every atom at every stored strain.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    cutoff : float or "auto", optional
        Neighbours of the undeformed frame within this distance count; 4.0 by default. ``"auto"``: up to the first minimum
        of g(r), see `qsdask.stages.cutoffs.first_minimum`; the number is kept. Unit: angstrom.
    normalise : {"sum", "mean"}, optional
        Sum over the neighbours (default) or their mean.
    runs : sequence of paths
        Stores of other runs of the same glass, begun with other velocities, after their own `respond`: the response
        of all of them is averaged.
    threshold : float, optional
        D2min above which an atom counts as plastic in a run; 5 by default. Unit: angstrom^2.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``response/d2min``; with other runs also ``response/propensity``, the fraction of runs in
        which an atom is plastic and its mean D2min. See `qsdask.stages.propensity`.

    Raises
    ------
    QSDaskError
        When the store is missing, incomplete, or the response was computed with other settings; ``E-RUNS-DIFFER`` when
        the others are not runs of this glass. ``E-NO-DEFAULT`` for a length that is not given in a store whose lengths are
        in sigma: there all lengths are, and their squares.
    """
    path, run = located(store), run or Run()
    # What was measured in another way stays when only the runs are asked for.
    with run.shared() as together:
        if not runs or cutoff is not None or normalise is not None or ledger.read(path, KEY) is None:
            _measure(path, cutoff, normalise, together)
        if runs:
            propensity(path, runs, threshold, together)
    return path


def _measure(path: Path, cutoff: float | str | None, normalise: str | None, run: Run) -> None:
    settings = validated(RespondSettings, cutoff=cutoff, normalise=normalise)
    source = ledger.require(path, "ingest")
    root = StoreReader(path)
    refuse_defaults(settings, root.length)
    settings, size = resolved(settings, path, run), size_of(root)
    shape = (1, size.n_step, size.n_domain)
    inputs = {"ingest": source.digest}
    record = Record(KEY, (KEY,), settings.stored(root.length), inputs, shape, 2, stride=size.stride)
    course = Course(
        record,
        plan_of(size, settings.cutoff_angstrom),
        partial(_template, path),
        partial(respond_of_domain, settings=settings.stored()),
        _compile,
        conclude=partial(_conclude, path, settings.cutoff_angstrom, run),
        steps_per_unit=STEPS_PER_UNIT,
        most_per_unit=MOST_PER_UNIT,
    )
    run_stage(path, course, run)


def _conclude(path: Path, cutoff: float, run: Run, target: Path) -> dict:
    found = cutoff_warnings(path, cutoff, run, most=MOST_IN_RESPONSE)
    return {"warnings": found} if found else {}


def plan_of(size: Size, cutoff: float) -> StagePlan:
    """What D2min over neighbours within this distance will cost."""
    owned, ghosts = owned_and_ghosts(size, cutoff)
    # All steps of a file: the positions of the block, and the chunks that they are read from, packed and not.
    chunks = min(MOST_AT_ONCE, CHUNKS_AT_ONCE * size.stride)
    work = (owned + ghosts) * (170 + 24 * size.stride) + owned * (SLOTS["cutoff"] * 20 + 400 + 40 * chunks)
    return plan_stage("respond", size, work=work, tasks=size.n_stride * size.n_domain, ghosts=ghosts)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Measure the response with the settings of a record; see `qsdask.engine.recompute.again`."""
    respond(path, **RespondSettings(**record.settings).arguments(), run=run)
    return True


def respond_of_domain(work: Work, part: int, domain: int, steps: list[int], *, settings: dict) -> None:
    chosen = RespondSettings(**settings)
    root = work.reader()
    block = halo_block(root, domain, chosen.cutoff_angstrom)
    pairs = neighbour_shell(block.position, block.order, block.n_owned, chosen.cutoff_angstrom, measured=False)
    block = replace(block, shells={"cutoff": Shell(pairs.neighbour, pairs.count)})
    quantity = D2Min(chosen.normalise)
    rows = root.rows(domain)
    for some in work.together(steps):
        value = np.stack([quantity(current)[:, 0] for current in with_currents(root, block, some)])
        at = slice(some[0], some[-1] + 1)
        with work.committing(part, some[0], domain) as writer:
            writer.write(KEY, "d2min", (at, rows), value)
            writer.write(KEY, "valid", (at, rows), np.isfinite(value))


def _template(path: Path, target: Path) -> None:
    root = StoreReader(path)
    n_step, n_atom, _ = root["frames/position"].shape
    create_group(
        target,
        KEY,
        {"step": n_step, "atom": n_atom},
        {"step": 1, "atom": root["atoms/id"].chunks[0]},
        {},
        root.length,
        together={"step": steps_in_file(n_step)},
    )
    # The strain coordinate is one small chunk, not one a step.
    write_whole(target, KEY, {"strain": root["frames/strain"][:]})


def _compile() -> None:
    D2Min().compute(toy_block(4.0, shells=("cutoff",)))
