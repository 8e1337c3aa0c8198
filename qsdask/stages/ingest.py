"""Stage ``ingest``: a strain-resolved trajectory becomes a chunked store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from qsdask.engine.load import read_box
from qsdask.engine.stage import Course, Run, run_stage
from qsdask.errors import BadDataError, CannotCreateError
from qsdask.formats.container import sniff
from qsdask.formats.frame import Frame
from qsdask.formats.trajectory import Trajectory, open_trajectory
from qsdask.radii import radius_of
from qsdask.settings import IngestSettings, validated
from qsdask.space.box import Box
from qsdask.space.domains import bisect, domain_bounds, domain_rows
from qsdask.stages.redo import redo
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.template import create_group, write_whole

__all__ = ["ingest"]

KEY = "ingest"

#: Atoms whose mutual distances tell one glass from another, however it was written.
PROBES = 64

#: Measured and given strain may differ by this much before a warning is kept.
STRAIN_TOLERANCE = 1e-3


def ingest(
    trajectory: str | Path | Sequence[str | Path],
    store: str | Path,
    *,
    species: Mapping[int, str] | None = None,
    strain_step: float | None = None,
    chunk: int | None = None,
    boundary: str | None = None,
    radius: Mapping[str, float] | None = None,
    name: str | None = None,
    run: Run | None = None,
) -> Path:
    """Turn a strain-resolved trajectory into a store, one frame per strain step.

    Parameters
    ----------
    trajectory : path or sequence of paths
        LAMMPS text dumps, plain or gzip, many frames in one file or one per file; other formats through MDAnalysis.
        The first frame is the undeformed glass.
    store : str or Path
        Store to make.
    species : mapping of int to str, optional
        Element of each atom type, ``{1: "Cu", 2: "Zr"}``; needed unless the trajectory has an element column.
    strain_step : float, optional
        Strain between consecutive frames, a fraction. Measured from the cell when not given.
    chunk : int, optional
        Atoms per domain, chunk and task; 65536 by default. It changes no number.
    boundary : str, optional
        LAMMPS boundary such as ``"ppp"`` or ``"spp"`` for files that do not tell.
    radius : mapping of str to float, optional
        Atomic radii that replace those of Miracle et al. Unit: angstrom.
    name : str, optional
        Name of the specimen; the store's file name by default.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    Path
        The store, with ``atoms``, ``frames`` and ``domains``.

    Raises
    ------
    NoInputError
        When a file is not there.
    BadDataError
        When the input is damaged, atoms are lost or change type, or species are unknown.
    CannotCreateError
        ``E-NOT-A-STORE`` when something else is in the way.
    """
    path, run = Path(store), run or Run()
    settings = validated(
        IngestSettings,
        species=species,
        strain_step=strain_step,
        chunk=chunk,
        boundary=boundary,
        radius_angstrom=radius,
        name=name,
    )
    if path.exists() and not (path / "zarr.json").is_file() and (not path.is_dir() or any(path.iterdir())):
        raise CannotCreateError(
            "something that is not a store is here",
            code="E-NOT-A-STORE",
            file=path,
            hint="choose another name",
        )
    source = open_trajectory(trajectory, boundary=settings.boundary)
    first = next(iter(source.read(0, 1)))
    box = Box(first.cell, first.origin, first.periodic)
    kind, names = _species(first, settings.species, source)
    kinds = {} if first.type is None else {int(t): int(k) for t, k in zip(first.type, kind, strict=True)}
    radii = radius_of(names, settings.radius_angstrom)
    position = box.wrap(first.position)
    order = bisect(position, first.id, box, settings.chunk)
    rows = domain_rows(len(order), settings.chunk)
    kept = {
        **settings.stored(), "name": settings.name or path.stem, "reference_hash": first.digest,
        "timestep": [frame.timestep for frame in source.frames],
    }  # fmt: skip
    record = Record(KEY, ("atoms", "frames", "domains"), kept, {}, (1, len(source.frames), 1), len(rows) + 4)
    atoms = {"id": first.id[order], "species": kind[order], "species_name": names, "radius": radii}
    frames = {"periodic": first.periodic, "xyz": ["x", "y", "z"], "timestep": kept["timestep"]}

    def template() -> None:
        sizes = {
            "step": len(source.frames), "atom": len(order), "xyz": 3, "vector": 3, "kind": len(names), "domain": len(rows),
            "side": 2, "word": 2,
        }  # fmt: skip
        path.mkdir(parents=True, exist_ok=True)
        for group in ("atoms", "frames", "domains"):
            chunks = {"step": 1, "atom": min(settings.chunk, len(order))}
            create_group(path, group, sizes, chunks, {})
        write_whole(path, "atoms", atoms)
        write_whole(path, "frames", frames)
        write_whole(path, "domains", {"row": rows})

    course = Course(
        record,
        template,
        partial(
            _ingest_steps, source=source, kinds=kinds, start=box.reduced(position[order]).astype(np.float32)
        ),
        _nothing,
        steps_per_unit=_steps_per_unit(source, run),
        conclude=partial(_conclude, path, source, settings, atoms, position[order]),
    )
    redo(path, run_stage(path, course, run), run)
    return path


def _ingest_steps(
    path: str,
    part: int,
    domain: int,
    steps: list[int],
    *,
    source: Trajectory,
    kinds: dict[int, int],
    start: np.ndarray,
) -> None:
    root = StoreReader(path)
    rows = root.domain_rows
    match = _Match.of(root["atoms/id"][:])
    kind = root["atoms/species"][:]
    wanted = set(steps)
    for step, frame in enumerate(source.read(min(steps), max(steps) + 1), start=min(steps)):
        if step not in wanted:
            continue
        index = match.rows_of(frame, step)
        if frame.type is not None:
            _refuse_changed_type(frame, index, kind, kinds, step)
        position = frame.position[index]
        # Follow every atom from its wrapped place in the first frame: the bounds of a domain stay compact although
        # its atoms cross the faces of the cell.
        reduced = Box(frame.cell, frame.origin, frame.periodic).reduced(position)
        followed = reduced - np.where(frame.periodic, np.rint(reduced - start), 0.0)
        digest = np.frombuffer(bytes.fromhex(frame.digest)[:16], dtype=">u8").astype(np.uint64)
        with ledger.committing(Path(path), KEY, (part, step, domain)) as writer:
            writer.write("frames", "position", (step,), position[None])
            writer.write("frames", "cell", (step,), frame.cell[None])
            writer.write("frames", "origin", (step,), frame.origin[None])
            writer.write("frames", "source_hash", (step,), digest[None])
            writer.write("domains", "bounds", (step,), domain_bounds(followed, rows)[None])


@dataclass(frozen=True)
class _Match:
    """Atoms of a frame by id, whatever their order in the file."""

    sorted_id: np.ndarray
    row: np.ndarray

    @classmethod
    def of(cls, atom_id: np.ndarray) -> _Match:
        row = np.argsort(atom_id, kind="stable")
        return cls(atom_id[row], row)

    def rows_of(self, frame: Frame, step: int) -> np.ndarray:
        """Index into the frame's atoms for every row of the store."""
        by_id = np.argsort(frame.id, kind="stable")
        if len(by_id) != len(self.row) or not np.array_equal(frame.id[by_id], self.sorted_id):
            lost = np.setdiff1d(self.sorted_id, frame.id)
            new = np.setdiff1d(frame.id, self.sorted_id)
            raise BadDataError(
                f"{len(lost)} atoms of the first frame are missing and {len(new)} are new; "
                f"missing ids {lost[:20].tolist()}, new ids {new[:20].tolist()}",
                code="E-LOST-ATOMS", frame=step, timestep=frame.timestep,
                why="atoms left through a free surface, or frames of different systems were mixed",
                hint="ingest only frames of one system with all its atoms",
            )  # fmt: skip
        index = np.empty(len(by_id), dtype=np.int64)
        index[self.row] = by_id
        return index


