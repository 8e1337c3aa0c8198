"""Somebody who kills while a model is learned, when enough of it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def killed_at(seen: Callable[[], bool], kill: Callable[[], None]) -> Iterator[threading.Event]:
    """Somebody who waits until something is seen, and then kills; tells whether he did."""
    done, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            if seen():
                kill()
                done.set()
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def working_folder(model: Path) -> Path:
    return model.with_name(f".{model.name}.learning")


def kept(model: Path, pattern: str) -> list[Path]:
    """What is done so far."""
    return list(working_folder(model).glob(f"*/{pattern}"))
