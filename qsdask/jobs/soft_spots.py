"""``softness`` on the command line: from a file to its soft atoms, in this process or by the stages out of core."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.formats.continuity import continued_cells
from qsdask.formats.reference import open_run, undeformed
from qsdask.formats.trajectory import Trajectory
from qsdask.formats.write import writer_for
from qsdask.intake.arrangement import arranged, held
from qsdask.intake.loading import loading_of
from qsdask.jobs.applied import features_of, shells_of
from qsdask.learn import Model, loaded, told_outside
from qsdask.names import checked_name, name_of_model
from qsdask.schema import group_at
from qsdask.settings import IngestSettings, ReadingSettings, ShellSettings
from qsdask.space.strain import first_pass
from qsdask.stages.features import features
from qsdask.stages.ingest import ingest
from qsdask.stages.predict import counts_outside, predict
from qsdask.stages.shells import shells
from qsdask.store.reader import Arrays, StoreReader
from qsdask.system.computed import add_shells, add_softness
from qsdask.views.soft_spots import slice_of, soft_spots, write_softness

__all__ = ["IN_MEMORY", "softness_of_files"]

#: Atoms up to which a glass is worked on in this process, without a cluster.
IN_MEMORY = 250_000


class Asked(NamedTuple):
    """What is wanted of a glass: a model's softness of one frame, and what becomes of it."""

    model: Model
    name: str
    folder: str | Path
    step: int
    accept_outside: bool


def softness_of_files(
    files: str | Path | Sequence[str | Path],
    *,
    model: str | Path,
    ingesting: IngestSettings,
    reading: ReadingSettings,
    frame: int | None = None,
    strain: float | None = None,
    accept_outside: bool = False,
    out: str | Path | None = None,
    png: str | Path | None = None,
    html: str | Path | None = None,
    store: str | Path | None = None,
    run: Run | None = None,
) -> dict[str, Any]:
    """Give the atoms of a glass their softness, and tell what came of it.

    Parameters
    ----------
    files : path or sequence of paths
        A trajectory, as for `qsdask.ingest`.
    model : str or Path
        Model folder.
    ingesting, reading : IngestSettings, ReadingSettings
        How the files are read.
    frame, strain : int, float, optional
        Which frame, the first by default: by its number, or where a strain is first passed.
    accept_outside : bool
        See `qsdask.predict`.
    out, png, html : str or Path, optional
        Files to write: the atoms with their softness, a picture of a slice, a page.
    store : str or Path, optional
        Keep the store of the glass there; otherwise none is left.
    run : Run, optional
        Cluster, workers, overwriting, progress; of large glasses, and where a store or a page is asked for.

    Returns
    -------
    dict
        See `qsdask.views.soft_spots.soft_spots`; with ``model``, ``frame``, ``warnings``, and the files that were ``written``.
    """
    run = run or Run()
    if out:
        writer_for(out)
    found = loaded(str(model))
    source = open_run(files, boundary=ingesting.boundary, units=ingesting.units, **reading.arguments())
    asked = Asked(found, name_of_model(Path(model)), model, _step(source, ingesting, frame, strain), accept_outside)
    in_memory = store is None and html is None and source.frames[asked.step].natoms <= IN_MEMORY
    with ExitStack() as stack:
        root: Arrays
        if in_memory:
            root, step = _in_memory(source, ingesting, asked), 0
        else:
            place = located(store) if store else _passing(source, stack)
            root, step = _in_store(files, place, ingesting, reading, asked, run), asked.step
        counts, species = (
            counts_outside(root, group_at(step, f"softness/{asked.name}")),
            root.names("atoms/species_name"),
        )
        unlike = told_outside(found, asked.name, species, *counts, accepted=accept_outside)
        told = soft_spots(root, found, asked.name, step)
        written = []
        if out:
            written.append(write_softness(root, asked.name, out, step, overwrite=run.overwrite))
        if png:
            from qsdask.reporting.picture import save_png
            from qsdask.reporting.softness_map import softness_map

            written.append(save_png(softness_map(slice_of(root, asked.name, step)), Path(png), overwrite=run.overwrite))
        if html:
            from qsdask.views.report import softness_report

            written.append(softness_report(place, model=model, out=html, step=asked.step, run=run))
    return {
        "model": asked.name,
        "frame": asked.step,
        **told,
        "warnings": [f"{n.code}: {n.text}" for n in source.warnings] + [f"W-OUT-OF-DOMAIN: {text}" for text in unlike],
        "written": [str(one) for one in written],
    }


def _passing(source: Trajectory, stack: ExitStack) -> Path:
    """Place of a store that nobody keeps, called like the file where that can be the name of a specimen."""
    name = Path(source.frames[0].path).name.partition(".")[0]
    try:
        checked_name(name, "specimen")
    except UsageError:
        name = "glass"
    return Path(stack.enter_context(tempfile.TemporaryDirectory())) / f"{name}.zarr"


def _step(source: Trajectory, ingesting: IngestSettings, frame: int | None, strain: float | None) -> int:
    n = len(source)
    if strain is not None:
        first = source.frames[0].cell
        cells, _ = continued_cells(source.frames, np.array(first)) if first is not None else ({}, [])
        if len(cells) < n:
            raise BadDataError(
                "the strain of the frames is not known before they are read",
                code="E-STRAIN",
                file=source.frames[0].path,
                hint="name the frame with --frame, or keep a store with --store",
            )
        periodic = np.array([flags == "pp" for flags in source.frames[0].boundary])
        strains = loading_of(np.stack([cells[k] for k in range(n)]), periodic, ingesting).strain
        return first_pass(strains, strain, source.frames[0].path)
    step = 0 if frame is None else frame
    if not -n <= step < n:
        raise UsageError(f"no frame {step}: there are {n}", code="E-STEP", file=source.frames[0].path)
    return step % n


def _in_memory(source: Trajectory, ingesting: IngestSettings, asked: Asked) -> Arrays:
    later = asked.step > 0
    first = next(iter(source.read(asked.step, asked.step + 1))) if later else undeformed(source, ingesting.species)
    rows = arranged(
        first,
        source.frames[asked.step].path,
        species=ingesting.species,
        radius=ingesting.radius_angstrom,
        chunk=ingesting.chunk,
    )
    root = held(first, rows)
    add_softness(root, asked.model, asked.name, accept=asked.accept_outside)
    if not asked.model.definition["shells"]:
        # Clusters are of neighbours, whatever the model looks at.
        add_shells(root, ShellSettings())
    return root


def _in_store(
    files: str | Path | Sequence[str | Path],
    place: Path,
    ingesting: IngestSettings,
    reading: ReadingSettings,
    asked: Asked,
    run: Run,
) -> Arrays:
    with run.shared() as together:
        ingest(files, place, **ingesting.arguments(given_only=True), **reading.arguments(given_only=True), run=together)
        shells(place, step=asked.step, **shells_of(asked.model).arguments(given_only=True), run=together)
        for of_set in features_of(asked.model):
            features(place, step=asked.step, **of_set.arguments(given_only=True), run=together)
        predict(place, model=asked.folder, step=asked.step, accept_outside=asked.accept_outside or None, run=together)
    return StoreReader(place)