def _species(frame: Frame, given: Mapping[int, str], source: Trajectory) -> tuple[np.ndarray, list[str]]:
    """Species index of every atom of the first frame, and the species' names; never a guess."""
    if frame.element is not None and not given:
        return frame.element.code.astype(np.int16), list(frame.element.name)
    types = [] if frame.type is None else np.unique(frame.type).tolist()
    missing = [t for t in types if t not in given]
    if frame.type is None or missing:
        raise BadDataError(
            f"the element of atom type {', '.join(map(str, missing)) or '?'} is not known",
            code="E-SPECIES", file=source.frames[0].path, frame=0, timestep=frame.timestep,
            why="a LAMMPS type is a number; which element it is, the file does not tell",
            hint="give all of them, for example --species " + ",".join(f"{t}=Cu" for t in types or [1]),
        )  # fmt: skip
    names = sorted({given[t] for t in types})
    lookup = np.zeros(max(types) + 1, dtype=np.int16)
    for t in types:
        lookup[t] = names.index(given[t])
    kind = lookup[frame.type]
    if frame.element is not None:
        written = np.array(frame.element.name)[frame.element.code]
        differs = np.flatnonzero(written != np.array(names)[kind])
        if len(differs):
            at = differs[0]
            raise BadDataError(
                f"--species says {names[kind[at]]}, the element column says {written[at]}",
                code="E-SPECIES", file=source.frames[0].path, frame=0, timestep=frame.timestep, atom_id=int(frame.id[at]),
            )  # fmt: skip
    return kind, names


