"""Ranks on a worker: processes of their own, for LightGBM may bring down the one it runs in, and two fits may not share one.

The three functions run on a worker, the first two as tasks. Processes end when the worker does, and when the other side of
one of their connections does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["begin", "follow", "stop"]

#: Processes of each try, by its token.
_RUNNING: dict[str, list[subprocess.Popen]] = {}


def begin(token: str, n: int, host: str, keys: Sequence[str]) -> list[tuple[str, int]]:
    """Start some ranks.

    Parameters
    ----------
    token : str
        Of the try to which they belong.
    n : int
        How many.
    host : str
        Address on which they listen.
    keys : sequence of str
        See `qsdask.learn.wire.Keys`.

    Returns
    -------
    list of (str, int)
        Where each of them is found.
    """
    known = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, known))}
    started = _RUNNING[token] = []
    for _ in range(n):
        rank = subprocess.Popen(
            [sys.executable, "-m", "qsdask.learn.rank"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(rank)
        _tell(rank, {"host": host, "keys": list(keys)})
    return [(place[0], int(place[1])) for place in (_answer(rank) for rank in started)]


def follow(token: str, told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell the ranks of this worker what to do, and wait for what comes out.

    Parameters
    ----------
    token : str
        As of `begin`.
    told : sequence of dict
        For each rank, see `qsdask.learn.rank`.

    Returns
    -------
    list of dict
        What each of them found.

    Raises
    ------
    ChildProcessError
        When one of them ended without an answer.
    """
    ranks = _RUNNING[token]
    try:
        for rank, one in zip(ranks, told, strict=True):
            _tell(rank, one)
        found = [_answer(rank) for rank in ranks]
        for rank in ranks:
            rank.wait()
        return found
    finally:
        stop(token)


def stop(token: str) -> None:
    """End the ranks of a try, those that run still."""
    for rank in _RUNNING.pop(token, []):
        rank.kill()
        rank.wait()
        for pipe in (rank.stdin, rank.stdout):
            if pipe is not None:
                pipe.close()


def _tell(rank: subprocess.Popen, content: object) -> None:
    assert rank.stdin is not None
    try:
        rank.stdin.write(json.dumps(content) + "\n")
        rank.stdin.flush()
    except (OSError, ValueError):
        raise ChildProcessError(f"a process that grows trees ended with status {rank.wait()}") from None


def _answer(rank: subprocess.Popen) -> Any:
    assert rank.stdout is not None
    try:
        line = rank.stdout.readline()
    except ValueError:  # closed by `stop` meanwhile
        line = ""
    if not line:
        raise ChildProcessError(f"a process that grows trees ended with status {rank.wait()}")
    return json.loads(line)
