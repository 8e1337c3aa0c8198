"""What a job has found, and the numbers that it rests on: kept, so that nothing is found twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from qsdask import __version__
from qsdask.files.durable import write_durable
from qsdask.learn.definition import nan_for_null, plain
from qsdask.store import ledger

__all__ = ["Answers", "content_of", "is_answers", "numbers_of"]


class Answers:
    """Answers by name, each with a digest of what it rests on.

    Parameters
    ----------
    file : Path
        JSON file; one that cannot be read is as good as none.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept = _kept_in(file) or {}

    def known(self, name: str, basis: object) -> Any:
        """Answer that was found on this basis; None when there is none."""
        kept = self._kept.get(name, {})
        return nan_for_null(kept["answer"]) if kept.get("basis") == _digest(basis) else None

    def made(self, name: str, basis: object, path: Path) -> bool:
        """Whether a file or folder is there as it was made on this basis."""
        content = content_of(path)
        return content is not None and self.known(name, basis) == content

    def keep(self, name: str, basis: object, answer: object) -> Any:
        """Keep an answer, and give it back as `known` will."""
        self._kept[name] = {"basis": _digest(basis), "answer": plain(answer)}
        # By name, so that the same answers make the same file; each keeps its own order, in which it is shown.
        in_order = dict(sorted(self._kept.items()))
        write_durable(self._file, (json.dumps(in_order, indent=1, allow_nan=False) + "\n").encode())
        return self.known(name, basis)


def is_answers(file: Path) -> bool:
    """Whether a file is one that a job wrote."""
    return _kept_in(file) is not None


def numbers_of(store: Path) -> dict[str, object]:
    """What a store's numbers are known by: the digests of its stages, whether they are complete, and its input's hash."""
    found: dict[str, object] = {record.key: [record.digest, record.complete] for record in ledger.records(store)}
    return {**found, "input": ledger.require(store, "ingest").facts["input_hash"]}


def content_of(path: Path) -> str | None:
    """Hash of a file, or of all files of a folder with their names; None when it is not there."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if not all(file.is_file() for file in files):
        return None
    found = hashlib.sha256()
    for file in files:
        data = file.read_bytes()
        found.update(f"{file.relative_to(path)} {len(data)}\n".encode())
        found.update(data)
    return found.hexdigest()


def _kept_in(file: Path) -> dict[str, dict] | None:
    """Answers in a file; None when it holds none or is not there."""
    try:
        found = json.loads(file.read_bytes())
        return {name: {"basis": str(one["basis"]), "answer": one["answer"]} for name, one in found.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _digest(basis: object) -> str:
    """Of what an answer rests on; another version of qsdask may answer otherwise."""
    return hashlib.sha256(json.dumps([__version__, basis], sort_keys=True, default=str).encode()).hexdigest()
