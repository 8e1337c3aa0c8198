"""What each stage was measured to take, and what it will take for another specimen: seconds, bytes and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from qsdask.engine.cost import Size, StagePlan

__all__ = [
    "CORES",
    "FIRST_FRAME",
    "SCHEDULER_SECONDS",
    "Rate",
    "StageCost",
    "cost_of",
    "frames_of",
    "load_of",
    "measured_rates",
]

#: Numbers of cores that an estimate speaks of unless told otherwise.
CORES = (1, 16, 256)

#: What the scheduler needs for one task, whatever the number of workers. It bounds the size of a useful cluster.
SCHEDULER_SECONDS = 1.3e-3

#: Frames that ``ingest`` could read besides while it looks at the undeformed one and arranges its atoms, as measured.
FIRST_FRAME = 5.0

#: Stages that look at every frame, one after the other; the others at one.
_EVERY_FRAME = {"ingest", "respond", "activation"}


@dataclass(frozen=True)
class Rate:
    """A straight line through what was measured: ``fixed + per * load``.

    Attributes
    ----------
    fixed : float
        Of a specimen of no atoms.
    per : float
        Of each atom of load.
    error : float or None
        Relative half-width of the 95 % prediction interval far above the measured loads; of the line alone, not of another
        machine. None where too little was measured.
    """

    fixed: float
    per: float
    error: float | None

    def at(self, load: float) -> float:
        """Value for a load."""
        return self.fixed + self.per * load


@dataclass(frozen=True)
class StageCost:
    """What a stage will take.

    Attributes
    ----------
    stage : str
        Name of the stage, with that of the feature set.
    core_seconds : float
        Processor time of all processes, on a machine as fast as the one that was measured. Unit: s.
    error : float or None
        Relative half-width of its 95 % prediction interval.
    wall_seconds : dict of int to float
        By number of cores: the driver's share, and the workers' divided among as many as have a task; not less than
        the scheduler needs. Disks and networks that cannot follow take longer. Unit: s.
    bytes_read, bytes_written : float
        By all processes.
    files : float
        That the stage makes.
    driver_bytes, worker_bytes : float
        Peak memory of the driver, and the budget of a worker.
    extrapolated : float
        Load against the largest that was measured; above 1 the numbers are extrapolated.
    """

    stage: str
    core_seconds: float
    error: float | None
    wall_seconds: dict[int, float]
    bytes_read: float
    bytes_written: float
    files: float
    driver_bytes: float
    worker_bytes: float
    extrapolated: float


@cache
def measured_rates() -> dict[str, Any]:
    """Rates that come with the package, made by ``tests/benchmarks/cost_curve.py``.

    Returns
    -------
    dict
        ``machine`` and ``version``, as text; ``stages``: name to ``largest``, the largest measured load, and to the
        fixed part, the part per atom of load and the error of ``worker_seconds``, ``driver_seconds``, ``read``,
        ``written``, ``files`` and, per atom of one frame, ``driver_bytes``.
    """
    return json.loads(files("qsdask").joinpath("data", "rates.json").read_text())


def load_of(stage: str, size: Size, ghosts: int) -> float:
    """Atoms that a stage looks at, those of halos each time, and all of them again in every frame that it reads.

    Parameters
    ----------
    stage : str
        Name of the stage.
    size : Size
        Of the specimen.
    ghosts : int
        Atoms of the halo of one domain, on average.

    Returns
    -------
    float
    """
    return (size.n_atom + size.n_domain * ghosts) * frames_of(stage, size.n_step)


def frames_of(stage: str, n_step: int) -> float:
    """Frames that a stage looks at; what the driver holds does not grow with them."""
    return n_step + FIRST_FRAME * (stage == "ingest") if stage in _EVERY_FRAME else 1.0


def cost_of(
    plan: StagePlan, size: Size, cores: Sequence[int] = CORES, rates: Mapping[str, Any] | None = None
) -> StageCost | None:
    """What a planned stage will take, or None where nobody has measured such a stage.

    Parameters
    ----------
    plan : StagePlan
        Of the stage.
    size : Size
        Of the specimen.
    cores : sequence of int
        For which the time is wanted.
    rates : mapping, optional
        Instead of those of the package; see `measured_rates`.

    Returns
    -------
    StageCost or None
    """
    stages = (rates or measured_rates())["stages"]
    name = f"{plan.stage} {plan.part}".strip()
    if name not in stages:
        return None
    known, load = stages[name], load_of(plan.stage, size, plan.ghosts)
    line = {quantity: Rate(*numbers) for quantity, numbers in known.items() if quantity != "largest"}
    workers, driver = line["worker_seconds"].at(load), line["driver_seconds"].at(load)
    wall = {n: driver + workers * _share(plan.tasks, n) for n in cores}
    return StageCost(
        stage=name,
        core_seconds=workers + driver,
        error=line["worker_seconds"].error,
        wall_seconds={n: max(seconds, plan.tasks * SCHEDULER_SECONDS) for n, seconds in wall.items()},
        bytes_read=line["read"].at(load),
        bytes_written=line["written"].at(load),
        files=line["files"].at(load),
        driver_bytes=line["driver_bytes"].at(load / frames_of(plan.stage, size.n_step)),
        worker_bytes=plan.bytes_memory,
        extrapolated=load / known["largest"],
    )


def _share(tasks: int, cores: int) -> float:
    """Of the workers' time that passes while so many cores do the tasks, of which the last round may not be full."""
    return -(-tasks // cores) / tasks
