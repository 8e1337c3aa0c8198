"""Stage ``shells``: the Voronoi and cut-off neighbours of every atom, in the undeformed glass or at a strain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qsdask.engine.cost import SLOTS, Size, StagePlan, owned_and_ghosts, plan_stage, size_of, slot_bytes
from qsdask.engine.course import Course, run_stage
from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import held_rows, placed
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, QSDaskError
from qsdask.files.location import located
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.tessellate import COINCIDENT, UNCERTIFIED, keep_facets, security_radius, voronoi_shell
from qsdask.schema import frame_of, group_at
from qsdask.settings import ShellSettings, refuse_defaults, validated
from qsdask.space.block import Block
from qsdask.stages.cutoffs import MOST_IN_SHELL, cutoff_warnings, resolved
from qsdask.stages.steps import chosen_steps
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.record import read
from qsdask.store.task_writer import Work
from qsdask.store.template import create_group
from qsdask.units import ANGSTROM

__all__ = [
    "SlotOverflow",
    "enough_slots",
    "facts_of_shells",
    "first_reach",
    "shells",
    "shells_of_domain",
    "tessellated",
]

#: Halo tried first. Voronoi vertices of metallic glasses lie within 2.4 angstrom of their atom. Unit: angstrom.
FIRST_REACH = 6.0


def shells(
    store: str | Path,
    *,
    step: int | Sequence[int] = 0,
    cutoff: float | Literal["auto"] | None = None,
    convention: str | None = None,
    facet_fraction: float | None = None,
    open_radius: float | None = None,
    tessellation: str | None = None,
    run: Run | None = None,
) -> Path:
    """Find the Voronoi shell and the cut-off shell of every atom, of the undeformed glass or of other frames.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    step : int or sequence of int
        Frames, the undeformed one by default; negative numbers count from the end. Settings that are not given are for
        deformed frames those of the undeformed glass.
    cutoff : float or "auto", optional
        Radius of the cut-off shell; 4.0 by default. ``"auto"``: the first minimum of g(r) of the undeformed glass, see
        `qsdask.stages.cutoffs.first_minimum`; the number is kept. Unit: angstrom.
    convention : {"paper", "amlearn"}, optional
        Rule by which small facets are dropped.
    facet_fraction : float, optional
        Facets below this share of the mean facet area are dropped; 0.05 by default, 0 keeps all.
    open_radius : float, optional
        A cell with a vertex farther than this is open; 8.0 by default. Unit: angstrom.
    tessellation : {"voronoi", "radical"}, optional
        Facets half-way between two atoms (default), or where the power distances ``|x - x_i|**2 - R_i**2`` to
        both are equal, R being the radii of the store: radical, or Laguerre, tessellation. An atom deep inside
        a much larger one may then have no cell: no neighbours, NaN, and bit 16 in ``flag``.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``shells/voronoi`` and ``shells/cutoff``; those of step 32 are ``steps/32/shells/...``.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` when two atoms sit at one place.
    UsageError
        ``E-STEP`` for a step that the store does not have; ``E-NO-DEFAULT`` for a length that is not given in a store
        whose lengths are in sigma: there all lengths are.
    QSDaskError
        When the store is missing, incomplete, or computed with other settings.

    Notes
    -----
    Each domain is tessellated with a halo; a cell counts only when no atom outside the halo could cut it, otherwise
    the halo is widened for that cell. A cut-off and radii that cannot be meant are warnings of the stage; see
    `qsdask.stages.cutoffs.cutoff_warnings`. Facet areas, edges and volumes are those of the full cell. Atoms that a frame
    has lost have no neighbours in it, and are nobody's neighbours.
    """
    path, run = located(store), run or Run()
    given = validated(
        ShellSettings,
        cutoff=cutoff,
        convention=convention,
        facet_fraction=facet_fraction,
        open_radius=open_radius,
        tessellation=tessellation,
    )
    steps = chosen_steps(path, step)
    with run.shared() as together:
        for frame in steps:
            _shells_of_frame(path, frame, _settings_of_frame(path, frame, given), together)
    return path


def _settings_of_frame(path: Path, frame: int, given: ShellSettings) -> ShellSettings:
    """Settings as given; for a deformed frame the others are those of the undeformed glass."""
    still = read(path, "shells") if frame else None
    return ShellSettings(**{**(still.settings if still else {}), **given.model_dump(exclude_unset=True)})


def _shells_of_frame(path: Path, frame: int, settings: ShellSettings, run: Run) -> None:
    source = ledger.require(path, "ingest")
    root = StoreReader(path)
    refuse_defaults(settings, root.length)
    settings, size, length = resolved(settings, path, run), size_of(root), root.length
    record = Record(
        group_at(frame, "shells"),
        tuple(group_at(frame, f"shells/{name}") for name in SLOTS),
        settings.stored(length),
        {"ingest": source.digest},
        (1, 1, size.n_domain),
        12,
    )
    slots = dict(SLOTS)
    removed: list[Record] = []
    while True:
        course = Course(
            record,
            plan_of(size, settings.cutoff_angstrom, slots, length),
            partial(_template, path, frame, dict(slots)),
            partial(shells_of_domain, frame=frame, settings=settings.stored(length)),
            _compile,
            conclude=partial(_conclude, path, settings.cutoff_angstrom, frame, run),
        )
        try:
            return run_stage(path, course, run, removed)
        except SlotOverflow as overflow:
            slots[overflow.shell] = enough_slots(slots[overflow.shell], overflow.needed)
            run = replace(run, overwrite=True)


def _conclude(path: Path, cutoff: float, frame: int, run: Run, target: Path) -> dict:
    found = cutoff_warnings(path, cutoff, run, most=MOST_IN_SHELL, frame=frame)
    return {"warnings": found} if found else {}


def plan_of(size: Size, cutoff: float, slots: Mapping[str, int] = SLOTS, length: str = ANGSTROM) -> StagePlan:
    """What the shells of a frame will cost, with a cut-off shell of this radius."""
    owned, ghosts = owned_and_ghosts(size, first_reach(cutoff, length))
    work = (owned + ghosts) * 140 + owned * slot_bytes(slots)
    return plan_stage("shells", size, work=work, ghosts=ghosts, n_slot=slots["voronoi"])


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Find shells with the settings of a record; see `qsdask.engine.recompute.again`."""
    # All of them: what is left out would be taken from the undeformed glass.
    shells(path, step=frame_of(record.key)[0], **ShellSettings(**record.settings).arguments(), run=run)
    return True


def enough_slots(slots: int, needed: int) -> int:
    """Slots for `needed` neighbours, up from `slots` by quarters: the same whichever domain was the first to need more."""
    while slots < needed:
        slots = -(-slots * 5 // 32) * 8
    return slots


def facts_of_shells(stored: Mapping[str, Any] | None) -> dict[str, object]:
    """What a feature set may want to know of the shells with these stored settings; nothing when there are none."""
    if stored is None:
        return {}
    settings = ShellSettings(**stored)
    return {name: getattr(settings, name) for name in ("tessellation", "facet_fraction")}


def first_reach(cutoff: float, length: str = ANGSTROM) -> float:
    """Halo that a domain gets first, for a cut-off shell of this radius. It decides no number."""
    return max(FIRST_REACH, cutoff) if length == ANGSTROM else 1.5 * cutoff


class SlotOverflow(QSDaskError):
    """An atom has more neighbours than the template has slots; the stage starts again with more."""

    def __init__(self, shell: str, needed: int) -> None:
        super().__init__(f"an atom has {needed} neighbours in its {shell} shell", code="E-SLOTS")
        self.shell, self.needed = shell, needed

    def __reduce__(self):
        return (SlotOverflow, (self.shell, self.needed))


@dataclass(frozen=True)
class GlobalShell:
    """A shell in the names of the store: rows and images instead of local entries. Dims (atom, slot) as stored."""

    neighbour: np.ndarray
    image: np.ndarray
    values: Mapping[str, np.ndarray]


def tessellated(
    load: Callable[[float], Block], settings: ShellSettings, radii: np.ndarray, frame: int = 0, length: str = ANGSTROM
) -> tuple[GlobalShell, GlobalShell]:
    """Both shells of one domain, from whatever can load its block with a given reach.

    Parameters
    ----------
    load : callable
        ``load(reach)`` returns the `Block` with all atoms within `reach` of the owned ones.
    settings : ShellSettings
        Cut-off, facet rule, open radius, tessellation.
    radii : float64 array, shape (n_kind,)
        Radii of all species of the specimen: how far a radical tessellation must look follows the extremes.
    frame : int
        Named when atoms overlap.
    length : str
        Unit of all lengths.

    Returns
    -------
    tuple of GlobalShell
        Voronoi and cut-off shell of the owned atoms.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` when two atoms sit at one place.
    """
    reach = first_reach(settings.cutoff_angstrom, length)
    # Atoms beyond this reach cannot tell whether a cell stays within the open radius.
    radical = settings.tessellation == "radical"
    spread = radii.max() ** 2 - radii.min() ** 2 if radical else 0.0
    enough = np.sqrt(3.0) * security_radius(settings.open_radius_angstrom, spread)
    block = load(reach)
    pairs = neighbour_shell(block.position, block.order, block.n_owned, settings.cutoff_angstrom)
    cutoff = _global(block, pairs.neighbour, {"distance": pairs.distance})
    voronoi, select = None, None
    while True:
        found = voronoi_shell(
            block.position,
            block.order,
            block.n_owned,
            reach,
            radius=block.radius if radical else None,
            largest_radius=radii.max() if radical else None,
            open_radius=settings.open_radius_angstrom,
            select=select,
        )
        if (found.state & COINCIDENT).any():
            _refuse_overlap(block, found.state, frame, length)
        kept = keep_facets(found, settings.facet_fraction, settings.convention == "amlearn")
        shell = _global(
            block,
            kept.neighbour,
            {
                "distance": kept.distance,
                "facet_area": kept.area,
                "edges": kept.edges.astype(np.int16),
                "cell_volume": kept.volume,
                "flag": kept.state & ~np.uint8(UNCERTIFIED),
            },
        )
        voronoi = shell if voronoi is None or select is None else _merged(voronoi, shell, select)
        select = (found.state & UNCERTIFIED) != 0 if select is None else select & ((found.state & UNCERTIFIED) != 0)
        if not select.any() or reach >= enough:
            return voronoi, cutoff
        reach = min(reach * 1.6, enough)
        block = load(reach)


def shells_of_domain(work: Work, part: int, domain: int, steps: list[int], *, frame: int, settings: dict) -> None:
    root, made = work.reader(), work.own()
    load = partial(halo_block, root, domain, step=frame)
    voronoi, cutoff = tessellated(load, ShellSettings(**settings), root["atoms/radius"][:], frame, root.length)
    rows, held = root.rows(domain), held_rows(root, domain, frame)
    with work.committing(part, steps[0], domain) as writer:
        for name, shell in (("voronoi", voronoi), ("cutoff", cutoff)):
            group = group_at(frame, f"shells/{name}")
            n_slot = made[f"{group}/neighbour"].shape[1]
            needed = int((shell.neighbour >= 0).sum(axis=1).max(initial=0))
            if needed > n_slot:
                raise SlotOverflow(name, needed)
            for key, value in {"neighbour": shell.neighbour, "image": shell.image, **shell.values}.items():
                fill = {"neighbour": -1, "image": 0, "edges": -1, "flag": 0}.get(key, np.nan)
                whole = placed(value if value.ndim == 1 else _padded(value, n_slot, fill), held, fill)
                writer.write(group, key, (rows, *[slice(None)] * (whole.ndim - 1)), whole)


def _template(path: Path, frame: int, slots: dict[str, int], target: Path) -> None:
    root = StoreReader(path)
    n_atom, chunk = root["atoms/id"].shape[0], root["atoms/id"].chunks[0]
    for name, n_slot in slots.items():
        sizes = {"atom": n_atom, "slot": n_slot, "vector": 3}
        create_group(target, group_at(frame, f"shells/{name}"), sizes, {"atom": chunk}, {}, root.length)


def _compile() -> None:
    tessellated(toy_block, ShellSettings(), np.array([1.3]))


def _global(block: Block, neighbour: np.ndarray, values: dict[str, np.ndarray]) -> GlobalShell:
    filled = neighbour >= 0
    local = neighbour[filled]
    row = np.full(neighbour.shape, -1, dtype=np.int64)
    row[filled] = block.row[local]
    image = np.zeros((*neighbour.shape, 3), dtype=np.int8)
    image[filled] = block.image[local]
    return GlobalShell(row, image, values)


def _merged(old: GlobalShell, new: GlobalShell, select: np.ndarray) -> GlobalShell:
    """The old shell with the selected atoms replaced by the new one's."""

    def merge(a: np.ndarray, b: np.ndarray, fill: float) -> np.ndarray:
        if a.ndim > 1:
            n_slot = max(a.shape[1], b.shape[1])
            a, b = _padded(a, n_slot, fill), _padded(b, n_slot, fill)
        mask = select.reshape(-1, *[1] * (a.ndim - 1))
        return np.where(mask, b, a)

    values = {k: merge(v, new.values[k], -1 if k == "edges" else np.nan) for k, v in old.values.items()}
    return GlobalShell(merge(old.neighbour, new.neighbour, -1), merge(old.image, new.image, 0), values)


def _padded(value: np.ndarray, n_slot: int, fill: float) -> np.ndarray:
    """Value with exactly `n_slot` slots; what is cut off is empty."""
    out = np.full((value.shape[0], n_slot, *value.shape[2:]), fill, dtype=value.dtype)
    shared = min(n_slot, value.shape[1])
    out[:, :shared] = value[:, :shared]
    return out


def _refuse_overlap(block: Block, state: np.ndarray, frame: int, length: str) -> None:
    atom = int(np.flatnonzero(state & COINCIDENT)[0])
    distance = np.linalg.norm(block.position - block.position[atom], axis=1)
    distance[atom] = np.inf
    other = int(np.argmin(distance))
    raise BadDataError(
        f"rows {block.row[atom]} and {block.row[other]} are {distance[other]:.3g} {length} apart",
        code="E-OVERLAP",
        frame=frame,
        why="two atoms at one place have no Voronoi cells of their own",
        hint="look at both atoms in atoms/id of the store; remove the copy from the input and ingest again",
    )
