"""What is in a store: stages, complete or not, sizes, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qsdask import schema
from qsdask.engine.reading import read_box
from qsdask.files.location import located
from qsdask.reporting.number import COUNT, PERCENT
from qsdask.store import ledger
from qsdask.store.beside import BESIDE
from qsdask.store.ledger import Record
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.record import read
from qsdask.units import ANGSTROM, SIGMA, renamed

__all__ = ["contents", "info", "specimen_of", "state_of", "surface_text", "warnings_of"]


def info(store: str | Path) -> dict:
    """Describe a store without reading its arrays.

    Parameters
    ----------
    store : str or Path
        A specimen's store, complete or not.

    Returns
    -------
    dict
        ``store``, ``format``, ``specimen`` (atoms, steps, domains, species, strain, loading, cell, surface) and ``stages``: for each its
        step (0 unless it describes a deformed frame), tasks done and wanted, whether it is complete, settings,
        provenance, and the size of its arrays in bytes; ``overwriting``, the same for stages that are being overwritten.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store.
    """
    path = located(store)
    stages = [_described(path, record) for record in ledger.records(path)]
    beside = path / BESIDE
    overwriting = [_described(beside, record) for record in ledger.records(beside)] if beside.is_dir() else []
    specimen = specimen_of(path) if any(s["stage"] == "ingest" and s["complete"] for s in stages) else {}
    found = {"store": str(path), "format": schema.FORMAT_VERSION, "specimen": specimen, "stages": stages}
    return {**found, "overwriting": overwriting}


def state_of(stage: Mapping[str, Any]) -> str:
    """Whether a stage of `info` is complete, for people."""
    return "complete" if stage["complete"] else f"{stage['done']} of {stage['tasks']} tasks"


def contents(store: str | Path) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    """What is in a store, complete or not: a title, heads and rows of a table of its stages, for people."""
    found = info(store)
    title, specimen = str(found["store"]), found["specimen"]
    if specimen:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in specimen["species"].items())
        low, high = specimen["strain"]
        title += f": {specimen['atoms']:,} atoms ({shares}), {specimen['steps']} frames, strain {low:g} to {high:g}"
    rows: list[tuple[str, ...]] = [
        (str(s["stage"]), state_of(s), ", ".join(f"/{group}" for group in s["groups"]))
        for s in found["stages"] + found["overwriting"]
    ]
    return title, ("stage", "state", "groups"), rows


def _described(root: Path, record: Record) -> dict:
    total = int(np.prod(record.shape))
    return {
        "stage": record.key,
        "step": schema.frame_of(record.key)[0],
        "complete": record.complete,
        "tasks": total,
        "done": total if record.complete else total - len(ledger.pending(root, record.key)),
        "bytes": sum(Place(root).size(group) for group in record.groups),
        "groups": list(record.groups),
        "settings": record.settings,
        "provenance": record.facts,
        "digest": record.digest,
    }


def warnings_of(store: str | Path, stage: str, step: int = 0) -> list[str]:
    """What was accepted with a warning when a stage ran, one line each.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    stage : str
        Its complete stage, such as ``"ingest"``.
    step : int
        Frame that the stage describes.
    """
    found = ledger.require(located(store), schema.group_at(step, stage)).facts.get("warnings", [])
    return [f"{warning['code']}: {warning['text']}" for warning in found]


def specimen_of(path: Path) -> dict:
    """What an ingested specimen is: name, atoms, steps, domains, species and their shares, strain, loading, units, cell,
    surface.

    ``surface`` has the number of atoms on free surfaces, the radius of the probe that found them, and how far distances
    are told; it is empty where nobody has looked for any.
    """
    root = StoreReader(path)
    n_step, n_atom, _ = root["frames/position"].shape
    names = root.names("atoms/species_name")
    share = np.bincount(root["atoms/species"][:], minlength=len(names)) / n_atom
    strain = root["frames/strain"][:]
    box = read_box(root, 0)
    source = ledger.require(path, "ingest")
    return {
        "name": source.settings["name"],
        "atoms": n_atom,
        "steps": n_step,
        "domains": root.n_domain,
        "species": {name: round(float(s), 4) for name, s in zip(names, share, strict=True)},
        "strain": [float(strain.min()), float(strain.max())],
        "loading": source.facts.get("loading", {}).get("name", ""),
        "length": root.length,
        "units": _units(root.length, source.facts.get("units")),
        renamed("cell_angstrom", root.length): box.cell.tolist(),
        "periodic": [bool(p) for p in box.periodic],
        "surface": _surface(path, n_atom),
    }


def _units(length: str, read: dict | None) -> str:
    """Unit of the lengths, and what became of those of the file."""
    if read is None:
        return length
    if read["factor"] == 1.0:
        return f"{length}, as in the file ({read['style']} units)"
    return f"{length}, {read['factor']:.12g} times the lengths of the file ({read['style']} units)"


def surface_text(found: Mapping[str, float]) -> str:
    """What `specimen_of` says of free surfaces, for people."""
    if not found:
        return "not looked for"
    length = ANGSTROM if "probe_angstrom" in found else SIGMA
    probe = f"(empty space that holds spheres of radius {found[renamed('probe_angstrom', length)]:g} {length})"
    if not found["atoms"]:
        return f"none {probe}"
    return f"{COUNT(found['atoms'])} atoms on them, {PERCENT(found['share'])} {probe}"


def _surface(path: Path, n_atom: int) -> dict[str, float]:
    record = read(path, "surface")
    if record is None or not record.complete:
        return {}
    facts = record.facts
    names = (renamed(name, StoreReader(path).length) for name in ("probe_angstrom", "reach_angstrom"))
    lengths = {name: facts[name] for name in names}
    return {"atoms": facts["n_on_surface"], "share": facts["n_on_surface"] / n_atom, **lengths}
