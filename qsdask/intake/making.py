"""How a specimen was made, where `qsdask.simulate` says it beside the dump."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from qsdask.errors import BadDataError
from qsdask.files.location import located
from qsdask.formats.frame import ReadWarning
from qsdask.settings import IngestSettings

__all__ = ["completed", "contradictions", "making_of", "thermo_of"]


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
    place = located(files[0]).parent / "specimen.json"
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


def thermo_of(trajectory: str | Path | Sequence[str | Path]) -> tuple[Path, str] | None:
    """Table that `qsdask.simulate` wrote beside a trajectory, where it is there, and its stress that is positive with the load.

    Parameters
    ----------
    trajectory : path or sequence of paths
        As given to `qsdask.ingest`.
    """
    made = making_of(trajectory)
    first = trajectory if isinstance(trajectory, str | Path) else trajectory[0]
    if "thermo" not in made or not (place := located(first).parent / made["thermo"]).is_file():
        return None
    return place, f"{'-' * (made['loading'] == 'compression')}stress_{made['axis'] * 2}_gpa"


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
    unknown = settings.strain_step is None and settings.strain_file is None
    return settings.model_copy(
        update={
            "species": settings.species or {int(kind): name for kind, name in made["species"].items()},
            "name": settings.name or made["name"],
            "strain_step": made["strain_step"] if unknown and regular else settings.strain_step,
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
    given = {kind: name for kind, name in settings.species.items() if isinstance(kind, int)}
    other = {kind: name for kind, name in given.items() if told.get(kind, name) != name}
    text = "; ".join(f"type {k} is taken as {name}, the glass was made with {told[k]}" for k, name in other.items())
    return [ReadWarning("W-SPECIES", text)] if other else []
