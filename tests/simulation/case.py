"""A specimen of 108 atoms that takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from qsdask.settings import SimulateRecipe
from qsdask.simulation.launch import launch
from qsdask.simulation.progress import lay_out
from qsdask.simulation.specimen import SpecimenPlan, specimens

COPPER_ZIRCONIUM = {"Cu": 0.65, "Zr": 0.35}


def recipe(*, alloy=None, quench=None, deform=None, **ensemble) -> SimulateRecipe:
    """The small recipe with some values replaced."""
    return SimulateRecipe.model_validate(
        {
            "alloy": {"elements": ["Cu", "Zr"], "potential": "CuZr_mm.eam.fs", **(alloy or {})},
            "quench": {"melt_ps": 0.1, "relax_ps": 0.1, **(quench or {})},
            "deform": {"steps": 4, "strain_step": 0.01, "relax_ps": 0.05, **(deform or {})},
            "ensemble": {
                "composition": [COPPER_ZIRCONIUM],
                "rate_kelvin_per_second": [1e16],
                "atoms": 108,
                "seed": 3,
                **ensemble,
            },
        }
    )


def plan(checkpoint_steps: int = 60, **changes) -> SpecimenPlan:
    """The only specimen of a small recipe."""
    (found,) = specimens(recipe(**changes))
    return found.model_copy(update={"checkpoint_steps": checkpoint_steps})


def made(one: SpecimenPlan, folder: Path) -> Path:
    """The specimen, in a child process."""
    place = lay_out(one, folder)
    for _ in launch(place):
        pass
    return place


def results(place: Path) -> dict[str, bytes]:
    """All files of a specimen that must not depend on interruptions."""
    kept = (".csv", ".zst", "specimen.json")
    return {p.name: p.read_bytes() for p in sorted(place.iterdir()) if p.name.endswith(kept)}


def table(path: Path) -> dict[str, list[float]]:
    """Columns of a table."""
    head, *rows = path.read_text().splitlines()
    columns = zip(*(map(float, row.split(",")) for row in rows), strict=True)
    return dict(zip(head.split(","), map(list, columns), strict=True))


def copied(potential: Path, folder: Path) -> Path:
    """A potential's file somewhere else."""
    return Path(shutil.copy(potential, folder))
