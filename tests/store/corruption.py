"""Seeded ways to damage files: what disks, copies and people do to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

KINDS = ("flip", "cut", "zero", "delete", "swap", "grow", "empty", "stranger")


@contextmanager
def corrupted(folder: Path, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Damage a folder in one way, and mend it afterwards.

    Yields
    ------
    tuple of (str, list of str)
        Kind of the damage and the files that it hit.
    """
    rng = np.random.default_rng(seed)
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    kind = KINDS[seed % len(KINDS)]
    chosen = [files[i] for i in rng.permutation(len(files))]
    first = chosen[0]
    if kind == "zero":
        first = next(f for f in chosen if any(f.read_bytes()[:4096]))
    second = next(f for f in chosen if f.read_bytes() != first.read_bytes())
    hit = [first, second] if kind == "swap" else [first]
    before = {file: file.read_bytes() for file in hit}
    if kind == "stranger":
        # Beside the root's own file it would be harmless.
        first = next((f for f in chosen if f.parent != folder), first)
        hit = [first.with_name(f"{first.name}{rng.integers(10)}x")]
        before = {}
    apply(kind, hit, rng)
    try:
        yield kind, [str(file.relative_to(folder)) for file in hit]
    finally:
        for file in hit:
            if file in before:
                file.write_bytes(before[file])
            else:
                file.unlink(missing_ok=True)


def apply(kind: str, hit: list[Path], rng: np.random.Generator) -> None:
    """Damage one file, or two for a swap."""
    file = hit[0]
    data = bytearray(file.read_bytes()) if file.exists() else bytearray()
    if kind == "flip":
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del data[int(rng.integers(len(data))) :]
    elif kind == "zero":
        start = 4096 * int(rng.integers(-(-len(data) // 4096)))
        start = start if any(data[start : start + 4096]) else 0
        data[start : start + 4096] = bytes(len(data[start : start + 4096]))
    elif kind == "delete":
        file.unlink()
        return
    elif kind == "swap":
        other = hit[1].read_bytes()
        hit[1].write_bytes(data)
        data = other
    elif kind == "grow":
        data += rng.bytes(int(rng.integers(1, 100)))
    elif kind == "empty":
        data = b""
    elif kind == "stranger":
        data = rng.bytes(10)
    file.write_bytes(data)
