"""Layouts of all text formats that are read here, by the name that `FrameLocation.reader` gives them."""

from __future__ import annotations

from qsdask.formats.atomeye import ATOMEYE
from qsdask.formats.data import DATA
from qsdask.formats.frame import FrameLocation
from qsdask.formats.header import DumpHeader, parse_header
from qsdask.formats.layout import Layout
from qsdask.formats.rmcprofile import RMC6F
from qsdask.formats.yaml_dump import YAML

__all__ = ["LAYOUTS"]


def _dump_header(lines: list[bytes], place: FrameLocation) -> DumpHeader | None:
    if not lines[-1].lstrip().startswith(b"ITEM: ATOMS"):
        return None
    return parse_header(
        lines, path=place.path, frame=place.ordinal, line=place.line, boundary=place.boundary, units=place.units
    )


LAYOUTS = {"lammps": Layout(_dump_header), "yaml": YAML, "cfg": ATOMEYE, "rmc6f": RMC6F, "data": DATA}
