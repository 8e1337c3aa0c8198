"""Files of a specimen: text of dump frames and tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import zstandard

from qsdask.files.durable import write_durable

__all__ = ["compressed", "frame_text", "table_text", "write_json"]

#: Level of the dumps' compression; the same text always gives the same bytes.
_LEVEL = 9


def frame_text(
    step: int,
    box: tuple[np.ndarray, np.ndarray],
    boundary: Sequence[str],
    identity: np.ndarray,
    kind: np.ndarray,
    position: np.ndarray,
) -> bytes:
    """One frame of a LAMMPS text dump.

    Parameters
    ----------
    step : int
        Number of the strain step, which stands as the TIMESTEP.
    box : tuple of two float64 arrays, shape (3,)
        Lower and upper corner. Unit: angstrom.
    boundary : sequence of str
        Such as ``["pp", "pp", "mm"]``.
    identity, kind : int64 arrays, shape (n_atom,)
        Ids and types.
    position : float64 array, shape (n_atom, 3)
        Written with six decimals. Unit: angstrom.

    Returns
    -------
    bytes
    """
    bounds = "".join(f"{low:.16e} {high:.16e}\n" for low, high in zip(*box, strict=True))
    head = (
        f"ITEM: UNITS\nmetal\nITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(identity)}\n"
        f"ITEM: BOX BOUNDS {' '.join(boundary)}\n{bounds}ITEM: ATOMS id type x y z\n"
    )
    rows = zip(identity.tolist(), kind.tolist(), *position.T.tolist(), strict=True)
    return (head + "".join(f"{i} {t} {x:.6f} {y:.6f} {z:.6f}\n" for i, t, x, y, z in rows)).encode()


def table_text(rows: Iterable[Sequence[float]]) -> bytes:
    """Lines of a table, values separated by commas, floats with ten digits."""
    return "".join(",".join(str(x) if isinstance(x, int) else f"{x:.10g}" for x in row) + "\n" for row in rows).encode()


def compressed(data: bytes) -> bytes:
    """One Zstandard frame; frames behind each other are one file. Nothing for nothing."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data) if data else b""


def write_json(path: Path, value: object) -> None:
    """Write a JSON file durably."""
    write_durable(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())
