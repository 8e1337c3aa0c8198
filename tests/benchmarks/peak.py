"""The largest memory of this process and of its children while something is done."""

from __future__ import annotations

import threading

import psutil


class Peak(threading.Thread):
    """Largest resident memory of this process and of each worker since the last reset."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.driver = self.worker = 0
        self.ended = threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self.ended.wait(0.05):
            self.driver = max(self.driver, me.memory_info().rss)
            for child in me.children(recursive=True):
                try:
                    self.worker = max(self.worker, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    def reset(self) -> None:
        self.driver = self.worker = 0
