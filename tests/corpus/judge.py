"""What a reader said of a case, held against what is due."""

from __future__ import annotations

import numpy as np

from tests.corpus.case import ANY_LINE, Case
from tests.corpus.glass import NAMES
from tests.corpus.worker import Answer

__all__ = ["faults", "same_to_a_peer"]


def faults(case: Case, answer: Answer) -> list[str]:
    """Everything that is wrong with an answer of qsdask.

    Parameters
    ----------
    case : Case
    answer : Answer

    Returns
    -------
    list of str
        Empty when the answer is right: the due code and line, or exactly the due frames and warning.
    """
    due, error = case.due, answer.error
    if answer.kind in ("hang", "crash"):
        return [answer.kind]
    if answer.kind == "refused":
        return _faults_of_refusal(case, error)
    if due.verdict == "refuse":
        return [
            f"accepted silently: {due.codes} is due"
            if not answer.codes
            else f"accepted with {sorted(answer.codes)}: {due.codes} is due"
        ]
    found = [f"warnings are {sorted(answer.codes)}, due are {due.codes}"] if answer.codes != set(due.codes) else []
    if len(answer.frames) != len(due.frames):
        return [*found, f"{len(answer.frames)} frames, {len(due.frames)} are due"]
    for k, (got, wanted) in enumerate(zip(answer.frames, due.frames, strict=True)):
        found += [f"frame {k}: {what} differs" for what in _differences(got, wanted, case.tolerance)]
    return found


def _faults_of_refusal(case, error):
    due = case.due
    if "code" not in error:
        return [f"no error of qsdask: {error['class']}: {error['text']}\n{error['traceback']}"]
    text = error["text"]
    if due.verdict != "refuse":
        return [f"refused, should be read: {text}"]
    found = []
    if error["code"] not in due.codes:
        found.append(f"code is {error['code']}, due is {due.codes}: {text}")
    if due.line == ANY_LINE and error["line"] is None:
        found.append(f"no line: {text}")
    elif due.line and error["line"] != due.line:
        found.append(f"line is {error['line']}, due is {due.line}: {text}")
    if error["file"] is None and not case.stored:
        found.append(f"no file: {text}")
    if any(not c.isprintable() and c != "\n" for c in text):
        found.append(f"control characters in the message: {text!r}")
    return found


def _differences(got, wanted, tolerance):
    order, due = np.argsort(got["id"]), np.argsort(wanted.id)
    if not np.array_equal(np.array(got["id"])[order], wanted.id[due]):
        return ["id"]
    if got["type"] is not None:
        kind, kind_due = np.array(got["type"])[order], wanted.type[due]
    else:
        kind, kind_due = np.array(got["element"] or [""])[order], np.array(NAMES)[wanted.type - 1][due]
    position = np.abs(np.array(got["position"])[order] - wanted.position[due])
    same = {
        "timestep": got["timestep"] == wanted.timestep,
        "type": np.array_equal(kind, kind_due) or (got["type"] is None and got["element"] is None),
        "position": np.all(position <= tolerance),
        "cell": np.array_equal(got["cell"], wanted.cell),
        "origin": np.array_equal(got["origin"], wanted.origin),
        "boundary": tuple(got["boundary"]) == wanted.boundary,
    }
    return [what for what, is_same in same.items() if not is_same]


def same_to_a_peer(case: Case, answer: Answer) -> bool:
    """Whether a peer has all frames right, as far as one may ask of it.

    Peers keep no boundary flags, shift or turn the frame, and some are single precision: distances between
    all atoms, and lengths and angles of the cell, must be right within 0.001.
    """
    if len(answer.frames) != len(case.due.frames):
        return False
    for got, wanted in zip(answer.frames, case.due.frames, strict=True):
        if got["cell"] is None or len(got["position"]) != len(wanted.id):
            return False
        order = np.arange(len(wanted.id)) if got["id"] is None else np.argsort(got["id"])
        position, due = np.array(got["position"])[order], wanted.position[np.argsort(wanted.id)]
        cell, cell_due = np.array(got["cell"]), wanted.cell
        if not np.allclose(_distances(position), _distances(due), rtol=1e-5, atol=1e-3):
            return False
        if not np.allclose(cell @ cell.T, cell_due @ cell_due.T, rtol=1e-5, atol=1e-3):
            return False
    return True


def _distances(position):
    return np.linalg.norm(position[:, None] - position[None], axis=2)
