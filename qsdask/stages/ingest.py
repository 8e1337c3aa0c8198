"""Stage ``ingest``: a strain-resolved trajectory becomes a chunked store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from qsdask.engine.cost import Size
from qsdask.engine.course import Course, run_stage
from qsdask.engine.guard import refuse_again
from qsdask.engine.reading import read_box
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, CannotCreateError, UsageError, storage_errors
from qsdask.files.location import absolute, located
from qsdask.files.lock import refuse_one_file, writing
from qsdask.files.taken import refuse_in_store
from qsdask.formats.container import sniff
from qsdask.formats.continuity import continued_cells
from qsdask.formats.frame import ReadWarning
from qsdask.formats.reference import open_run
from qsdask.formats.thermo import thermo_table
from qsdask.formats.trajectory import Trajectory
from qsdask.intake.comparison import Policy
from qsdask.intake.loading import keep_loading, loading_of, refuse_unknown_strain, strains_from
from qsdask.intake.making import completed, contradictions, making_of
from qsdask.intake.scatter import count_warnings, hash_words, scatter_steps
from qsdask.intake.soundness import refuse_flat
from qsdask.intake.specimen import fingerprint, labels_of, other_input, species_of, specimen_key
from qsdask.intake.survey import Survey
from qsdask.intake.undeformed import TABLE
from qsdask.names import checked_name
from qsdask.radii import radius_of
from qsdask.schema import steps_in_file
from qsdask.settings import IngestSettings, ReadingSettings, validated
from qsdask.space.domains import EXTENTS, REGIONS, Rule, domain_rows
from qsdask.stages.arranging import as_typed, clear_scratch, empty_store, scratch_of, surveyed_on
from qsdask.stages.ingest_plan import plan_of
from qsdask.stages.stress import keep_stress
from qsdask.store import ledger
from qsdask.store.beside import target_of
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.template import write_whole
from qsdask.units import ANGSTROM, conversion_of, length_in, stored_length

__all__ = ["ingest", "plan_of"]

KEY = "ingest"

#: Setting in the record of a store that says by which rule its rows are ordered; stores of before have none.
_ROWS = "rows"


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
    thermo: str | Path | None = None,
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
        given, and is kept with the store, and so is the stress along the loading.
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
    thermo : path, optional
        Table with the stress along the loading, which is kept as by `qsdask.stress`: a log of LAMMPS, for example.
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
        ``E-OTHER-INPUT`` when the store was made from, or begun with, other frames. For `thermo` as of `qsdask.stress`.
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
    if thermo is not None:
        thermo_table(thermo)  # a damaged one is told before hours of work
    _ingested(trajectory, path, settings, reading, run, REGIONS)
    keep_stress(path, trajectory, thermo, run)
    return path


def _ingested(
    trajectory: str | Path | Sequence[str | Path],
    path: Path,
    settings: IngestSettings,
    reading: ReadingSettings,
    run: Run,
    rule: Rule,
) -> Path:
    """Ingest; a store that is there keeps the rule by which its rows were ordered, others get this one."""
    refuse_again()
    _refuse_other_content(path)
    source = open_run(trajectory, boundary=settings.boundary, units=settings.units, **reading.arguments())
    # Kept where it decides numbers, whoever told it.
    settings = settings.model_copy(update={"units": None if length_in(source.units) == ANGSTROM else source.units})
    made = making_of(trajectory)
    settings = completed(settings, made, [frame.timestep for frame in source.frames])
    if not (path / "zarr.json").is_file():  # a store that is there keeps its name
        checked_name(settings.name or path.stem, "specimen")
    elif (old := ledger.read(path, KEY)) is not None and not run.overwrite:  # one of another program is refused here
        rule = old.settings.get(_ROWS, EXTENTS)
    with storage_errors(path), writing(path), as_typed(source):
        try:
            with run.shared() as together:
                _fill(source, path, settings, reading, made, together, rule)
        except (BadDataError, UsageError, CannotCreateError):  # of our own workers none writes any more
            begun = ledger.read(path, KEY) if (path / "zarr.json").is_file() else None
            if begun is None or begun.complete:
                clear_scratch(path)  # nothing of it is of use
            raise
    return path


def _fill(
    source: Trajectory, path: Path, settings: IngestSettings, reading: ReadingSettings, made: dict, run: Run, rule: Rule
) -> None:
    """Look at the undeformed frame, arrange its atoms, and fill the store."""
    length, n_atom = stored_length(source.units), source.frames[0].natoms
    timesteps = [frame.timestep for frame in source.frames]
    # Without a halo it does not matter how thick the box is.
    plan = plan_of(Size(n_atom, len(timesteps), settings.chunk, (0.0, 0.0, 0.0)), source.frames[0].reader)
    arranging, survey = surveyed_on(source, scratch_of(path), settings, rule, run, plan)
    first, names, kinds = survey.examples, *_species(survey, source, settings)
    counts_new = settings.new_atoms == "ignore"
    kept = {**settings.stored(length), "name": settings.name or path.stem, "reference_hash": first.digest}
    kept |= {"timestep": timesteps} if rule == EXTENTS else {"timestep": timesteps, _ROWS: rule}
    rows = domain_rows(n_atom, settings.chunk)
    groups, shape, stride = ("atoms", "frames", "domains"), (1, len(timesteps), 1), steps_in_file(len(timesteps))
    record = Record(KEY, groups, kept, {}, shape, len(rows) + 6 + counts_new, stride=stride)
    if not run.overwrite:
        _refuse_other_frames(path, record, source)
    cells, flips = continued_cells(source.frames, first.cell)
    types = {pair[0]: kind for pair, kind in kinds.items() if pair[0] is not None}
    labels = labels_of(first, np.array(list(kinds.values())), names)
    policy = Policy(types, tuple(names), cells, settings.lost_atoms, labels, settings.new_atoms)

    def template(target: Path) -> None:
        empty_store(target, rows, len(timesteps), len(names), length, counts_new=counts_new, stride=stride)
        radii = radius_of(names, settings.radius_angstrom, length)
        write_whole(target, "atoms", {"species_name": names, "radius": radii})
        arranging.put_atoms(target, settings.chunk)
        write_whole(target, "frames", {"periodic": first.periodic, "xyz": ["x", "y", "z"], "timestep": timesteps})
        write_whole(target, "domains", {"row": rows})

    def conclude(target: Path) -> dict:
        arranged = arranging.arranged
        notes = [*source.warnings, *flips, *arranged.warnings, *contradictions(settings, made)]
        glass = {
            "specimen": specimen_key(arranged.table, names),
            "fingerprint": fingerprint(survey.chain, read_box(StoreReader(target), 0)),
        }
        found = {**_provenance(target, source, settings, notes), **glass, **conversion_of(source.units)}
        return {**found, "reading": reading.stored(), **({"simulated": made} if made else {})}

    course = Course(
        record,
        plan,
        template,
        partial(scatter_steps, scratch=absolute(scratch_of(path) / TABLE)),
        steps_per_unit=_steps_per_unit(source, run),
        conclude=conclude,
        given=lambda steps: (source.portion(steps), policy.of(steps)),
        ahead=lambda begun, todo: arranging.spread(begun, todo, path, source, policy),
    )
    if run.overwrite or not _whole(path, record):
        arranging.arrange(survey, kinds)
    run_stage(path, course, run)
    clear_scratch(path)


def _species(
    survey: Survey, source: Trajectory, settings: IngestSettings
) -> tuple[list[str], dict[tuple[int | None, str | None], int]]:
    """Names of the species, and which one each pair of type and element is; what can be refused by then is refused."""
    first, file = survey.examples, source.frames[0].path
    refuse_unknown_strain(settings, len(source), first.cell, first.periodic)
    refuse_flat(survey.low, survey.high, survey.header.natoms, file, first.timestep)
    kind, names = species_of(first, settings.species, file)
    radius_of(names, settings.radius_angstrom, stored_length(source.units))
    return names, dict(zip(survey.kinds, kind.tolist(), strict=True))


def _whole(path: Path, record: Record) -> bool:
    """Whether the store is complete with these settings, so that nothing is to be done."""
    old = ledger.read(path, KEY) if (path / "zarr.json").is_file() else None
    return old is not None and old.complete and old.digest == record.digest


def again(path: Path, record: Record, run: Run, source: Sequence[str | Path] | None = None) -> bool:
    """Ingest with the settings of a record; see `qsdask.engine.recompute.again`."""
    if source is None:
        return False
    kept = IngestSettings.among(record.settings)
    # How its files were read decides no setting, but it must be read in that way again.
    read = dict(record.facts.get("reading", {}))
    read |= {name: _beside(read[name], source) for name in ("topology", "reference") if read.get(name)}
    settings, reading = IngestSettings(**kept), validated(ReadingSettings, **read)
    _ingested(source, path, settings, reading, run, record.settings.get(_ROWS, EXTENTS))
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
    todo = [] if old.complete else ledger.pending(root, KEY)
    missing = {step for _, number, _ in todo for step in old.steps_of(number)}
    last = max(set(range(len(source))) - missing, default=0)
    if last == 0:
        return
    digest = source.portion([last]).digest(last)
    if not np.array_equal(StoreReader(root)["frames/source_hash"][last], hash_words(digest)):
        raise other_input(path, "give the same files, choose another store, or add --overwrite")


def _provenance(path: Path, source: Trajectory, settings: IngestSettings, notes: list[ReadWarning]) -> dict:
    """Write the strain of every frame; tell what was odd about the files."""
    root = StoreReader(path)
    loading = loading_of(root["frames/cell"][:], root["frames/periodic"][:], settings)
    told = keep_loading(path, loading)
    n_lost = root["frames/n_lost"][:]
    n_new = root["frames/n_new"][:] if settings.new_atoms == "ignore" else np.zeros_like(n_lost)
    notes = [*notes, *loading.warnings, *count_warnings(n_lost, n_new, root["frames/n_outside"][:])]
    return {
        "input": sorted({Path(f.path).name for f in source.frames}),
        "input_hash": hashlib.blake2b(root["frames/source_hash"][:].tobytes(), digest_size=16).hexdigest(),
        **told,
        "warnings": [{"code": note.code, "text": note.text} for note in notes],
    }


def _steps_per_unit(source: Trajectory, run: Run) -> int:
    """Frames per unit of work: some units for every worker, so that all end at once. A packed file is read from its start by every
    unit, so there is one unit per worker.
    """
    workers = run.workers or len(psutil.Process().cpu_affinity())
    files = {frame.path for frame in source.frames} - {source.reference}
    if any(sniff(path)[0] != "plain" for path in files):
        return -(-len(source.frames) // workers)
    return min(4, -(-len(source.frames) // (8 * workers)))