def _refuse_changed_type(
    frame: Frame, index: np.ndarray, kind: np.ndarray, kinds: dict[int, int], step: int
) -> None:
    types = frame.type[index]
    lookup = np.full(max(int(types.max()), *kinds) + 1, -1, dtype=np.int64)
    lookup[list(kinds)] = list(kinds.values())
    wrong = np.flatnonzero(lookup[types] != kind)
    if len(wrong):
        raise BadDataError(
            f"{len(wrong)} atoms have another type than in the first frame",
            code="E-TYPE-CHANGE", frame=step, timestep=frame.timestep, atom_id=int(frame.id[index][wrong[0]]),
            why="species are taken to be fixed; files of two systems may have been mixed",
        )  # fmt: skip


def _conclude(
    path: Path,
    source: Trajectory,
    settings: IngestSettings,
    atoms: Mapping[str, object],
    reference: np.ndarray,
) -> dict:
    """Write the strain of every frame; tell what the specimen is."""
    root = StoreReader(path)
    cells = root["frames/cell"][:]
    measured = _measured_strain(cells)
    warnings = [{"code": w.code, "text": w.text} for w in source.warnings]
    strain = measured if settings.strain_step is None else settings.strain_step * np.arange(len(cells))
    worst = int(np.argmax(np.abs(strain - measured)))
    if abs(strain[worst] - measured[worst]) > STRAIN_TOLERANCE:
        warnings.append(
            {
                "code": "W-STRAIN",
                "text": f"frame {worst}: the strain given is {strain[worst]:.5g}, the cell says {measured[worst]:.5g}",
            }
        )
    if len(cells) > 1 and not measured.any() and settings.strain_step is None:
        warnings.append(
            {
                "code": "W-NO-STRAIN",
                "text": "the cell never changes and no --strain-step was given: strain is 0",
            }
        )
    write_whole(path, "frames", {"strain": strain})
    frames = hashlib.blake2b(root["frames/source_hash"][:].tobytes(), digest_size=16).hexdigest()
    box = read_box(root, 0)
    return {
        "input": sorted({Path(f.path).name for f in source.frames}),
        "input_hash": frames,
        "specimen": specimen_key(
            np.asarray(atoms["id"]), [atoms["species_name"][k] for k in atoms["species"]]
        ),
        "fingerprint": fingerprint(np.asarray(atoms["id"]), reference, box),
        "warnings": warnings,
    }


def specimen_key(atom_id: np.ndarray, element: Sequence[str]) -> str:
    """Name of a specimen from its ids and elements alone: the same however rows were cut or positions written."""
    order = np.argsort(atom_id, kind="stable")
    text = ",".join(np.asarray(element)[order].tolist())
    return hashlib.blake2b(atom_id[order].astype("<i8").tobytes() + text.encode(), digest_size=16).hexdigest()


def fingerprint(atom_id: np.ndarray, position: np.ndarray, box: Box) -> list[float]:
    """Distances along a chain of atoms chosen by their ids; one glass has one, moved or wrapped as it may be.

    Parameters
    ----------
    atom_id : int64 array, shape (n_atom,)
        Ids in row order.
    position : float64 array, shape (n_atom, 3)
        Reference positions in row order. Unit: angstrom.
    box : Box
        Reference cell.

    Returns
    -------
    list of float
        Unit: angstrom, three decimals.
    """
    scattered = atom_id.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    chain = position[np.argsort(scattered, kind="stable")[:PROBES]]
    step = box.reduced(chain[1:]) - box.reduced(chain[:-1])
    step -= np.where(box.periodic, np.rint(step), 0.0)
    return np.round(np.linalg.norm(step @ box.cell, axis=1), 3).tolist()


def _measured_strain(cells: np.ndarray) -> np.ndarray:
    """Engineering strain along the cell vector whose length changes most; positive in compression and in tension."""
    length = np.linalg.norm(cells, axis=2)
    relative = length / length[0] - 1.0
    axis = int(np.argmax(np.abs(relative[-1])))
    return np.abs(relative[:, axis])


def _steps_per_unit(source: Trajectory, run: Run) -> int:
    """Frames per unit of work. A gzip file is read from its start by every unit, so there is one unit per worker."""
    if any(sniff(path)[0] != "plain" for path in {frame.path for frame in source.frames}):
        workers = run.workers or len(psutil.Process().cpu_affinity())
        return -(-len(source.frames) // workers)
    return 4


def _nothing() -> None:
    """Nothing to compile beyond what the reader compiles itself."""
