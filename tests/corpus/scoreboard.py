"""qsdask and its peers on the same broken and odd dumps: one command prints the table of README.md.

``python -m tests.corpus.scoreboard`` takes some minutes, most of them waiting for readers that hang.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.generate import corpus
from tests.corpus.judge import faults, same_to_a_peer
from tests.corpus.readers import READERS, VERSIONS
from tests.corpus.worker import Answer, Reader

__all__ = ["outcome", "score", "table"]

PATIENCE = 40.0
ODD = ("read right", "read wrong", "refused", "hang", "crash")
BROKEN = ("refused with line", "refused without line", "warned", "accepted silently", "hang", "crash")
CONTAINER = ("refused", "warned", "accepted silently", "hang", "crash")


def group(case: Case) -> str:
    """Which table a case belongs to."""
    if case.policy or case.stored:
        return "policy"
    if case.due.verdict == "read":
        return "odd"
    return "container" if case.due.verdict == "refuse" and case.due.line is None else "broken"


def outcome(case: Case, answer: Answer, noise: set[str]) -> str:
    """Where in its table an answer is counted.

    Parameters
    ----------
    case : Case
    answer : Answer
    noise : set of str
        What the reader writes to stderr for a good file too; see `_heard`.

    Returns
    -------
    str
        One of the columns.
    """
    if answer.kind in ("hang", "crash"):
        return answer.kind
    which = group(case)
    if answer.kind == "refused":
        if which == "broken":
            return "refused without line" if answer.line is None else "refused with line"
        return "refused"
    if which == "odd":
        return "read right" if same_to_a_peer(case, answer) else "read wrong"
    return "warned" if answer.codes or _heard(answer) - noise else "accepted silently"


def _heard(answer):
    """Lines on stderr, without what changes from file to file."""
    return {re.sub(r"\S*/\S*|\d+", "", line).strip() for line in answer.stderr.splitlines()} - {""}


def score(name: str, cases: list[Case]) -> dict[str, str]:
    """Outcome of every case that a reader is judged by."""
    control = next(case for case in cases if case.name == "B1-shuffled")
    found = {}
    with Reader(name, PATIENCE, control) as reader:
        noise = _heard(reader.first)
        for case in cases:
            if group(case) != "policy" and name not in case.blind:
                found[case.name] = outcome(case, reader.read(case), noise)
    return found


def score_of_all(cases: list[Case]) -> tuple[int, list[str]]:
    """Cases that qsdask does exactly as due, policy included, and the names of the others."""
    with Reader("qsdask", PATIENCE, cases[0]) as reader:
        wrong = [case.name for case in cases if faults(case, reader.read(case))]
    return len(cases) - len(wrong), wrong


def table(cases: list[Case], scores: dict[str, dict[str, str]], which: str, columns: tuple[str, ...]) -> str:
    """Markdown: one row for every reader."""
    names = {case.name for case in cases if group(case) == which}
    rows = [["", *columns, "files"], ["---"] + ["--:"] * (len(columns) + 1)]
    for reader, found in scores.items():
        counts = Counter(found[name] for name in names & set(found))
        rows.append([_label(reader), *(str(counts[c]) for c in columns), str(counts.total())])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _label(reader):
    return f"{reader} {version(VERSIONS[reader])}"


def main() -> None:
    """Run all readers that are installed and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--list", action="store_true", help="also print the outcome of every file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = corpus(Path(folder))
        scores = {}
        for name in options.readers:
            try:
                version(VERSIONS[name])
            except PackageNotFoundError:
                print(f"{name} is not installed")
                continue
            scores[name] = score(name, cases)
        for which, columns, title in (
            ("broken", BROKEN, "Broken text: must be refused, or a cut last frame left out with a warning"),
            ("container", CONTAINER, "Damaged containers and files that are no dumps: must be refused"),
            ("odd", ODD, "Odd but good: must be read right"),
        ):
            print(f"\n{title}\n\n{table(cases, scores, which, columns)}")
        if options.list:
            for case in cases:
                print(case.name, *(f"{name}: {found.get(case.name, '-')}" for name, found in scores.items()), sep=" | ")
        if "qsdask" in scores:
            right, wrong = score_of_all(cases)
            print(f"\nqsdask, with policy cases, codes, lines and arrays: {right} of {len(cases)} as due", *wrong)


if __name__ == "__main__":
    main()
