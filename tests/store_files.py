"""Files of a folder, and what two stores of the same numbers have in common."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from qsdask.store.beside import BESIDE

__all__ = ["content_of", "files_of"]

#: What tells one run from another, and the checksums of what says so.
_OF_A_RUN = {"runs", "lineage", "checksum", "manifest"}


def files_of(folder: Path) -> dict[str, bytes]:
    """Bytes of every file by its path inside the folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def content_of(store: Path) -> dict[str, bytes]:
    """Bytes of every file of a store, but for the random tokens of the runs that wrote it, and what waits beside it."""
    found = {name: data for name, data in files_of(store).items() if not name.startswith(f"{BESIDE}/")}
    described = {name: json.loads(data) for name, data in found.items() if name.endswith("/receipt/zarr.json")}
    for name, data in found.items():
        if name.startswith("ledger/") and name.endswith(".json"):
            found[name] = json.dumps(_without(json.loads(data)), sort_keys=True).encode()
        elif name.startswith("ledger/"):
            words = described[f"{name.partition('/c/')[0]}/zarr.json"]["shape"][-1]
            found[name] = np.frombuffer(data[:-4], dtype="<u8").reshape(-1, words)[:, :4].tobytes()
    return found


def _without(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name not in _OF_A_RUN}
    return value
