"""Trajectories from files and frames to files: `open_trajectory` is the way in, `open_writer` the way out."""

from __future__ import annotations

from qsdask.formats.frame import Elements, Frame, FrameLocation, ReadWarning, boundary_flags, periodic_axes
from qsdask.formats.opening import open_trajectory
from qsdask.formats.trajectory import Trajectory
from qsdask.formats.write import DumpWriter, ExtxyzWriter, open_writer, write_extxyz, write_lammps_dump

__all__ = [
    "DumpWriter",
    "Elements",
    "ExtxyzWriter",
    "Frame",
    "FrameLocation",
    "ReadWarning",
    "Trajectory",
    "boundary_flags",
    "open_trajectory",
    "open_writer",
    "periodic_axes",
    "write_extxyz",
    "write_lammps_dump",
]
