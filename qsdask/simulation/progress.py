"""What of a specimen is done: ``progress.json``, written after every segment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from qsdask.errors import BadDataError, CannotCreateError, NoInputError
from qsdask.files.durable import write_durable
from qsdask.simulation.output import write_json
from qsdask.simulation.protocol import Glass
from qsdask.simulation.specimen import SpecimenPlan

__all__ = ["Ledger", "lay_out", "read_plan"]


@dataclass
class Ledger:
    """Progress of one specimen.

    Attributes
    ----------
    plan_sha256 : str
        Of everything in the plan but the place of the potential's file.
    lammps : int
        Version that began the specimen.
    segments_done, segments : int
        Done, and all.
    steps_done, steps : int
        MD steps likewise; those of minimisations are estimates.
    phase : str
        What was done last.
    glass : Glass or None
        As soon as it is made.
    resumed_at : list of dict
        Phase, segment and MD step at which an interrupted run went on.
    finished : bool
        Whether all files are there.
    """

    plan_sha256: str
    lammps: int
    segments: int
    steps: int
    segments_done: int = 0
    steps_done: int = 0
    phase: str = ""
    glass: Glass | None = None
    resumed_at: list[dict] = field(default_factory=list)
    finished: bool = False

    def write(self, folder: Path) -> None:
        """Put it into a specimen's folder, durably."""
        write_json(folder / "progress.json", asdict(self))

    @classmethod
    def read(cls, folder: Path, plan: SpecimenPlan) -> Ledger | None:
        """The ledger in a specimen's folder; None when nothing was done.

        Raises
        ------
        CannotCreateError
            ``E-CHANGED`` when the plan is another one.
        """
        try:
            stored = json.loads((folder / "progress.json").read_bytes())
        except FileNotFoundError:
            return None
        stored["glass"] = stored["glass"] and Glass(**stored["glass"])
        ledger = cls(**stored)
        if ledger.plan_sha256 != digest(plan):
            raise CannotCreateError(
                "the specimen was begun with another plan",
                code="E-CHANGED",
                file=folder,
                hint="choose another folder, or make it anew with --overwrite",
            )
        return ledger


def digest(plan: SpecimenPlan) -> str:
    """SHA-256 of a plan, whose potential counts by its content and not by its place."""
    place_free = plan.model_copy(update={"alloy": plan.alloy.model_copy(update={"potential": ""})})
    return hashlib.sha256(place_free.model_dump_json().encode()).hexdigest()


def lay_out(plan: SpecimenPlan, folder: str | Path) -> Path:
    """Make the folder of a specimen with its ``plan.json``.

    Parameters
    ----------
    plan : SpecimenPlan
        The specimen.
    folder : path
        Where specimens go.

    Returns
    -------
    Path
        ``folder / plan.name``; what was there of the same plan stays, to go on from.

    Raises
    ------
    CannotCreateError
        ``E-CHANGED`` when another plan stands there.
    """
    place = Path(folder) / plan.name
    place.mkdir(parents=True, exist_ok=True)
    refuse_changed(plan, place)
    write_durable(place / "plan.json", (plan.model_dump_json(indent=1) + "\n").encode())
    return place


def refuse_changed(plan: SpecimenPlan, place: Path) -> None:
    """Refuse to go on with another plan than the one that a specimen was begun with.

    Raises
    ------
    CannotCreateError
        ``E-CHANGED`` with what differs.
    """
    if not (place / "plan.json").exists() or digest(begun := read_plan(place)) == digest(plan):
        return
    old, new = _flat(begun.model_dump(mode="json")), _flat(plan.model_dump(mode="json"))
    rows = [f"{name}: {old.get(name)} -> {new.get(name)}" for name in {**old, **new} if old.get(name) != new.get(name)]
    raise CannotCreateError(
        f"a specimen of this name was planned otherwise: {'; '.join(rows)}",
        code="E-CHANGED",
        file=place,
        hint="choose another folder with --folder, or make it anew with --overwrite",
    )


def _flat(table: dict, before: str = "") -> dict[str, object]:
    """Entries of nested tables under dotted names."""
    found: dict[str, object] = {}
    for name, value in table.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def read_plan(folder: Path) -> SpecimenPlan:
    """The plan in a specimen's folder.

    Raises
    ------
    NoInputError
        ``E-NO-PLAN``.
    BadDataError
        ``E-PLAN`` when the file is not a plan.
    """
    try:
        return SpecimenPlan.model_validate_json((folder / "plan.json").read_bytes())
    except FileNotFoundError:
        raise NoInputError(
            "no plan.json: this is not the folder of a specimen",
            code="E-NO-PLAN",
            file=folder,
            hint="plan specimens with: qsdask simulate RECIPE",
        ) from None
    except ValueError as error:
        raise BadDataError(
            f"not a plan of a specimen: {str(error).splitlines()[0]}",
            code="E-PLAN",
            file=folder / "plan.json",
            hint="remove the folder and run the recipe again",
        ) from None
