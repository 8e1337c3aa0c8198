"""How a run was loaded: the deformation gradient of its cell, the component that moves most, and the strain along it.

Sides without period are no measure: a shrink-wrapped box follows whichever atom is outermost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError, NoInputError, QSDaskError, UsageError
from qsdask.files.location import located
from qsdask.formats.frame import ReadWarning
from qsdask.settings import IngestSettings
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.template import write_whole

__all__ = [
    "COMPONENTS",
    "Loading",
    "components",
    "deformation_gradient",
    "keep_loading",
    "loading_of",
    "measurable",
    "recorded_strain",
    "refuse_unknown_strain",
    "strains_from",
]

#: What may be the loading, in the order of the columns of `components`.
COMPONENTS = ("x", "y", "z", "xy", "xz", "yz", "volume")

#: Measured and given strain may differ by this much before a warning is kept.
STRAIN_TOLERANCE = 1e-3

#: Below this a component did not move: rounding.
_STILL = 1e-10

#: Share of the largest strain at which the first loading has begun; what comes before is noise of a barostat.
_BEGUN = 0.05

#: A volume is the loading when it moves by this factor more than any other component. Uniaxial strain between held sides
#: changes the volume as much as the length, and a barostat a little more; pressure changes it three times as much.
_VOLUME_ABOVE = 1.5

#: A line along an axis that contains less of a side than this does not contain it.
_PART = 1e-9


class Loading(NamedTuple):
    """How a run was loaded.

    Attributes
    ----------
    component : str or None
        One of `COMPONENTS`; None where no side repeats, or none ever moves.
    name : str
        In words, such as ``"compression along z"`` or ``"shear xy"``; empty without a component.
    strain : float64 array, shape (n_step,)
        Strain of every frame, a fraction: the one given, else the measured one, positive in the direction of the first
        loading; 0 where there is neither.
    deformation : float64 array, shape (n_step, 3, 3)
        See `deformation_gradient`.
    warnings : list of ReadWarning
        ``W-STRAIN`` where the given strain is not that of the component, ``W-NO-STRAIN``.
    """

    component: str | None
    name: str
    strain: np.ndarray
    deformation: np.ndarray
    warnings: list[ReadWarning]

    @property
    def facts(self) -> dict:
        """What a store keeps beside the numbers."""
        return {"component": self.component, "name": self.name}


def deformation_gradient(cells: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """Deformation gradient of every cell against the first one.

    Parameters
    ----------
    cells : float64 array, shape (n_step, 3, 3)
        Rows are lattice vectors, continued across box flips; the undeformed cell first. Unit: angstrom.
    periodic : bool array, shape (3,)
        Which of them repeat.

    Returns
    -------
    float64 array, shape (n_step, 3, 3)
        F with ``r = F R`` for a material line R of the undeformed glass; no unit. Columns are the images of unit lines along
        x, y, z; NaN for a line that only a side without period tells of.

    Notes
    -----
    With lattice vectors as rows ``cell = cell_0 F^T``. Each side is divided by its first length before the equations are
    solved, so that sides along the axes give their quotient of lengths to the last bit.
    """
    length = np.linalg.norm(cells[0], axis=1)
    lines = np.linalg.inv(cells[0] / length[:, None])
    gradient = (lines @ (cells / length[:, None])).swapaxes(1, 2)
    gradient[(cells == cells[0]).all(axis=(1, 2))] = np.eye(3)
    gradient[:, :, ~_told(cells[0], periodic)] = np.nan
    return gradient


def components(gradient: np.ndarray) -> np.ndarray:
    """Strains that a deformation gradient consists of.

    Parameters
    ----------
    gradient : float64 array, shape (n_step, 3, 3)
        See `deformation_gradient`.

    Returns
    -------
    float64 array, shape (n_step, 7)
        In the order of `COMPONENTS`, fractions: engineering strain of the side along x, y, z; engineering shear xy, xz, yz;
        change of volume against the undeformed one. NaN where the box does not tell: a shear needs the period of its second
        axis, a volume that of all three.

    Notes
    -----
    ``F = Q U`` with a rotation Q and an upper triangular U, which is how LAMMPS describes a box: ``U_xx`` is the quotient of
    the box lengths and ``U_xy`` the tilt divided by the first length [1]_, [2]_. Rotations of the cell fall out, and a shear
    moves no side. The strains are ``U_ii - 1`` and ``U_ij / U_jj``: the tangent of the angle by which a line along the
    second axis leans towards the first, tilt by length of the same frame, which in simple shear is gamma. The volume is
    ``U_xx U_yy U_zz - 1``.

    References
    ----------
    .. [1] A. R. Srinivasa, Int. J. Eng. Sci. 60, 1-12 (2012), doi:10.1016/j.ijengsci.2012.05.003.
    .. [2] LAMMPS, tilt factors and engineering shear strain, https://docs.lammps.org/fix_deform.html.
    """
    known = np.isfinite(gradient).all(axis=(0, 1))
    # A line of which nothing is known stands for the direction of its axis.
    filled = np.where(known, gradient, np.eye(3))
    upper = np.linalg.cholesky(filled.swapaxes(1, 2) @ filled).swapaxes(1, 2)
    side = np.diagonal(upper, axis1=1, axis2=2)
    shear = [upper[:, i, j] / side[:, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    found = np.column_stack([side - 1.0, *shear, side.prod(axis=1) - 1.0])
    found[:, [name not in _measurable(known) for name in COMPONENTS]] = np.nan
    return found


def measurable(cell: np.ndarray, periodic: np.ndarray) -> list[str]:
    """Components that a box tells of, by its undeformed cell, shape (3, 3), and the sides that repeat, shape (3,)."""
    return _measurable(_told(cell, periodic))


def _measurable(told: np.ndarray) -> list[str]:
    along = {axis for axis, known in zip("xyz", told, strict=True) if known}
    return [name for name in COMPONENTS if (len(along) == 3 if name == "volume" else name[-1] in along)]


def _told(cell: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """Axes along which a line is made of periodic sides only; bool, shape (3,)."""
    part = np.abs(np.linalg.inv(cell / np.linalg.norm(cell, axis=1)[:, None])) > _PART
    return np.logical_not(part[:, ~np.asarray(periodic)].any(axis=1))


def loading_of(cells: np.ndarray, periodic: np.ndarray, settings: IngestSettings) -> Loading:
    """How a run was loaded, by its cells and what the user says.

    Parameters
    ----------
    cells : float64 array, shape (n_step, 3, 3)
        As of `deformation_gradient`. Unit: angstrom.
    periodic : bool array, shape (3,)
        Which sides repeat.
    settings : IngestSettings
        ``loading`` names the component, ``strain_step`` and ``strain_file`` the strain.

    Returns
    -------
    Loading

    Notes
    -----
    Unless it is given, the loading is the component that moves most anywhere in the run, not at its end: a cycle ends where
    it began. Its strain is positive in the direction in which it first moves by a twentieth of its largest strain.
    """
    gradient = deformation_gradient(cells, periodic)
    found = components(gradient)
    component = settings.loading or _moving_most(found)
    measured = np.zeros(len(cells)) if component is None else found[:, COMPONENTS.index(component)]
    begun = measured[np.abs(measured) >= max(_BEGUN * np.abs(measured).max(), _STILL)]
    sign = -1.0 if len(begun) and begun[0] < 0 else 1.0
    measured = sign * measured + 0.0  # no negative zero
    name = _in_words(component, sign) if component else ""
    given = _given(settings, len(cells))
    warnings = []
    if given is None:
        given = measured
        if len(cells) > 1 and not measured.any():
            said = f"{component} of the cell" if component else "the cell"
            said = f"{said} never changes" if measurable(cells[0], periodic) else "no side of the box repeats"
            text = f"{said} and no --strain-step or --strain-file was given: strain is 0"
            warnings.append(ReadWarning("W-NO-STRAIN", text))
    elif measurable(cells[0], periodic) and np.isfinite(measured).all():
        warnings.extend(_contradiction(given, measured, name))
    return Loading(component, name, given, gradient, warnings)


def _moving_most(found: np.ndarray) -> str | None:
    peak = np.nan_to_num(np.abs(found)).max(axis=0)
    most = int(np.argmax(peak[:-1]))
    if peak[-1] > max(_VOLUME_ABOVE * peak[most], _STILL):
        most = len(peak) - 1
    return COMPONENTS[most] if peak[most] > _STILL else None


def _in_words(component: str, sign: float) -> str:
    if component == "volume":
        return "compression" if sign < 0 else "expansion"
    if len(component) == 2:
        return f"shear {component}"
    return f"{'compression' if sign < 0 else 'elongation'} along {component}"


def _given(settings: IngestSettings, n_step: int) -> np.ndarray | None:
    """Strain of every frame as the user gives it."""
    if settings.strain_file is not None:
        return np.array(settings.strain_file, dtype=np.float64)
    return None if settings.strain_step is None else settings.strain_step * np.arange(n_step)


def _contradiction(given: np.ndarray, measured: np.ndarray, name: str) -> list[ReadWarning]:
    worst = int(np.argmax(np.abs(given - measured)))
    if abs(given[worst] - measured[worst]) <= STRAIN_TOLERANCE:
        return []
    of = f" ({name})" if name else ""
    text = f"frame {worst}: the strain given is {given[worst]:.5g}, the cell says {measured[worst]:.5g}{of}"
    return [ReadWarning("W-STRAIN", text)]


def recorded_strain(path: Path) -> np.ndarray | None:
    """Strain of every frame as a store keeps it, by whatever rules it was measured.

    Parameters
    ----------
    path : Path
        Root of the store.

    Returns
    -------
    float64 array, shape (n_step,), or None
        That of the frames, or the copy beside their response where the first is damaged; None where nothing is left of it, or
        it was not known yet.
    """
    for name in ("frames/strain", "response/d2min/strain"):
        try:
            strain = StoreReader(path)[name][:]
        except QSDaskError:
            continue
        if np.isfinite(strain).all():
            return strain
    return None


def keep_loading(path: Path, loading: Loading) -> dict:
    """Write strain and gradient of every frame into a store; facts to keep beside them.

    A store begun before there was a gradient has no place for it. What it recorded as strain, by the rules of its time, stays
    when it is repaired: labels, responses and models rest on it. `qsdask.migrate` adds the gradient.
    """
    if Place(path).exists("frames/deformation"):
        write_whole(path, "frames", {"strain": loading.strain, "deformation": loading.deformation})
        return {"loading": loading.facts}
    strain = recorded_strain(path)
    write_whole(path, "frames", {"strain": loading.strain if strain is None else strain})
    return {}


def refuse_unknown_strain(settings: IngestSettings, n_step: int, cell: np.ndarray, periodic: np.ndarray) -> None:
    """Refuse settings that leave frames without a strain, before anything is read.

    Parameters
    ----------
    settings : IngestSettings
        As used.
    n_step : int
        Frames of the trajectory.
    cell : float64 array, shape (3, 3)
        Undeformed cell. Unit: angstrom.
    periodic : bool array, shape (3,)
        Which sides repeat.

    Raises
    ------
    BadDataError
        ``E-STRAIN-FILE`` when there are not as many strains as frames.
    UsageError
        ``E-LOADING`` when the box does not tell of the loading that is asked for, and no strain is given.
    """
    if settings.strain_file is not None and len(settings.strain_file) != n_step:
        raise BadDataError(
            f"{len(settings.strain_file)} strains were given, the trajectory has {n_step} frames",
            code="E-STRAIN-FILE",
            why="frames that were left out have no strain either; the undeformed frame has one, 0",
            hint="give one strain for each frame",
        )
    told = measurable(cell, periodic)
    if settings.loading and settings.loading not in told and _given(settings, n_step) is None:
        raise UsageError(
            f"the box does not tell of the loading {settings.loading}: "
            + (f"its sides with a period tell of {', '.join(told)}" if told else "none of its sides repeats"),
            code="E-LOADING",
            hint="give the strain with --strain-step or --strain-file, or another --loading",
        )


def strains_from(given: str | Path | Sequence[float] | None) -> list[float] | None:
    """Strain of every frame, from a text file with one a line; numbers and None go through.

    Parameters
    ----------
    given : path, sequence of float, or None
        Empty lines of the file, and what follows ``#``, do not count.

    Returns
    -------
    list of float or None
        Fractions.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-STRAIN-FILE`` for a line that is not one finite number.
    """
    if not isinstance(given, str | Path):
        return None if given is None else [float(strain) for strain in given]
    try:
        lines = located(given).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise NoInputError("there is no such file of strains", code="E-NO-FILE", file=given) from None
    found = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            strain = float(text)
        except ValueError:
            strain = math.nan
        if not math.isfinite(strain):
            raise BadDataError(
                f"expected one strain, got {text[:40]!r}",
                code="E-STRAIN-FILE",
                file=given,
                line=number,
                hint="one number a line, a fraction such as 0.04, for every frame",
            )
        found.append(strain)
    return found
