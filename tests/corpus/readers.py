"""qsdask and its peers behind one face: files in; frames, warnings or a refusal out.

A reader is a function of (paths, options, stored). It returns frames as dicts of plain lists and a set of
warning codes, or raises. `READERS` names them all.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

__all__ = ["READERS", "VERSIONS"]

SPECIES = {1: "Cu", 2: "Zr"}
#: Options of the reader alone; the others are of the checks.
READING = ("boundary", "units", "strict", "assume_order", "restart_overlap", "skip_bad_frames")


def read_with_qsdask(paths, options, stored):
    """The one place where the corpus calls qsdask."""
    import qsdask
    from qsdask.engine.where import Run
    from qsdask.formats.opening import open_trajectory
    from qsdask.store import ledger

    settings = {"species": SPECIES, **options}
    findings = qsdask.check(paths, **{k: v for k, v in settings.items() if k != "strain_step"})
    if findings.errors:
        raise findings.errors[0]
    codes = {warning.code for warning in findings.warnings}
    trajectory = open_trajectory(paths, **{k: v for k, v in settings.items() if k in READING})
    frames = [_of_frame(frame) for frame in trajectory.read()]
    if stored:
        with tempfile.TemporaryDirectory() as folder:
            run = Run("threads", 1, False, False)
            store = qsdask.ingest(paths, Path(folder) / "glass.zarr", run=run, **settings)
            qsdask.shells(store, run=run)
            codes |= {warning["code"] for warning in ledger.read(store, "ingest").provenance["warnings"]}
    return frames, codes


def _of_frame(frame):
    element = frame.element and [frame.element.name[k] for k in frame.element.code]
    return {
        "timestep": frame.timestep,
        "id": frame.id.tolist(),
        "type": None if frame.type is None else frame.type.tolist(),
        "element": element,
        "position": frame.position.tolist(),
        "cell": frame.cell.tolist(),
        "origin": frame.origin.tolist(),
        "boundary": list(frame.boundary),
    }


def read_with_mdanalysis(paths, options, stored):
    """Trajectory through ``Universe``; it has its atoms in the order of their ids."""
    import MDAnalysis
    from MDAnalysis.lib.mdamath import triclinic_vectors

    universe = MDAnalysis.Universe(
        paths[0], paths if len(paths) > 1 else paths[0], topology_format="LAMMPSDUMP", format="LAMMPSDUMP"
    )
    return [
        {
            "id": sorted(universe.atoms.ids.tolist()),
            "position": step.positions.tolist(),
            "cell": triclinic_vectors(step.dimensions).tolist(),
        }
        for step in universe.trajectory
    ], set()


def read_with_ase(paths, options, stored):
    """All images of every file; it has its atoms in the order of their ids, and drops the ids."""
    from ase.io import read

    images = [image for path in paths for image in read(path, index=":", format="lammps-dump-text")]
    return [
        {"id": None, "position": image.positions.tolist(), "cell": image.cell.array.tolist()} for image in images
    ], set()


def read_with_ovito(paths, options, stored):
    """All frames of the pipeline's source."""
    from ovito.io import import_file

    source = import_file(paths if len(paths) > 1 else paths[0]).source
    frames = []
    for k in range(source.num_frames):
        data = source.compute(k)
        identifiers = data.particles.identifiers
        frames.append(
            {
                "id": None if identifiers is None else identifiers[...].tolist(),
                "position": data.particles.positions[...].tolist(),
                "cell": data.cell[:, :3].T.tolist() if data.cell else None,
            }
        )
    return frames, set()


READERS = {
    "qsdask": read_with_qsdask,
    "MDAnalysis": read_with_mdanalysis,
    "ASE": read_with_ase,
    "OVITO": read_with_ovito,
}
#: Package whose version stands for the reader.
VERSIONS = {"qsdask": "qsdask", "MDAnalysis": "MDAnalysis", "ASE": "ase", "OVITO": "ovito"}

warnings.simplefilter("always")
