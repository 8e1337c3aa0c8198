"""Faults on purpose: kills, crash points, full disks; a resumed job must give the bytes of an undisturbed one."""
