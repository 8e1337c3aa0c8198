"""One segment of a specimen in LAMMPS: from a checkpoint to the next, with the rows and frames on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from qsdask.simulation.crystal import sites, species
from qsdask.simulation.output import frame_text
from qsdask.simulation.schedule import Segment
from qsdask.simulation.specimen import SpecimenPlan
from qsdask.simulation.wheel import Lammps, blown_up

__all__ = ["QUANTITIES", "Glass", "Outcome", "start", "travel"]

#: Columns that every table ends with. Stresses are positive in tension; of a leg they, temperature and energy are
#: averages over its second half, of a minimisation values at its end; the box and what follows from it are those at the end.
QUANTITIES = (
    "temperature_kelvin",
    "energy_ev_per_atom",
    "stress_xx_gpa",
    "stress_yy_gpa",
    "stress_zz_gpa",
    "stress_xy_gpa",
    "stress_xz_gpa",
    "stress_yz_gpa",
    "lx_angstrom",
    "ly_angstrom",
    "lz_angstrom",
    "density_g_per_cm3",
)
_THERMO = ("temp", "pe", "pxx", "pyy", "pzz", "pxy", "pxz", "pyz")
_AVERAGED = "c_thermo_temp c_thermo_pe " + " ".join(f"c_thermo_press[{i}]" for i in range(1, 7))
#: Times of the thermostat and barostat in timesteps, as LAMMPS' manual advises.
_THERMOSTAT, _BAROSTAT = 100, 1000
_GPA_PER_BAR = 1e-4
#: g/cm3 of one g/mol per cubic angstrom.
_DENSITY = 10.0 / 6.02214076
#: Phases of the preparation in which surfaces are already free.
_OPEN = ("surface", "minimise")
#: Rounds of minimisation: the box is free in each, and its reference is taken anew by the next.
_ROUNDS = 4


@dataclass(frozen=True)
class Glass:
    """What the deformation must know about the relaxed glass.

    Attributes
    ----------
    low, high : list of float
        Corners of its box. Unit: angstrom.
    row : list of float
        Its `QUANTITIES`: the row of strain 0.
    """

    low: list[float]
    high: list[float]
    row: list[float]


@dataclass
class Outcome:
    """What a segment made.

    Attributes
    ----------
    rows : list of list of float
        Rows of the track's table.
    frames : list of bytes
        Frames of its dump.
    """

    rows: list[list[float]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)


def start(lammps: Lammps, plan: SpecimenPlan, potential: str, restart: str | None, log: str) -> None:
    """Put the atoms of a checkpoint, or of a fresh lattice, into a new instance.

    Parameters
    ----------
    lammps : Lammps
        A new instance.
    plan : SpecimenPlan
        The specimen.
    potential : str
        File of the potential; plain characters only.
    restart : str or None
        File of the checkpoint; None for the lattice.
    log : str
        LAMMPS' log, appended to; ``none`` for none.
    """
    lammps(f"log {log} append" if log != "none" else "log none", "units metal", "atom_style atomic")
    if restart is None:
        position, length = sites(plan)
        box = " ".join(f"0 {x!r}" for x in length.tolist())
        lammps("boundary p p p", f"region box block {box}", f"create_box {len(plan.alloy.elements)} box")
        lammps.create_atoms(species(plan, len(position)), position)
    else:
        lammps(f"read_restart {restart}", "reset_timestep 0")
    coefficients = plan.alloy.pair_coeff.format(potential=potential, elements=" ".join(plan.alloy.elements))
    for kind, name in enumerate(plan.alloy.elements, 1):
        if name in plan.alloy.mass:
            lammps(f"mass {kind} {plan.alloy.mass[name]!r}")
    lammps(
        f"pair_style {plan.alloy.pair_style}",
        f"pair_coeff {coefficients}",
        # A thin skin suits dense alloys at these temperatures; the list is rebuilt when an atom needs it.
        "neighbor 0.6 bin",
        "neigh_modify delay 0 every 1 check yes",
        f"timestep {plan.quench.timestep_fs / 1000.0!r}",
    )


def travel(lammps: Lammps, plan: SpecimenPlan, segment: Segment, glass: Glass | None) -> Outcome:
    """Do all legs of a segment.

    Parameters
    ----------
    lammps : Lammps
        As `start` left it.
    plan : SpecimenPlan
        The specimen.
    segment : Segment
        What to do.
    glass : Glass or None
        Needed by the deformation.

    Returns
    -------
    Outcome
    """
    outcome = Outcome()
    free = [axis for axis in "xyz" if axis in plan.deform.free] if glass or segment.phase in _OPEN else []
    if segment.start == "glass" and glass is not None:
        outcome.rows.append([0, 0.0, *glass.row])
        outcome.frames.append(_frame(lammps, 0, free))
    if segment.opens:
        _open(lammps, segment.opens, plan.deform.vacuum_angstrom)
    legs = segment.legs
    if segment.seed is not None:
        lammps(f"velocity all create {legs[0].kelvin[0]!r} {segment.seed} mom yes rot no dist gaussian")
    if legs[0].kind != "minimise":
        lammps(_integrator(plan, legs[0].pressure, legs[0].kelvin[0], legs[-1].kelvin[1]))
    done = 0
    for leg in legs:
        if leg.strain is not None and glass is not None:
            axis, bounds = plan.deform.axis, _target(plan, segment, leg.strain, glass)
            if leg.kind in ("jump", "minimise"):
                lammps(f"change_box all {axis} final {bounds} remap units box")
            if leg.kind == "ramp":
                lammps(f"fix load all deform 1 {axis} final {bounds} units box remap x")
        if leg.kind == "minimise":
            values = _minimise(lammps, leg.pressure)
        else:
            # The ramp of the temperature runs over the segment, that of the strain over the leg.
            ramp = f" start 0 stop {segment.steps}" if leg.kind == "md" else ""
            values = _run(lammps, leg.steps, done, ramp)
        if leg.kind == "ramp":
            lammps("unfix load")
        done += leg.steps
        row = _row(lammps, values, free)
        if leg.row:
            outcome.rows.append([*leg.row, *row])
        if leg.frame is not None:
            outcome.frames.append(_frame(lammps, leg.frame, free))
    return outcome


def _integrator(plan: SpecimenPlan, pressure: str, first: float, last: float) -> str:
    fs = plan.quench.timestep_fs / 1000.0
    heat = f"temp {first!r} {last!r} {_THERMOSTAT * fs!r}"
    if not pressure:
        return f"fix md all nvt {heat}"
    # The name tells the axes: LAMMPS takes up the state of a fix of the same name from a restart, and the rate of an axis
    # that is not controlled any more would stay for good.
    axes = [pressure] if pressure == "iso" else list(pressure)
    return f"fix md_{pressure} all npt {heat} " + " ".join(f"{axis} 0 0 {_BAROSTAT * fs!r}" for axis in axes)


def _run(lammps: Lammps, steps: int, done: int, ramp: str) -> list[float]:
    """Integrate; the averages of `_THERMO` over the second half."""
    every = 10 if steps >= 100 else 1
    lammps(
        f"fix mean all ave/time {every} 1 {every} {_AVERAGED} ave running start {done + steps // 2}",
        f"run {steps}{ramp} post no",
    )
    values = lammps.averages("mean", len(_THERMO))
    lammps("unfix mean")
    return values


def _minimise(lammps: Lammps, pressure: str) -> list[float]:
    lammps("velocity all set 0 0 0", "min_style cg", "min_modify dmax 0.1 line quadratic")
    for _ in range(_ROUNDS if pressure else 1):
        if pressure:
            lammps("fix relax all box/relax " + " ".join(f"{axis} 0" for axis in pressure) + " vmax 0.001")
        lammps("minimize 0 1e-6 5000 20000")
        if pressure:
            lammps("unfix relax")
    if pressure:
        lammps("minimize 0 1e-6 5000 20000")
    return lammps.thermo(*_THERMO)


def _open(lammps: Lammps, axes: Sequence[str], vacuum: float) -> None:
    """Free surfaces: the atoms stay as they are, wrapped; the box grows by the vacuum on both sides."""
    images = " ".join("0" if axis in axes else "NULL" for axis in "xyz")
    boundary = " ".join("m" if axis in axes else "p" for axis in "xyz")
    lammps("run 0 post no", f"set group all image {images}", f"change_box all boundary {boundary}")
    for axis in axes:
        lammps(f"change_box all {axis} delta {-vacuum!r} {vacuum!r} units box")


def _target(plan: SpecimenPlan, segment: Segment, strain: float, glass: Glass) -> str:
    """Bounds of the loaded axis at a strain; its middle stays."""
    axis = "xyz".index(plan.deform.axis)
    low, high = glass.low[axis], glass.high[axis]
    sign = -1.0 if segment.track.startswith("compression") else 1.0
    half = 0.5 * (high - low) * (1.0 + sign * strain)
    middle = 0.5 * (low + high)
    return f"{middle - half!r} {middle + half!r}"


def _row(lammps: Lammps, values: list[float], free: Sequence[str]) -> list[float]:
    """`QUANTITIES` from temperature, energy (eV) and pressures (bar) of the whole box."""
    temperature, energy, *pressure = values
    low, high = lammps.box
    length = high - low
    identity, kind, position = lammps.atoms()
    if not (np.isfinite(values).all() and np.isfinite(position).all()):
        raise blown_up("energy, pressure or positions are not finite")
    # Where surfaces are free, the specimen is what lies between its outermost atoms, not the box with its vacuum.
    solid = length.copy()
    for axis in map("xyz".index, free):
        solid[axis] = np.ptp(position[:, axis])
    share = float(np.prod(length / solid))
    stress = [-bar * _GPA_PER_BAR * share for bar in pressure]
    density = _DENSITY * float(lammps.masses()[kind].sum()) / float(np.prod(solid))
    return [temperature, energy / len(identity), *stress, *length.tolist(), density]


def _frame(lammps: Lammps, step: int, free: Sequence[str]) -> bytes:
    low, high = lammps.box
    identity, kind, position = lammps.atoms()
    for axis in (i for i, name in enumerate("xyz") if name not in free):
        length = high[axis] - low[axis]
        position[:, axis] -= np.floor((position[:, axis] - low[axis]) / length) * length
    boundary = ["mm" if axis in free else "pp" for axis in "xyz"]
    return frame_text(step, (low, high), boundary, identity, kind, position)
