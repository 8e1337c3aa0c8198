"""Stage ``surface``: which atoms of the undeformed glass lie on a free surface, and how far from it the others are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan, owned_and_ghosts, plan_stage, size_of
from qsdask.engine.course import Course, run_stage
from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import read_box, read_rows
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.kernels.alpha_shape import exposed_facets, facet_distance
from qsdask.kernels.tessellate import OPEN, voronoi_shell
from qsdask.settings import SurfaceSettings, validated
from qsdask.space.block import Block
from qsdask.space.halo import halo_domains
from qsdask.stages.spacing import spacing_of
from qsdask.stages.toy import toy_block
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.record import read
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group
from qsdask.units import renamed

__all__ = ["surface", "surface_when_missing"]

KEY = "surface"

#: Radius of the probe sphere, in spacings of atoms. The largest void of a metallic glass, undeformed or strained by 10 %,
#: is 0.92, that of a vacancy in a close-packed crystal 1, of a vacancy with all its neighbours 1.41.
PROBE = 1.5

#: How far from a surface distances are told, in radii of the probe: 21 angstrom in Cu-Zr, twice the usual margin.
REACH = 5.0

#: Parts of the stage: who is on a surface, then how far the others are from it.
EXPOSED, DISTANCE = 0, 1

#: Radius of the probe in Cu-Zr glasses, for what is planned before there are atoms. Unit: angstrom.
USUAL_PROBE = 4.2


def surface(
    store: str | Path, *, probe: float | None = None, reach: float | None = None, run: Run | None = None
) -> Path:
    """Find the free surfaces of the undeformed glass, and the distance of every atom from them.

    `qsdask.features` does so where it has not been done. What counts is empty space, in a periodic box too: vacuum round a
    wire or a slab, pores and cracks.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    probe : float, optional
        Radius of the sphere that holds no centre of an atom where there is vacuum; 1.5 times the median distance of an
        atom from its sixth neighbour by default, 4.2 in Cu-Zr. Smaller voids are inside of the glass. Unit: angstrom.
    reach : float, optional
        How far from a surface distances are told; five times the radius of the probe by default. Unit: angstrom.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, now with ``surface``: ``on_surface`` and ``surface_distance``.

    Raises
    ------
    QSDaskError
        When the store is missing, incomplete, or the surfaces were found with other settings.

    Notes
    -----
    The surface is that of the alpha shape: facets between the centres of three atoms that a probe sphere touches at once
    with no centre inside; see `qsdask.kernels.alpha_shape`. Atoms that a probe sphere touches are at the distance 0, the
    others at that of the nearest point of a facet, exactly. Probe spheres sink into the hollows of the facets: measured from
    the space that they sweep out, distances are 0.4 angstrom shorter in the mean on a wire of Cu-Zr glass, 1.4 at most.
    A crack is seen where it is about two radii wide. Atoms and small clusters that fly in the vacuum are surface
    themselves, and make none for others. Cost: 6 microseconds an atom where there is no surface, twice as much in a wire.
    """
    path, run = located(store), run or Run()
    settings = validated(SurfaceSettings, probe=probe, reach=reach)
    source = ledger.require(path, "ingest")
    size, length = size_of(StoreReader(path)), StoreReader(path).length
    record = Record(KEY, (KEY,), settings.stored(length), {"ingest": source.digest}, (2, 1, size.n_domain), 1)
    known = read(path, KEY)
    finished = known is not None and known.complete and not run.overwrite
    # What is there needs no measuring.
    radius, depth = (USUAL_PROBE, REACH * USUAL_PROBE) if finished else _lengths(path, settings)
    facts = {renamed("probe_angstrom", length): radius, renamed("reach_angstrom", length): depth}
    course = Course(
        record,
        plan_of(size, radius, depth),
        partial(_template, path),
        partial(_surface_of_domain, probe=radius, reach=depth),
        _compile,
        conclude=lambda target: {**facts, "n_on_surface": _count(StoreReader(path), StoreReader(target))},
    )
    run_stage(path, course, run)
    return path


def surface_when_missing(path: Path, run: Run) -> None:
    """Find the free surfaces of a store in which nobody has looked for them, or has not finished."""
    record = read(path, KEY)
    if record is None:
        surface(path, run=replace(run, overwrite=False))
    elif not record.complete:
        again(path, record, replace(run, overwrite=False))


def plan_of(size: Size, probe: float | None = None, reach: float | None = None) -> StagePlan:
    """What finding surfaces with a probe of this radius will cost, with distances up to `reach` (angstrom)."""
    probe = probe or USUAL_PROBE
    _, ghosts = owned_and_ghosts(size, 2.0 * probe)
    owned, around = owned_and_ghosts(size, (reach or REACH * probe) + 2.0 * probe)
    # Cells of all atoms of a domain; later the atoms around it, which matter only where there is a surface.
    work = max((owned + ghosts) * 140 + owned * 24 * 30, (owned + around) * 200)
    return plan_stage("surface", size, work=work, tasks=2 * size.n_domain, ghosts=ghosts)


def again(path: Path, record: Record, run: Run, source: object = None) -> bool:
    """Find surfaces with the settings of a record; see `qsdask.engine.recompute.again`."""
    surface(path, **SurfaceSettings(**record.settings).arguments(), run=run)
    return True


def on_surface(block: Block, probe: float) -> np.ndarray:
    """Whether the Voronoi cells of the owned atoms reach farther than the probe; atoms within two radii decide.

    Parameters
    ----------
    block : Block
        With every atom within `seen_from` of the owned ones.
    probe : float
        Unit: angstrom.

    Returns
    -------
    bool array, shape (n_owned,)
    """
    found = voronoi_shell(block.position, block.order, block.n_owned, seen_from(probe), open_radius=probe)
    return (found.state & OPEN) != 0


def seen_from(probe: float) -> float:
    """How far from an atom those can be that decide whether a probe of this radius touches it. Unit: angstrom."""
    return 2.0 * probe * (1.0 + 1e-6)


def _lengths(path: Path, settings: SurfaceSettings) -> tuple[float, float]:
    """Radius of the probe and reach, as given or from the spacing of the atoms, which is not known to four digits."""
    probe = settings.probe_angstrom or float(f"{PROBE * spacing_of(StoreReader(path)):.3g}")
    return probe, settings.reach_angstrom or REACH * probe


def _surface_of_domain(work: StageRun, part: int, domain: int, steps: list[int], *, probe: float, reach: float) -> None:
    root = work.reader()
    if part == EXPOSED:
        name, value = "on_surface", on_surface(halo_block(root, domain, seen_from(probe)), probe)
    else:
        name, value = "surface_distance", _distance(root, work.own(), domain, probe, reach)
    with work.committing(part, steps[0], domain) as writer:
        writer.write(KEY, name, (root.rows(domain),), value)


def _distance(root: StoreReader, made: StoreReader, domain: int, probe: float, reach: float) -> np.ndarray:
    """Distance of the atoms of a domain from the facets around it."""
    exposed, rows = made[f"{KEY}/on_surface"], root.rows(domain)
    whole = reach + seen_from(probe)
    bounds = root["domains/bounds"][0]
    near = {other for other, _ in halo_domains(bounds, domain, whole, read_box(root, 0))}
    if not any(exposed[root.rows(other)].any() for other in sorted(near)):
        return np.full(rows.stop - rows.start, np.inf)
    block = halo_block(root, domain, whole)
    outer = read_rows(exposed, block.row)
    facets = exposed_facets(block.position, block.order, outer, probe)
    return facet_distance(block.position[: block.n_owned], ~outer[: block.n_owned], facets, probe, reach)


def _count(root: StoreReader, made: StoreReader) -> int:
    exposed = made[f"{KEY}/on_surface"]
    return sum(int(np.count_nonzero(exposed[root.rows(domain)])) for domain in range(root.n_domain))


def _template(path: Path, target: Path) -> None:
    root = StoreReader(path)
    ids = root["atoms/id"]
    create_group(target, KEY, {"atom": ids.shape[0]}, {"atom": ids.chunks[0]}, {}, root.length)


def _compile() -> None:
    block = toy_block(seen_from(USUAL_PROBE))
    inside = on_surface(block, USUAL_PROBE)
    facets = exposed_facets(block.position, block.order, np.arange(len(block.row)) >= block.n_owned, USUAL_PROBE)
    facet_distance(block.position[: block.n_owned], ~inside, facets, USUAL_PROBE, REACH * USUAL_PROBE)
