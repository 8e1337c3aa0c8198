"""Where questions are put, by the server and in a notebook alike: they are worked on in threads, and counting waits for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Lock, Thread

from qsdask.errors import InternalError, QSDaskError, UsageError
from qsdask.explorer.answers import Answers, Words
from qsdask.explorer.packed import json_of

__all__ = ["Desk", "Reply"]

#: Questions that are worked on at once; the page asks one at a time.
_AT_ONCE = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What is sent back.

    Attributes
    ----------
    status : int
        200; 400 for a refusal, 404 for a question that there is not, 500 for a fault. Of these `data` is JSON with the error.
    kind : str
        Media type.
    data : bytes
    """

    status: int
    kind: str
    data: bytes


class Desk:
    """Takes questions about some glasses, and counts in them while nobody asks.

    Parameters
    ----------
    answers : Answers
        What can be asked.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers, self._pool = answers, ThreadPoolExecutor(_AT_ONCE, "qsdask-explore")
        self._going, self._stop, self._waiting, self._lock = Event(), Event(), 0, Lock()
        # Ends with the process, also where nobody closes the desk.
        self._counting = Thread(target=self._count, name="qsdask-explore-count", daemon=True)

    def open(self) -> None:
        """Begin to count."""
        self._going.set()
        self._counting.start()

    def close(self) -> None:
        """End what is going on; questions that nobody works on yet are dropped."""
        self._stop.set()
        self._going.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._counting.is_alive():
            self._counting.join()

    def ask(self, question: str, words: Mapping[str, str]) -> Future[Reply]:
        """Ask in a thread.

        Parameters
        ----------
        question : str
            One of `Answers.asked`.
        words : mapping of str to str
            Its words.

        Returns
        -------
        Future of Reply
            A refusal, too, is a reply.
        """
        with self._lock:
            self._waiting += 1
            self._going.clear()
        try:
            asked = self._pool.submit(self._reply, question, dict(words))
        except RuntimeError:  # closed
            self._answered(None)
            raise
        asked.add_done_callback(self._answered)
        return asked

    def _answered(self, asked: Future[Reply] | None) -> None:
        with self._lock:
            self._waiting -= 1
            if not self._waiting:
                self._going.set()

    def _reply(self, question: str, words: dict[str, str]) -> Reply:
        ask = self._answers.asked.get(question)
        if ask is None:
            return _refused(404, UsageError(f"{question} cannot be asked", code="E-SETTING"))
        try:
            return Reply(200, *ask(Words(words)))
        except QSDaskError as error:
            return _refused(400, error)
        except Exception as error:
            _log.exception("a question failed: %s", question)
            return _refused(500, InternalError(f"{type(error).__name__}: {error}", code="E-INTERNAL"))

    def _count(self) -> None:
        """Count; a fault is said, and the page goes on without."""
        try:
            self._answers.count(self._going, self._stop)
        except Exception as error:
            _log.error("counting failed: %r", error)


def _refused(status: int, error: QSDaskError) -> Reply:
    return Reply(status, "application/json", json_of(error.as_json()))
