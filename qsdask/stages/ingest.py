"""Stage ``ingest``: a strain-resolved trajectory becomes a chunked store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from qsdask.engine.cost import Size, StagePlan, plan_stage
from qsdask.engine.course import Course, run_stage
from qsdask.engine.reading import read_box
from qsdask.engine.where import Run
from qsdask.errors import CannotCreateError
from qsdask.files.location import absolute, located
from qsdask.files.lock import refuse_one_file
from qsdask.files.taken import refuse_in_store
from qsdask.formats.container import sniff
from qsdask.formats.continuity import continued_cells, warnings_of_reference
from qsdask.formats.frame import ReadWarning
from qsdask.formats.reference import open_run, undeformed
from qsdask.formats.trajectory import Trajectory
from qsdask.intake.arrangement import arranged
from qsdask.intake.comparison import Policy
from qsdask.intake.loading import Loading, loading_of, recorded_strain, refuse_unknown_strain, strains_from
from qsdask.intake.making import completed, contradictions, making_of
from qsdask.intake.rowtable import RowTable
from qsdask.intake.scatter import PIECE_ATOMS, count_warnings, hash_words, scatter_steps
from qsdask.intake.specimen import fingerprint, labels_of, other_input, specimen_key
from qsdask.names import checked_name
from qsdask.settings import IngestSettings, ReadingSettings, validated
from qsdask.store import ledger
from qsdask.store.beside import target_of
from qsdask.store.ledger import Record
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.template import create_group, write_whole
from qsdask.units import ANGSTROM, length_in, scale_of, stored_length

__all__ = ["ingest"]

KEY = "ingest"

#: Folder in the store for what tasks share while they run; removed at the end.
SCRATCH = ".scratch"


def ingest(
    trajectory: str | Path | Sequence[str | Path],
    store: str | Path,
    *,
    species: Mapping[int | str, str] | Sequence[str] | None = None,
    strain_step: float | None = None,
    strain_file: str | Path | Sequence[float] | None = None,
    loading: str | None = None,
    chunk: int | None = None,
    boundary: str | None = None,
    units: str | None = None,
    radius: Mapping[str, float] | None = None,
    name: str | None = None,
    topology: str | Path | None = None,
    reference: str | Path | None = None,
    columns: str | None = None,
    strict: bool = False,
    skip_bad_frames: bool = False,
    assume_order: bool = False,
    restart_overlap: str = "error",
    lost_atoms: str = "error",
    new_atoms: str = "error",
    run: Run | None = None,
) -> Path:
    """Turn a strain-resolved trajectory into a store, one frame per strain step.

    Parameters
    ----------
    trajectory : path or sequence of paths
        LAMMPS dumps: text (plain, gzip, zstd or bzip2) or binary, many frames in one file or one per file; extended
        XYZ, POSCAR and CIF through ASE, other formats through MDAnalysis. The first frame is the undeformed glass, unless
        `reference` names it.
        Beside a dump that `qsdask.simulate` wrote, ``specimen.json`` tells species, strain and name where they are not
        given, and is kept with the store.
    store : str or Path
        Store to make.
    species : mapping of int or str to str, or sequence of str, optional
        Element of each atom type, ``{1: "Cu", 2: "Zr"}`` or ``["Cu", "Zr"]``; needed unless the trajectory names the
        elements, or has type labels that are elements. Of labels that are not: ``{"A": "Cu", "B": "Zr"}``.
    strain_step : float, optional
        Strain between consecutive frames, a fraction. Measured from the cell when not given.
    strain_file : path or sequence of float, optional
        Strain of every frame, a fraction: a text file with one a line, or the numbers. Instead of `strain_step`.
    loading : {"x", "y", "z", "xy", "xz", "yz", "volume"}, optional
        Component of the cell's deformation that is the loading: stretch along an axis, shear, or change of volume. The one
        that moves most anywhere in the run when not given; see `qsdask.intake.loading.loading_of`.
    chunk : int, optional
        Atoms per domain, chunk and task; 65536 by default. It changes no number.
    boundary : str, optional
        LAMMPS boundary such as ``"ppp"`` or ``"spp"`` for files that do not tell.
    units : {"lj", "real", "metal", "si", "cgs", "electron", "micro", "nano"}, optional
        Unit style of LAMMPS for files that do not tell; ``metal`` otherwise. In ``lj`` the store keeps sigma, in the
        others it keeps angstrom, converted from the lengths of the file.
    radius : mapping of str to float, optional
        Atomic radii that replace those of Miracle et al.; in ``lj`` units of every species. Unit: angstrom, or sigma.
    name : str, optional
        Name of the specimen; the store's file name by default.
    topology : path, optional
        File with the atoms' names, for coordinates that MDAnalysis reads (DCD, XTC, NetCDF).
    reference : path, optional
        File of one frame, in any format: the undeformed glass. All frames of the trajectory follow it, whatever timesteps
        they have; boundary, units and species are those of whichever file tells them. Atoms are matched by id.
    columns : str, optional
        Names of the columns of binary dumps and data files that do not name them, such as ``"id type x y z"``.
    strict : bool
        Refuse a cut last frame instead of leaving it out with a warning.
    skip_bad_frames : bool
        Leave damaged frames out with a warning, after reading everything once; the first frame must be whole.
    assume_order : bool
        Without ids, take the atoms of every frame to stand in one order.
    restart_overlap : {"error", "last"}
        When a restart wrote some steps again: refuse, or take what was written last.
    lost_atoms : {"error", "mask"}
        When atoms of the first frame are missing later: refuse, or keep the frame with NaN for them.
    new_atoms : {"error", "ignore"}
        When a frame has atoms that the first one does not have: refuse, or leave them out and keep their number.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, with ``atoms``, ``frames`` and ``domains``.

    Raises
    ------
    UsageError
        ``E-NAMING`` for a specimen, or a store, whose name cannot be one; ``E-LOADING`` for a loading that the box does not
        tell of.
    NoInputError
        When a file is not there.
    BadDataError
        When the input is damaged, flat (``E-2D``), atoms overlap, are lost, come or change type, or species are unknown;
        ``E-REFERENCE`` when the reference is not one frame; ``E-BOUNDARY``, ``E-UNITS`` when it contradicts the trajectory;
        ``E-STRAIN-FILE`` when there is not one strain for each frame;
        ``E-OTHER-INPUT`` when the store was made from, or begun with, other frames.
    CannotCreateError
        ``E-NOT-A-STORE`` when something else is in the way; ``E-IN-STORE`` for a place inside of another store.
    """
    path, run = located(store), run or Run()
    settings = validated(
        IngestSettings,
        species=species,
        strain_step=strain_step,
        strain_file=strains_from(strain_file),
        loading=loading,
        chunk=chunk,
        boundary=boundary,
        units=units,
        radius=radius,
        name=name,
        lost_atoms=lost_atoms,
        new_atoms=new_atoms,
    )
    reading = validated(
        ReadingSettings,
        topology=None if topology is None else str(topology),
        reference=None if reference is None else str(reference),
        columns=columns,
        strict=strict,
        skip_bad_frames=skip_bad_frames,
        assume_order=assume_order,
        restart_overlap=restart_overlap,
    )
    _refuse_other_content(path)
    source = open_run(trajectory, boundary=settings.boundary, units=settings.units, **reading.arguments())
    length = stored_length(source.units)
    # Kept where it decides numbers, whoever told it.
    settings = settings.model_copy(update={"units": None if length_in(source.units) == ANGSTROM else source.units})
    timesteps = [frame.timestep for frame in source.frames]
    made = making_of(trajectory)
    settings = completed(settings, made, timesteps)
    first = undeformed(source, settings.species)
    refuse_unknown_strain(settings, len(timesteps), first.cell, first.periodic)
    file = source.frames[0].path
    arrangement = arranged(first, file, species=settings.species, radius=settings.radius_angstrom, chunk=settings.chunk)
    box, order, rows, position, kind, names, _ = arrangement
    kinds = {} if first.type is None else {int(t): int(k) for t, k in zip(first.type, kind, strict=True)}
    name = settings.name or path.stem
    if not (path / "zarr.json").is_file():  # a store that is there keeps its name
        checked_name(name, "specimen")
    counts_new = settings.new_atoms == "ignore"
    kept = {**settings.stored(length), "name": name, "reference_hash": first.digest, "timestep": timesteps}
    record = Record(KEY, ("atoms", "frames", "domains"), kept, {}, (1, len(timesteps), 1), len(rows) + 6 + counts_new)
    if not run.overwrite:
        _refuse_other_frames(path, record, source)
    atoms = arrangement.atoms(first)
    cells, flips = continued_cells(source.frames, first.cell)
    policy = Policy(kinds, tuple(names), cells, settings.lost_atoms, labels_of(first, kind, names), settings.new_atoms)
    scratch = path / SCRATCH

    def template(target: Path) -> None:
        sizes = {
            "step": len(timesteps),
            "atom": len(order),
            "xyz": 3,
            "vector": 3,
            "line": 3,
            "kind": len(names),
            "domain": len(rows),
            "side": 2,
            "word": 2,
        }
        target.mkdir(parents=True, exist_ok=True)
        for group in record.groups:
            create_group(
                target,
                group,
                sizes,
                {"step": 1, "atom": min(settings.chunk, len(order))},
                {},
                length,
                () if counts_new else ("n_new",),
            )
        write_whole(target, "atoms", atoms)
        write_whole(target, "frames", {"periodic": first.periodic, "xyz": ["x", "y", "z"], "timestep": timesteps})
        write_whole(target, "domains", {"row": rows})

    def prepare() -> None:
        RowTable.write(scratch, atoms["id"], atoms["species"], box.reduced(position[order]))

    def conclude(target: Path) -> dict:
        Place(path).remove_all(SCRATCH)
        notes = [*source.warnings, *flips, *warnings_of_reference(first, kind), *contradictions(settings, made)]
        found = _provenance(target, source, settings, atoms, position[order], notes)
        return {**found, **_units(source), "reading": reading.stored(), **({"simulated": made} if made else {})}

    course = Course(
        record,
        plan_of(Size(len(order), len(timesteps), settings.chunk, tuple(box.height.tolist()))),
        template,
        partial(scatter_steps, scratch=absolute(scratch)),
        steps_per_unit=_steps_per_unit(source, run),
        prepare=prepare,
        conclude=conclude,
        given=lambda steps: (source.portion(steps), policy.of(steps)),
    )
    run_stage(path, course, run)
    return path


def _units(source: Trajectory) -> dict:
    """Unit style of the files, and the factor that made their lengths those of the store; nothing for angstrom."""
    if length_in(source.units) == ANGSTROM:
        return {}
    stored = stored_length(source.units)
    return {"units": {"style": source.units, "stored": stored, "factor": scale_of(source.units)}}


def plan_of(size: Size) -> StagePlan:
    """What ingesting a trajectory will cost."""
    # A piece of text and its arrays; of the rows by id at most the pages that its ids need.
    work = min(size.n_atom, PIECE_ATOMS) * 200 + size.n_atom * 16
    return plan_stage("ingest", size, work=work, tasks=size.n_step)


def again(path: Path, record: Record, run: Run, source: Sequence[str | Path] | None = None) -> bool:
    """Ingest with the settings of a record; see `qsdask.engine.recompute.again`."""
    if source is None:
        return False
    kept = IngestSettings.among(record.settings)
    # How its files were read decides no setting, but it must be read in that way again.
    reading = dict(record.facts.get("reading", {}))
    reading |= {name: _beside(reading[name], source) for name in ("topology", "reference") if reading.get(name)}
    ingest(source, path, **IngestSettings(**kept).arguments(), **reading, run=run)
    return True


def _beside(file: str, source: Sequence[str | Path]) -> str:
    """A file that was named at ingest, or the one of this name that lies beside the trajectory where it is now."""
    near = (located(one).parent / located(file).name for one in source)
    return file if located(file).exists() else next((str(path) for path in near if path.is_file()), file)


def _refuse_other_content(path: Path) -> None:
    """Something that is not a store, nor the beginning of one, must not be written into, nor what is inside of another store."""
    refuse_in_store(path)
    refuse_one_file(path)
    if not path.exists() or (path / "zarr.json").is_file():
        return
    if not path.is_dir() or any(not found.name.startswith(".") for found in path.iterdir()):
        raise CannotCreateError(
            "something that is not a store is here", code="E-NOT-A-STORE", file=path, hint="choose another name"
        )


def _refuse_other_frames(path: Path, record: Record, source: Trajectory) -> None:
    """Refuse a store that holds other frames behind the same first one: runs of one glass differ in nothing else.

    One frame tells, the last that is stored.
    """
    root = target_of(path, record)
    old = ledger.read(root, KEY) if (root / "zarr.json").is_file() else None
    if old is None or old.digest != record.digest:
        return
    missing = set() if old.complete else {step for _, step, _ in ledger.pending(root, KEY)}
    last = max(set(range(len(source))) - missing, default=0)
    if last == 0:
        return
    frame = next(iter(source.read(last, last + 1)))
    if not np.array_equal(StoreReader(root)["frames/source_hash"][last], hash_words(frame.digest)):
        raise other_input(path, "give the same files, choose another store, or add --overwrite")


def _provenance(
    path: Path,
    source: Trajectory,
    settings: IngestSettings,
    atoms: Mapping[str, Any],
    reference: np.ndarray,
    notes: list[ReadWarning],
) -> dict:
    """Write the strain of every frame; tell what the specimen is, and what was odd about its files."""
    root = StoreReader(path)
    cells = root["frames/cell"][:]
    loading = loading_of(cells, root["frames/periodic"][:], settings)
    told = _keep_loading(path, loading)
    n_lost = root["frames/n_lost"][:]
    n_new = root["frames/n_new"][:] if settings.new_atoms == "ignore" else np.zeros_like(n_lost)
    notes = [*notes, *loading.warnings, *count_warnings(n_lost, n_new, root["frames/n_outside"][:])]
    element = [atoms["species_name"][k] for k in atoms["species"]]
    return {
        "input": sorted({Path(f.path).name for f in source.frames}),
        "input_hash": hashlib.blake2b(root["frames/source_hash"][:].tobytes(), digest_size=16).hexdigest(),
        "specimen": specimen_key(np.asarray(atoms["id"]), element),
        "fingerprint": fingerprint(np.asarray(atoms["id"]), reference, read_box(root, 0)),
        **told,
        "warnings": [{"code": note.code, "text": note.text} for note in notes],
    }


def _keep_loading(path: Path, loading: Loading) -> dict:
    """Write strain and gradient of every frame; facts to keep beside them.

    A store begun before there was a gradient has no place for it. What it recorded as strain, by the rules of its time, stays
    when it is repaired: labels, responses and models rest on it. `qsdask.migrate` adds the gradient.
    """
    if Place(path).exists("frames/deformation"):
        write_whole(path, "frames", {"strain": loading.strain, "deformation": loading.deformation})
        return {"loading": loading.facts}
    strain = recorded_strain(path)
    write_whole(path, "frames", {"strain": loading.strain if strain is None else strain})
    return {}


def _steps_per_unit(source: Trajectory, run: Run) -> int:
    """Frames per unit of work. A packed file is read from its start by every unit, so there is one unit per worker."""
    files = {frame.path for frame in source.frames} - {source.reference}
    if any(sniff(path)[0] != "plain" for path in files):
        workers = run.workers or len(psutil.Process().cpu_affinity())
        return -(-len(source.frames) // workers)
    return 4
