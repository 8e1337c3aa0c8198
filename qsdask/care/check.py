"""Stage ``check``: read a trajectory to its end, ingest nothing, and tell all that is wrong with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qsdask.engine.tasks import progress_bar
from qsdask.errors import QSDaskError, UsageError
from qsdask.formats.continuity import continued_cells
from qsdask.formats.frame import Frame, FramePiece, ReadWarning, periodic_axes
from qsdask.formats.reference import open_run, tells_species, undeformed
from qsdask.formats.trajectory import Trajectory
from qsdask.intake.comparison import SHOWN, Policy, lost_atoms_error
from qsdask.intake.loading import loading_of, refuse_unknown_strain, strains_from
from qsdask.intake.making import completed, making_of
from qsdask.intake.rowtable import RowTable
from qsdask.intake.scatter import PIECE_ATOMS, box_of, count_warnings, far_outside, known_atoms
from qsdask.intake.soundness import refuse_flat
from qsdask.intake.specimen import labels_of, species_of
from qsdask.intake.undeformed import Passes, in_turn
from qsdask.radii import radius_of, species_example
from qsdask.settings import IngestSettings, ReadingSettings, validated
from qsdask.space.cuts import sizes_of
from qsdask.space.domains import REGIONS
from qsdask.units import stored_length

__all__ = ["Findings", "check"]


@dataclass
class Findings:
    """What `check` found.

    Attributes
    ----------
    frames, atoms : int
        Whole frames, and atoms of the first one; 0 when there is none.
    errors : list of QSDaskError
        Everything that `qsdask.ingest` would refuse, in the order of the files; `max_errors` at most.
    warnings : list of ReadWarning
        What it would accept and keep in the store's provenance.
    """

    frames: int = 0
    atoms: int = 0
    errors: list[QSDaskError] = field(default_factory=list)
    warnings: list[ReadWarning] = field(default_factory=list)

    def as_json(self) -> dict:
        """Plain values for JSON."""
        return {
            "frames": self.frames,
            "atoms": self.atoms,
            "errors": [error.as_json() for error in self.errors],
            "warnings": [warning._asdict() for warning in self.warnings],
        }


class _EnoughError(Exception):
    """As many errors as were asked for."""


def check(
    trajectory: str | Path | Sequence[str | Path],
    *,
    species: Mapping[int | str, str] | Sequence[str] | None = None,
    strain_step: float | None = None,
    strain_file: str | Path | Sequence[float] | None = None,
    loading: str | None = None,
    boundary: str | None = None,
    units: str | None = None,
    radius: Mapping[str, float] | None = None,
    topology: str | Path | None = None,
    reference: str | Path | None = None,
    columns: str | None = None,
    strict: bool = False,
    skip_bad_frames: bool = False,
    assume_order: bool = False,
    restart_overlap: str = "error",
    lost_atoms: str = "error",
    new_atoms: str = "error",
    max_errors: int = 20,
    frame: int | None = None,
    progress: bool = False,
) -> Findings:
    """Read a trajectory as `qsdask.ingest` does, write nothing, and collect what is wrong.

    Parameters
    ----------
    trajectory, species, strain_step, strain_file, loading, boundary, units, radius, lost_atoms, new_atoms
        As for `qsdask.ingest`. Without `species`, also from ``specimen.json``, and where the file does not tell, elements are
        not looked at, and ``W-SPECIES`` says that ingest will need them.
    topology, reference, columns, strict, skip_bad_frames, assume_order, restart_overlap
        As for `qsdask.ingest`.
    max_errors : int
        Stop after so many.
    frame : int, optional
        Look at this frame only, besides the first.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Findings
        Refusals are collected, not raised. One piece of a frame is held at a time, and of the undeformed frame one part: what
        the others are compared with waits in a folder of ``TMPDIR``, about 100 bytes an atom.
    """
    found = Findings()
    settings = validated(
        IngestSettings,
        species=species,
        strain_step=strain_step,
        strain_file=strains_from(strain_file),
        loading=loading,
        boundary=boundary,
        units=units,
        radius=radius,
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

    def collect(error: QSDaskError) -> None:
        found.errors.append(error)
        if len(found.errors) >= max_errors:
            raise _EnoughError

    try:
        source = open_run(
            trajectory,
            boundary=settings.boundary,
            units=settings.units,
            **reading.arguments(),
            on_bad=None if reading.skip_bad_frames else collect,
        )
        found.warnings.extend(source.warnings)
        found.frames = len(source)
        settings = completed(settings, making_of(trajectory), [place.timestep for place in source.frames])
        _check_frames(source, settings, frame, progress, found, collect)
    except QSDaskError as error:
        if error not in found.errors:  # the last of many bad frames, which left none
            found.errors.append(error)
    except _EnoughError:
        pass
    return found


def _check_frames(
    source: Trajectory,
    settings: IngestSettings,
    only: int | None,
    progress: bool,
    found: Findings,
    collect: Callable[[QSDaskError], None],
) -> None:
    """All frames against the first one; an error in one does not keep the next from being looked at."""
    if only is not None and not 0 <= only < len(source):
        raise UsageError(f"there are {len(source)} frames, counted from 0; no frame {only}", code="E-STEP")
    steps = list(range(len(source))) if only is None else [only]
    done = 0
    with (
        tempfile.TemporaryDirectory(prefix="qsdask-check-") as folder,
        progress_bar("check", len(steps), show=progress) as advance,
    ):
        table, policy = _check_first(source, settings, Path(folder) / "first", found)
        cells = {**policy.cells}
        counts = np.zeros((3, len(source)), np.int64)
        while done < len(steps):
            try:
                for step, pieces in source.frames_in_pieces(steps[done:], PIECE_ATOMS):
                    *counts[:, step], cells[step] = _check_frame(source, step, pieces, table, policy)
                    done += 1
                    advance(1)
            except QSDaskError as error:
                collect(error)
                done += 1
                advance(1)
    if len(cells) == len(source):  # where one could not be read, nobody knows which moves most
        every = np.array([cells[step] for step in range(len(source))])
        periodic = periodic_axes(source.frames[0].boundary)
        found.warnings.extend(loading_of(every, periodic, settings).warnings)
    found.warnings.extend(count_warnings(*counts))


def _check_first(
    source: Trajectory, settings: IngestSettings, folder: Path, found: Findings
) -> tuple[RowTable, Policy]:
    """The undeformed frame, looked at as `qsdask.ingest` does, part by part in this process; what the others are compared with."""
    passes, each = (
        Passes(source.portion([0]), folder, sizes_of(source.frames[0].natoms).part, REGIONS, None),
        in_turn(folder),
    )
    survey = passes.survey(each)
    if not tells_species(source, survey.examples, settings.species):
        passes = passes.of_frame(undeformed(source, settings.species))
        survey = passes.survey(each)
    first, path = survey.examples, source.frames[0].path
    found.atoms = passes.n_atom
    refuse_flat(survey.low, survey.high, passes.n_atom, path, first.timestep)
    refuse_unknown_strain(settings, len(source), first.cell, first.periodic)
    kind = np.arange(len(survey.kinds))
    names: list[str] = []
    if settings.species or first.element is not None:
        kind, names = species_of(first, settings.species, path)
        radius_of(names, settings.radius_angstrom, stored_length(source.units))
    else:
        # Without elements every type is a species of its own: a type must not change either way.
        found.warnings.append(_unknown_species(first))
    species = dict(zip(survey.kinds, kind.tolist(), strict=True))
    cells, flips = continued_cells(source.frames, first.cell)
    arranged = passes.arranged(each, survey, species)
    found.warnings.extend([*flips, *arranged.warnings])
    kinds = {pair[0]: number for pair, number in species.items() if pair[0] is not None}
    labels = labels_of(first, kind, names) if names else {}
    return arranged.table, Policy(kinds, tuple(names), cells, settings.lost_atoms, labels, settings.new_atoms)


def _unknown_species(first: Frame) -> ReadWarning:
    """``W-SPECIES``: what ingest will ask for."""
    types = [1] if first.type is None else np.unique(first.type).tolist()
    text = "the file does not tell the elements of its atoms; ingest needs them all, for example --species "
    text += species_example(types)
    return ReadWarning("W-SPECIES", text)


def _check_frame(
    source: Trajectory, step: int, pieces: Iterable[FramePiece], table: RowTable, policy: Policy
) -> tuple[int, int, int, np.ndarray]:
    """The atoms of a frame are those of the first one, each once; how many are lost, new, and far outside of the box; its cell."""
    place = source.place(step)
    count = np.zeros(len(table), dtype=np.uint8)
    new = outside = 0
    for piece in pieces:
        box = box_of(piece.header, policy, step)
        row, position = known_atoms(piece, table, policy, place.path, step)
        new += len(piece.id) - len(row)
        outside += far_outside(box.reduced(position), piece.header)
        np.add.at(count, row, 1)
    if (count > 1).any():
        raise source.repeated_id(step, _lowest(table, count > 1, 1)[0])
    lost = count == 0
    n_lost = int(np.count_nonzero(lost))
    if not policy.bears(n_lost, len(table)):
        raise lost_atoms_error(np.array(_lowest(table, lost, SHOWN)), n_lost, len(table), place, step)
    return n_lost, new, outside, box.cell


def _lowest(table: RowTable, chosen: np.ndarray, count: int) -> list[int]:
    """The lowest ids of the rows that are chosen, so many at most."""
    ids: list[int] = []
    for atom_id, row in table.in_order(PIECE_ATOMS):
        ids += atom_id[chosen[row]].tolist()
        if len(ids) >= count:
            break
    return ids[:count]
