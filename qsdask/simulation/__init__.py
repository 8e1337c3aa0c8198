"""Specimens from molecular dynamics: melt, quench and deform with LAMMPS, one specimen a process."""
