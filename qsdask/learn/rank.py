"""A process that grows trees together with others: ``python -m qsdask.learn.rank``, started by a task on a worker.

It reads two lines of JSON, and writes two: where it listens; and then, told what to do, what came out. It ends when whoever
started it is gone, and when one of the others is.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TextIO

import numpy as np

from qsdask.learn.filed_table import FiledTable
from qsdask.learn.gbdt_blocks import grow_block
from qsdask.learn.wire import Keys, Wire

__all__ = ["main"]

#: LightGBM loads these where they are installed. No rank needs them: they would cost it a second and 130 MB.
UNNEEDED = ("sklearn", "pandas", "dask", "distributed", "matplotlib", "graphviz", "pyarrow")


def main() -> None:
    """Be one of the ranks."""
    sys.modules.update(dict.fromkeys(UNNEEDED))  # type: ignore[arg-type]  # None: it is not there
    # What libraries print must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    begun = json.loads(sys.stdin.readline())
    wire = Wire(begun["host"], Keys(*begun["keys"]))
    _say(answers, wire.address)
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    wire.connect(told["rank"], [tuple(address) for address in told["addresses"]])
    filed, n_rank = FiledTable(Path(told["folder"]), told["n_part"]), len(told["addresses"])
    # Their order makes no difference: each rank takes what lies together.
    rows = filed.chosen(told["draw"], told["fold"], of_fold=False)
    mine = np.array_split(np.argsort(rows.place), n_rank)[told["rank"]]
    grown, counts = grow_block(
        filed.codes(rows.place[mine]),
        rows.target[mine],
        told["n_code"],
        told["before"],
        told["base"],
        told["parameters"],
        told["n_tree"],
        wire,
        n_rank,
    )
    _say(answers, {"trees": grown if told["rank"] == 0 else [], "counts": counts})
    # Nobody leaves while another still reads what he sent.
    others = [k for k in range(n_rank) if k != wire.rank]
    wire.swap(dict.fromkeys(others, b"."), dict.fromkeys(others, 1))
    os._exit(0)


def _say(answers: TextIO, content: object) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(75)


if __name__ == "__main__":
    main()
