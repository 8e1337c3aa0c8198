"""The protocol of a specimen as a list of legs, cut at fixed places by checkpoints.

Wang & Jain, doi:10.1038/s41467-019-13511-9: a random substitution is melted, quenched at a constant rate and relaxed, at
zero pressure; then strained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from qsdask.simulation.specimen import SpecimenPlan, seed_of

__all__ = ["PREPARATION", "Leg", "Segment", "cooling_ps", "cost", "schedule", "steps_of_a_strain_step", "track_name"]

#: Name of the track that ends with the glass.
PREPARATION = "quench"
#: The least steps of one row of quench.csv, and the most rows of one phase.
_ROW_STEPS, _ROWS = 1000, 2000
#: Evaluations of the forces that a minimisation takes, by experience; for the estimate of the cost only.
_MINIMISATION = 1000


@dataclass(frozen=True)
class Leg:
    """One run of the integrator, or one minimisation.

    Attributes
    ----------
    kind : {"md", "jump", "ramp", "minimise"}
        Dynamics; dynamics after a jump to the strain; dynamics while the strain grows; minimisation after a jump.
    steps : int
        MD steps; of a minimisation an estimate.
    kelvin : tuple of float
        Temperature at its beginning and end.
    pressure : str
        Axes at zero pressure, each on its own, such as ``"xy"``; ``"iso"`` for all together; empty for none.
    strain : float or None
        Strain at its end, a fraction, positive in compression and tension; None before the deformation.
    row : tuple of (int or float), optional
        What the row of the table that it makes begins with: time in ps, or number and strain of the strain step.
    frame : int or None
        Number of the strain step of the frame that follows.
    """

    kind: Literal["md", "jump", "ramp", "minimise"]
    steps: int
    kelvin: tuple[float, float]
    pressure: str
    strain: float | None = None
    row: tuple[float, ...] = ()
    frame: int | None = None


@dataclass(frozen=True)
class Segment:
    """What is done between two checkpoints.

    Attributes
    ----------
    phase : str
        What it is called in the report of progress.
    track : str
        The table and dump that it belongs to: ``quench``, or the loading and run.
    start : {"lattice", "before", "glass"}
        From where it begins: a fresh lattice, the segment before it, or the relaxed glass.
    legs : tuple of Leg
        Done in order.
    seed : int or None
        Fresh velocities at the beginning, of the first leg's temperature.
    opens : str
        Axes that get free surfaces at the beginning.
    """

    phase: str
    track: str
    start: Literal["lattice", "before", "glass"]
    legs: tuple[Leg, ...]
    seed: int | None = None
    opens: str = ""

    @property
    def steps(self) -> int:
        """MD steps of all legs."""
        return sum(leg.steps for leg in self.legs)


def track_name(loading: str, run: int) -> str:
    """Stem of the files of one deformation; runs count from 1.

    Parameters
    ----------
    loading : str
        ``compression`` or ``tension``.
    run : int
        Isoconfigurational run.
    """
    return loading if run == 1 else f"{loading}-run{run}"


def schedule(plan: SpecimenPlan) -> tuple[Segment, ...]:
    """All segments of a specimen, in order; the same for the same plan."""
    return (*_preparation(plan), *_deformation(plan))


def cost(plan: SpecimenPlan) -> int:
    """MD steps of a specimen, all its deformations included."""
    return sum(segment.steps for segment in schedule(plan))


def cooling_ps(plan: SpecimenPlan) -> tuple[float, float]:
    """Begin and end of the quench on the clock of ``quench.csv``.


    Returns
    -------
    tuple of float
        Unit: ps.
    """
    quench = plan.quench
    last = abs(quench.melt_kelvin - quench.final_kelvin) / plan.rate_kelvin_per_second * 1e12
    return quench.melt_ps, quench.melt_ps + last


def _preparation(plan: SpecimenPlan) -> Iterator[Segment]:
    quench, free = plan.quench, plan.deform.free
    hot, cold, most = quench.melt_kelvin, quench.final_kelvin, plan.checkpoint_steps
    begin, end = cooling_ps(plan)
    phases = [
        ("melt", quench.melt_ps, hot, hot, "iso"),
        ("quench", end - begin, hot, cold, "iso"),
        ("relax", quench.relax_ps, cold, cold, "xyz"),
    ]
    if free:
        phases.append(("surface", quench.relax_ps, cold, cold, _without("xyz", free)))
    before = 0
    for phase, ps, first, last, pressure in phases:
        steps = _steps(plan, ps)
        ends = _even(steps, min(max(_ROW_STEPS, steps // _ROWS), most))
        # Interpolated, not a running sum, so that the end of the ramp is exact.
        kelvin = np.interp(ends, [0, steps], [first, last]).tolist()
        legs = [
            Leg("md", b - a, heat, pressure, row=((before + b) * quench.timestep_fs / 1000.0,))
            for (a, b), heat in zip(pairwise(ends), pairwise(kelvin), strict=True)
        ]
        before += steps
        for number, part in enumerate(_cut(legs, most)):
            begins = phase == "melt" and number == 0
            yield Segment(
                phase,
                PREPARATION,
                "lattice" if begins else "before",
                part,
                seed_of(plan.seed, "melt") if begins else None,
                free if phase == "surface" and number == 0 else "",
            )
    if plan.deform.mode == "quasistatic":
        # Frame 0 is a minimum like all the others.
        row = (before * quench.timestep_fs / 1000.0,)
        leg = Leg("minimise", _MINIMISATION, (0.0, 0.0), _without("xyz", free), row=row)
        yield Segment("minimise", PREPARATION, "before", (leg,))


def _deformation(plan: SpecimenPlan) -> Iterator[Segment]:
    legs = [leg for step in range(1, plan.deform.steps + 1) for leg in _strain_step(plan, step)]
    for loading in plan.loadings:
        for run in range(1, plan.deform.runs + 1):
            track = track_name(loading, run)
            for number, part in enumerate(_cut(legs, plan.checkpoint_steps)):
                fresh = seed_of(plan.seed, track) if number == 0 and run > 1 else None
                yield Segment(track, track, "before" if number else "glass", part, fresh)


def _strain_step(plan: SpecimenPlan, step: int) -> Iterator[Leg]:
    """One strain step, in pieces where it is longer than the way between two checkpoints."""
    deform, cold = plan.deform, (plan.quench.final_kelvin,) * 2
    lateral = _without("xyz", deform.free + deform.axis)
    strain = step * deform.strain_step
    frame = step if step % deform.every == 0 else None
    if deform.mode == "quasistatic":
        yield Leg("minimise", _MINIMISATION, (0.0, 0.0), lateral, strain, (step, strain), frame)
        return
    steps = steps_of_a_strain_step(plan)
    ends = _even(steps, plan.checkpoint_steps)
    for begin, end in pairwise(ends):
        last = end == steps
        kind: Literal["md", "jump", "ramp"]
        if deform.mode == "rate":
            kind, reached = "ramp", strain if last else (step - 1 + end / steps) * deform.strain_step
        else:
            kind, reached = "md" if begin else "jump", strain
        yield Leg(kind, end - begin, cold, lateral, reached, (step, strain) if last else (), frame if last else None)


def steps_of_a_strain_step(plan: SpecimenPlan) -> int:
    """MD steps between two strains of modes ``step`` and ``rate``."""
    deform = plan.deform
    if deform.strain_rate_per_second is not None and deform.mode == "rate":
        return _steps(plan, deform.strain_step / deform.strain_rate_per_second * 1e12)
    return _steps(plan, deform.relax_ps)


def _cut(legs: list[Leg], most: int) -> Iterator[tuple[Leg, ...]]:
    """Whole legs, at least one, of at most so many steps together."""
    part: list[Leg] = []
    for leg in legs:
        if part and sum(x.steps for x in part) + leg.steps > most:
            yield tuple(part)
            part = []
        part.append(leg)
    yield tuple(part)


def _even(steps: int, most: int) -> list[int]:
    """Ends of pieces of equal length, of at most so many steps: averages over a piece weigh alike."""
    return np.linspace(0, steps, -(-steps // most) + 1).round().astype(int).tolist()


def _steps(plan: SpecimenPlan, ps: float) -> int:
    return max(1, round(ps * 1000.0 / plan.quench.timestep_fs))


def _without(axes: str, others: str) -> str:
    return "".join(axis for axis in axes if axis not in others)
