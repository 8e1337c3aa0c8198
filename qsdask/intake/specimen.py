"""Which glass it is: its species, and what tells it from any other however its file was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import Frame, ReadWarning
from qsdask.settings import IngestSettings
from qsdask.space.box import Box

__all__ = [
    "completed",
    "contradictions",
    "fingerprint",
    "making_of",
    "other_input",
    "refuse_flat",
    "refuse_overlap",
    "species_of",
    "specimen_key",
]

#: Atoms whose mutual distances tell one glass from another, however it was written.
PROBES = 64

#: Atoms nearer than this are one atom written twice. Unit: angstrom.
OVERLAP = 1e-5

#: Direction that is normal to no plane of a crystal.
OBLIQUE = np.array([np.sqrt(2.0), np.sqrt(3.0), np.sqrt(5.0)]) / np.sqrt(10.0)


def making_of(trajectory: str | Path | Sequence[str | Path]) -> dict:
    """How a trajectory was made, when `qsdask.simulate` made it: ``specimen.json`` beside the dump, if it names the dump.

    Parameters
    ----------
    trajectory : path or sequence of paths
        As given to `qsdask.ingest`.

    Returns
    -------
    dict
        Its fields, those of the one deformation among them; empty for any other trajectory.

    Raises
    ------
    BadDataError
        ``E-SPECIMEN`` when the file cannot be read.
    """
    files = [trajectory] if isinstance(trajectory, str | Path) else list(trajectory)
    place = Path(files[0]).parent / "specimen.json"
    if len(files) != 1 or not place.is_file():
        return {}
    try:
        found = json.loads(place.read_bytes())
        every = found.pop("deformations")
        mine = [each for each in every if each["dump"] == Path(files[0]).name]
        stem = Path(files[0]).name.partition(".")[0]
        name = found["name"] if len(every) == 1 else f"{found['name']}-{stem}"
        if not mine:
            return {}
        checks = _checks(place.parent.parent / "checks.json", found["name"], mine[0])
        return {**found, **mine[0], "name": name, **checks}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BadDataError(
            "not the metadata of a simulated specimen",
            code="E-SPECIMEN",
            file=place,
            hint="remove it, and give --species and --strain-step instead",
        ) from None


def _checks(file: Path, specimen: str, deformation: Mapping) -> dict:
    """Physics checks that `qsdask.views.glasses` made of one deformation, if it did."""
    rows = json.loads(file.read_bytes())["rows"] if file.is_file() else []
    wanted = (specimen, deformation["loading"], deformation["run"])
    mine = [row for row in rows if (row["specimen"], row["loading"], row["run"]) == wanted]
    return {"checks": mine[0]} if mine else {}


def completed(settings: IngestSettings, made: Mapping, timesteps: Sequence[int | None]) -> IngestSettings:
    """Settings of ingest, with what the making of the specimen tells where the user says nothing.

    Parameters
    ----------
    settings : IngestSettings
        From the user.
    made : mapping
        See `making_of`.
    timesteps : sequence of int
        Of the frames that were found; the strain is known when they are the first of those that were made.

    Returns
    -------
    IngestSettings
    """
    if not made:
        return settings
    regular = list(timesteps) == list(made["timestep"])[: len(timesteps)]
    return settings.model_copy(
        update={
            "species": settings.species or {int(kind): name for kind, name in made["species"].items()},
            "name": settings.name or made["name"],
            "strain_step": made["strain_step"] if settings.strain_step is None and regular else settings.strain_step,
        }
    )


def contradictions(settings: IngestSettings, made: Mapping) -> list[ReadWarning]:
    """``W-SPECIES`` where the user names other elements than those the glass was made of.

    Parameters
    ----------
    settings : IngestSettings
        As used.
    made : mapping
        See `making_of`.
    """
    told = {int(kind): name for kind, name in made.get("species", {}).items()}
    other = {k: name for k, name in settings.species.items() if told.get(k, name) != name}
    text = "; ".join(f"type {k} is taken as {name}, the glass was made with {told[k]}" for k, name in other.items())
    return [ReadWarning("W-SPECIES", text)] if other else []


def species_of(frame: Frame, given: Mapping[int, str], path: str) -> tuple[np.ndarray, list[str]]:
    """Species of every atom of the first frame; never a guess.

    Parameters
    ----------
    frame : Frame
        The first one.
    given : mapping of int to str
        Element of each atom type, as far as the user says it.
    path : str
        Its file, for messages.

    Returns
    -------
    index : int16 array, shape (n_atom,)
        Into the names.
    name : list of str
        Elements in alphabetical order.

    Raises
    ------
    BadDataError
        ``E-SPECIES`` when an element is unknown, or the user and the file disagree.
    """
    if frame.element is not None and not given:
        return frame.element.code.astype(np.int16), list(frame.element.name)
    types = [] if frame.type is None else np.unique(frame.type).tolist()
    missing = [t for t in types if t not in given]
    if frame.type is None or missing:
        raise BadDataError(
            f"the element of atom type {', '.join(map(str, missing)) or '?'} is not known",
            code="E-SPECIES",
            file=path,
            frame=0,
            timestep=frame.timestep,
            why="a LAMMPS type is a number; which element it is, the file does not tell",
            hint="give all of them, for example --species " + ",".join(f"{t}=Cu" for t in types or [1]),
        )
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
                code="E-SPECIES",
                file=path,
                frame=0,
                timestep=frame.timestep,
                atom_id=int(frame.id[at]),
            )
    return kind, names


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


def refuse_flat(frame: Frame, path: str) -> None:
    """Refuse a system of two dimensions: atoms that all have the same coordinate along an axis.

    Parameters
    ----------
    frame : Frame
        The undeformed glass. Fewer than four atoms always lie in a plane, and are let through.
    path : str
        Its file, for messages.

    Raises
    ------
    BadDataError
        ``E-2D``.
    """
    if frame.natoms < 4:
        return
    for axis in np.flatnonzero(np.ptp(frame.position, axis=0) == 0.0):
        raise BadDataError(
            f"all atoms have {'xyz'[axis]} = {frame.position[0, axis]:g}",
            code="E-2D",
            file=path,
            frame=0,
            timestep=frame.timestep,
            why="2D systems are not supported: their atoms have no Voronoi cells in three dimensions",
        )


def refuse_overlap(frame: Frame, path: str) -> None:
    """Refuse two atoms at one place, which have no Voronoi cells of their own.

    Parameters
    ----------
    frame : Frame
        The undeformed glass.
    path : str
        Its file, for messages.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` with both ids.

    Notes
    -----
    Along a direction that no lattice plane is normal to, atoms that are near each other stand near each other in a
    sorted list.
    """
    box = Box(frame.cell, frame.origin, frame.periodic)
    position = box.wrap(frame.position)
    along = position @ OBLIQUE
    order = np.argsort(along, kind="stable")
    sorted_along = along[order]
    for gap in range(1, len(order)):
        first = np.flatnonzero(sorted_along[gap:] - sorted_along[:-gap] <= OVERLAP)
        if not len(first):
            return
        a, b = order[first], order[first + gap]
        distance = np.linalg.norm(position[a] - position[b], axis=1)
        if distance.min() <= OVERLAP:
            k = int(np.argmin(distance))
            pair = sorted((int(frame.id[a[k]]), int(frame.id[b[k]])))
            raise BadDataError(
                f"atoms {pair[0]} and {pair[1]} are {distance[k]:.3g} angstrom apart",
                code="E-OVERLAP",
                file=path,
                frame=0,
                timestep=frame.timestep,
                atom_id=pair[1],
                why="two atoms at one place have no Voronoi cells of their own",
                hint="remove the copy from the first frame",
            )


def other_input(path: Path, hint: str) -> BadDataError:
    """``E-OTHER-INPUT`` for a trajectory that is not that of the store."""
    return BadDataError(
        "this is not the trajectory that the store was made from",
        code="E-OTHER-INPUT",
        file=path,
        why="its frames have other content than those ingested",
        hint=hint,
    )
