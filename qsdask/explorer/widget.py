"""The page in a notebook: the same page, whose questions come over the channel of a widget; the one file that imports `anywidget`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import anywidget
import traitlets

from qsdask.explorer.answers import Answers
from qsdask.explorer.desk import Desk, Reply
from qsdask.explorer.page import body_of, text_of

__all__ = ["Explorer"]


class Explorer(anywidget.AnyWidget):
    """The page of `qsdask.explore` as a widget; nothing listens on a port.

    Parameters
    ----------
    answers : Answers
        What the page is about.

    Attributes
    ----------
    state : str
        What is shown, in the words that stand behind the ``#`` of the page's address: ``frame=3&axis=z``. Setting it moves the
        page.
    """

    _esm = text_of("page.js")
    html = traitlets.Unicode(body_of(text_of("page.html"))).tag(sync=True)
    css = traitlets.Unicode(text_of("page.css")).tag(sync=True)
    state = traitlets.Unicode("").tag(sync=True)

    def __init__(self, answers: Answers) -> None:
        self._desk = Desk(answers)
        super().__init__()
        self.on_msg(self._heard)
        self._desk.open()

    def close(self) -> None:
        """End the page and what it counts."""
        self._desk.close()
        super().close()

    def _heard(self, _widget: object, told: Mapping[str, Any], _buffers: Sequence[memoryview]) -> None:
        """A question of the page: which one of its own it is, its name and its words."""
        words = {str(name): str(word) for name, word in dict(told.get("words") or {}).items()}
        self._desk.ask(str(told.get("question")), words).add_done_callback(partial(self._answer, told.get("number")))

    def _answer(self, number: object, asked: Future[Reply]) -> None:
        if not asked.cancelled():
            reply = asked.result()
            self.send({"number": number, "status": reply.status, "kind": reply.kind}, buffers=[reply.data])
