"""Stage ``shells``: the Voronoi and cut-off neighbours of every atom in the undeformed glass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.load import halo_block
from qsdask.engine.plan import plan_stage, size_of
from qsdask.engine.stage import Course, Run, run_stage
from qsdask.errors import BadDataError, QSDaskError
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.tessellate import COINCIDENT, UNCERTIFIED, keep_facets, voronoi_shell
from qsdask.settings import ShellSettings, validated
from qsdask.space.block import Block
from qsdask.stages.redo import redo
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.template import create_group

__all__ = ["first_reach", "shells", "tessellated"]

KEY = "shells"

#: Halo tried first. Voronoi vertices of metallic glasses lie within 2.4 angstrom of their atom. Unit: angstrom.
FIRST_REACH = 6.0

#: Slots per atom that a new template offers; a domain that needs more asks for a larger template.
FIRST_SLOTS = {"voronoi": 24, "cutoff": 24}


def shells(
    store: str | Path,
    *,
    cutoff: float | None = None,
    convention: str | None = None,
    facet_fraction: float | None = None,
    open_radius: float | None = None,
    run: Run | None = None,
) -> Path:
    """Find the Voronoi shell and the cut-off shell of every atom of the undeformed glass.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    cutoff : float, optional
        Radius of the cut-off shell; 4.0 by default. Unit: angstrom.
    convention : {"paper", "amlearn"}, optional
        Rule by which small facets are dropped.
    facet_fraction : float, optional
        Facets below this share of the mean facet area are dropped; 0.05 by default, 0 keeps all.
    open_radius : float, optional
        A cell with a vertex farther than this is open; 8.0 by default. Unit: angstrom.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``shells/voronoi`` and ``shells/cutoff``.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` when two atoms sit at one place.
    QSDaskError
        When the store is missing, incomplete, or computed with other settings.

    Notes
    -----
    Each domain is tessellated with a halo; a cell counts only when no atom outside the halo could cut it, otherwise
    the halo is widened for that cell. Facet areas, edges and volumes are those of the full cell.
    """
    path, run = Path(store), run or Run()
    settings = validated(
        ShellSettings,
        cutoff_angstrom=cutoff,
        convention=convention,
        facet_fraction=facet_fraction,
        open_radius_angstrom=open_radius,
    )
    source = ledger.require(path, "ingest")
    size = size_of(StoreReader(path))
    record = Record(
        KEY,
        ("shells/voronoi", "shells/cutoff"),
        settings.stored(),
        {"ingest": source.digest},
        (1, 1, size.n_domain),
        12,
    )
    slots = dict(FIRST_SLOTS)
    while True:
        course = Course(
            record,
            plan_stage("shells", size, reach=first_reach(settings.cutoff_angstrom), slots=slots),
            partial(_template, path, dict(slots)),
            partial(_shells_of_domain, settings=settings.stored()),
            _compile,
        )
        try:
            removed = run_stage(path, course, run)
        except SlotOverflow as overflow:
            slots[overflow.shell] = -(-int(overflow.needed * 1.25) // 8) * 8
            run = replace(run, overwrite=True)
            continue
        redo(path, removed, run)
        return path


def first_reach(cutoff: float) -> float:
    """Halo that a domain gets first, for a cut-off shell of this radius. Unit: angstrom."""
    return max(FIRST_REACH, cutoff)


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


def tessellated(load: Callable[[float], Block], settings: ShellSettings) -> tuple[GlobalShell, GlobalShell]:
    """Both shells of one domain, from whatever can load its block with a given reach.

    Parameters
    ----------
    load : callable
        ``load(reach)`` returns the `Block` with all atoms within `reach` (angstrom) of the owned ones.
    settings : ShellSettings
        Cut-off, facet rule, open radius.

    Returns
    -------
    tuple of GlobalShell
        Voronoi and cut-off shell of the owned atoms.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` when two atoms sit at one place.
    """
    reach = first_reach(settings.cutoff_angstrom)
    # Atoms beyond this reach cannot tell whether a cell stays within the open radius.
    enough = 2.0 * np.sqrt(3.0) * settings.open_radius_angstrom
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
            open_radius=settings.open_radius_angstrom,
            select=select,
        )
        if (found.state & COINCIDENT).any():
            _refuse_overlap(block, found.state)
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
        select = (
            (found.state & UNCERTIFIED) != 0
            if select is None
            else select & ((found.state & UNCERTIFIED) != 0)
        )
        if not select.any() or reach >= enough:
            return voronoi, cutoff
        reach = min(reach * 1.6, enough)
        block = load(reach)


def _shells_of_domain(path: str, part: int, domain: int, steps: list[int], *, settings: dict) -> None:
    root = StoreReader(path)
    voronoi, cutoff = tessellated(partial(halo_block, root, domain), ShellSettings(**settings))
    rows = root.rows(domain)
    with ledger.committing(Path(path), KEY, (part, steps[0], domain)) as writer:
        for name, shell in (("voronoi", voronoi), ("cutoff", cutoff)):
            n_slot = root[f"shells/{name}/neighbour"].shape[1]
            needed = int((shell.neighbour >= 0).sum(axis=1).max(initial=0))
            if needed > n_slot:
                raise SlotOverflow(name, needed)
            for key, value in {"neighbour": shell.neighbour, "image": shell.image, **shell.values}.items():
                fill = {"neighbour": -1, "image": 0, "edges": -1}.get(key, np.nan)
                whole = value if value.ndim == 1 else _padded(value, n_slot, fill)
                writer.write(f"shells/{name}", key, (rows, *[slice(None)] * (whole.ndim - 1)), whole)


def _template(path: Path, slots: dict[str, int]) -> None:
    root = StoreReader(path)
    n_atom, chunk = root["atoms/id"].shape[0], root["atoms/id"].chunks[0]
    for name, n_slot in slots.items():
        sizes = {"atom": n_atom, "slot": n_slot, "vector": 3}
        create_group(path, f"shells/{name}", sizes, {"atom": chunk}, {})


def _compile() -> None:
    tessellated(toy_block, ShellSettings())


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


def _refuse_overlap(block: Block, state: np.ndarray) -> None:
    atom = int(np.flatnonzero(state & COINCIDENT)[0])
    distance = np.linalg.norm(block.position - block.position[atom], axis=1)
    distance[atom] = np.inf
    other = int(np.argmin(distance))
    raise BadDataError(
        f"rows {block.row[atom]} and {block.row[other]} are {distance[other]:.3g} angstrom apart",
        code="E-OVERLAP",
        frame=0,
        why="two atoms at one place have no Voronoi cells of their own",
        hint="look at both atoms in atoms/id of the store; remove the copy from the input and ingest again",
    )
