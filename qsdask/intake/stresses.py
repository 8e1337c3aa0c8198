"""The stress of every frame, from a table that was written along the way: which column, which rows, which unit and sign."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.formats.thermo import ThermoTable
from qsdask.intake.loading import COMPONENTS, components
from qsdask.settings import StressSettings
from qsdask.store.reader import StoreReader
from qsdask.units import SIGMA

__all__ = ["REDUCED", "Stress", "stress_of"]

#: Unit of stresses where lengths are in sigma.
REDUCED = "epsilon/sigma^3"

#: GPa in one unit.
_GPA = {"GPa": 1.0, "MPa": 1e-3, "kbar": 0.1, "bar": 1e-4, "atm": 1.01325e-4, "Pa": 1e-9}

#: Unit of pressure in styles of LAMMPS; the others have units that nobody loads glasses in.
_OF_STYLE = {"metal": "bar", "real": "atm", "si": "Pa", "lj": REDUCED}

_STEPS, _STRAIN = ("timestep", "step", "time_step"), "strain"

#: Strains of a table are those of frames within this: rounding of text.
_NEAR = 1e-7

_UNIT_IN_NAME = re.compile(r"(.+?)[ _]?[\[(]?(gpa|mpa|kbar|bar|atm|pa)[\])]?", re.IGNORECASE)

#: Place of a component in the pressure of LAMMPS' computes.
_PLACE = {"x": 1, "y": 2, "z": 3, "xy": 4, "xz": 5, "yz": 6}


class Stress(NamedTuple):
    """Stress along the loading.

    Attributes
    ----------
    value : float64 array, shape (n_step,)
        Positive with the load; NaN for frames without a row. Unit: that of `unit`.
    unit : str
        GPa, or that of reduced units.
    facts : dict
        ``table_column``, ``table_unit``, ``by`` (timestep or strain), ``n_without``, ``n_twice``: frames without a row, and timesteps
        that stand several times with different stresses, of which the last is taken; ``warnings`` of both.
    """

    value: np.ndarray
    unit: str
    facts: dict[str, Any]


def stress_of(root: StoreReader, loading: str | None, table: ThermoTable, chosen: StressSettings) -> Stress:
    """The stress of every frame of a store; nothing is interpolated.

    Parameters
    ----------
    root : StoreReader
        The store.
    loading : str or None
        Component of the loading, one of `qsdask.intake.loading.COMPONENTS`.
    table : ThermoTable
    chosen : StressSettings

    Returns
    -------
    Stress

    Raises
    ------
    UsageError
        ``E-LOADING``: which stress is meant cannot be known; ``E-COLUMN``.
    BadDataError
        ``E-STRESS``: no unit, no rows of these frames, or rows that cannot be told apart.
    """
    name, sign = _column(root, loading, table, chosen)
    unit, factor = _unit(name, table, chosen, root.length)
    place, by, twice = _rows(root, table, table.columns[name])
    value = np.full(len(place), np.nan)
    value[place >= 0] = sign * factor * table.columns[name][place[place >= 0]]
    without = int(np.isnan(value).sum())
    if without == len(value):
        raise _wrong(table, f"no row has the {by} of a frame, and a stress", "give the table of this trajectory")
    said = [(without, "W-NO-STRESS", f"{without} of {len(value)} frames have no row with a stress in the table")]
    said += [
        (twice, "W-STRESS-TWICE", f"{twice} timesteps stand in the table with several stresses; the last was taken")
    ]
    return Stress(
        value,
        unit if unit == REDUCED else "GPa",
        {
            "table_column": name,
            "table_unit": unit,
            "by": by,
            "n_without": without,
            "n_twice": twice,
            "warnings": [{"code": code, "text": text} for number, code, text in said if number],
        },
    )


def _column(root: StoreReader, loading: str | None, table: ThermoTable, chosen: StressSettings) -> tuple[str, float]:
    """Name of the column, and what makes it positive with the load."""
    if chosen.column is not None:
        plain = chosen.column.removeprefix("-")
        name, sign = (chosen.column, 1.0) if chosen.column in table.columns else (plain, -1.0)
        if name not in table.columns:
            raise UsageError(
                f"no column {plain}; there are {', '.join(table.columns)}", code="E-COLUMN", file=table.path
            )
        return name, sign
    if loading is None:
        raise UsageError(
            "the store does not tell along what the glass is loaded, so that the stress along it is not known",
            code="E-LOADING",
            file=root.path,
            hint="--column NAME, a stress that is positive with the load; ingest with --loading tells it, too",
        )
    found = {name: kind for name in table.columns if (kind := _kind(name, loading)) is not None}
    if len(found) != 1:
        raise UsageError(
            f"{'several columns' if found else 'no column'} can be the stress {loading}: "
            f"{', '.join(found or table.columns)}",
            code="E-COLUMN",
            file=table.path,
            hint="--column NAME, a stress that is positive with the load, or --column=-NAME for a pressure",
        )
    [(name, pressure)] = found.items()
    return name, _direction(root, loading) * (-1.0 if pressure else 1.0)


def _kind(name: str, loading: str) -> bool | None:
    """Whether a column is a pressure; None where it is not the stress of the loading."""
    unit = _UNIT_IN_NAME.fullmatch(name)
    plain = (unit[1] if unit else name).casefold().replace("_", "").replace(" ", "")
    if loading == "volume":
        return True if plain in ("press", "pressure", "p", "cthermopress") else None
    pair = loading * 2 if len(loading) == 1 else loading
    if plain in {f"{word}{pair}" for word in ("stress", "sigma", "s")}:
        return False
    pressures = {f"{word}{pair}" for word in ("p", "press", "pressure")} | {f"cthermopress[{_PLACE[loading]}]"}
    return True if plain in pressures else None


def _direction(root: StoreReader, loading: str) -> float:
    """-1 where the component falls while the strain of the store rises."""
    moved = components(root["frames/deformation"][:])[:, COMPONENTS.index(loading)]
    together = float(np.nansum(moved * root["frames/strain"][:]))
    if together == 0.0:
        raise UsageError(
            f"the box does not tell in which direction the glass is loaded along {loading}",
            code="E-LOADING",
            file=root.path,
            hint="--column NAME, a stress that is positive with the load",
        )
    return float(np.sign(together))


def _unit(name: str, table: ThermoTable, chosen: StressSettings, length: str) -> tuple[str, float]:
    """Unit of a column, and GPa, or reduced units, in one of it."""
    unit: str | None = chosen.unit
    if unit is None and (found := _UNIT_IN_NAME.fullmatch(name)):
        unit = next(known for known in _GPA if known.casefold() == found[2].casefold())
    if unit is None and table.units is not None:
        unit = _OF_STYLE.get(table.units)
    if unit is None and length == SIGMA:
        unit = REDUCED
    if unit is None:
        raise _wrong(table, f"nobody says in which unit {name} is", "--unit bar, or GPa, MPa, kbar, atm, Pa")
    return unit, _GPA.get(unit, 1.0)


def _rows(root: StoreReader, table: ThermoTable, stress: np.ndarray) -> tuple[np.ndarray, str, int]:
    """Row of every frame, -1 where there is none; by what they were found; how many rows say different things of one frame."""
    steps = next((name for name in table.columns if name.casefold() in _STEPS), None)
    if steps is not None:
        key, frames, near = table.columns[steps], root["frames/timestep"][:].astype(np.float64), 0.0
    elif (strain := next((name for name in table.columns if name.casefold() == _STRAIN), None)) is not None:
        key, frames, near = table.columns[strain], root["frames/strain"][:], _NEAR
    else:
        names = ", ".join(table.columns)
        raise _wrong(
            table, f"none of the columns {names} is a timestep or a strain", "a column called timestep or Step"
        )
    by = "timestep" if steps is not None else "strain"
    place, twice = np.full(len(frames), -1), 0
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    low, high = np.searchsorted(ranked, frames - near, "left"), np.searchsorted(ranked, frames + near, "right")
    for frame, rows in enumerate(order[a:b] for a, b in zip(low, high, strict=True)):
        rows = rows[np.isfinite(stress[rows])]
        if len(rows):
            place[frame] = rows.max()
            twice += len(np.unique(stress[rows])) > 1
    cyclic = by == "strain" and (np.diff(frames) <= near).any()
    if cyclic or (by == "strain" and twice):
        raise _wrong(table, "strains stand several times, and do not tell which row is of which frame", "add timesteps")
    return place, by, twice


def _wrong(table: ThermoTable, what: str, hint: str) -> BadDataError:
    return BadDataError(what, code="E-STRESS", file=table.path, hint=hint)
