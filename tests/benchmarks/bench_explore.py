"""Strain steps of the page of `explore`, from the event to the drawn frame, beside a Bokeh page of the same slice; slices; memory.

python tests/benchmarks/bench_explore.py STORE [STORE...]

Needs the extra `browser` and a chromium of the system. The two pages take turns. CPU time is that of one step, of the server and
of all processes of the browser; on a machine that others use it is the steadier figure.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

ROUNDS = 6

#: Sets a slider and waits until the page has drawn, and until the next frame of the browser has shown it; milliseconds.
STEPS = """([id, values]) => new Promise(async done => {
  const out = [], node = document.getElementById(id), frame = () => new Promise(requestAnimationFrame);
  for (const value of values) {
    const before = performance.now();
    document.body.dataset.drawn = '';
    node.value = value;
    node.dispatchEvent(new Event('input', {bubbles: true}));
    while (!document.body.dataset.drawn) await frame();
    await frame();
    out.push(performance.now() - before);
  }
  done(out);
})"""

#: The same of Bokeh's slider: its new data have come, are painted in the next frame, and shown in the one after.
BOKEH_STEPS = """values => new Promise(async done => {
  const out = [], frame = () => new Promise(requestAnimationFrame), page = Bokeh.documents[0];
  const slider = page.get_model_by_name('frame'), source = page.get_model_by_name('atoms');
  for (const value of values) {
    const before = performance.now();
    const came = new Promise(react => source.properties.data.change.connect(react));
    slider.value = Number(value);
    await came;
    await frame();
    await frame();
    out.push(performance.now() - before);
  }
  done(out);
})"""


class Meter:
    """Milliseconds of steps, and CPU time of the server and the browser meanwhile."""

    def __init__(self, server: int) -> None:
        self.server = psutil.Process(server)
        self.wall: list[float] = []
        self.spent = [0.0, 0.0]

    def measure(self, page, script: str, words: object) -> None:
        """Run a script that gives milliseconds, and keep what it took."""
        before = self._seconds()
        self.wall += page.evaluate(script, words)
        self.spent = [s + b - a for s, a, b in zip(self.spent, before, self._seconds(), strict=True)]

    def _seconds(self) -> tuple[float, float]:
        chromium = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
        server, browser = (sum(sum(one.cpu_times()[:2]) for one in some) for some in ([self.server], chromium))
        return server, browser

    def __str__(self) -> str:
        server, browser = (1e3 * spent / len(self.wall) for spent in self.spent)
        return (
            f"median {statistics.median(self.wall):.0f} ms ({min(self.wall):.0f} to {max(self.wall):.0f}), "
            f"CPU a step: server {server:.0f} ms, browser {browser:.0f} ms; "
            f"server {self.server.memory_info().rss >> 20} MB"
        )


@contextmanager
def running(*command: str) -> Iterator[tuple[int, str]]:
    """A server; its process and the first line that it prints."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def measure(store: str, browser) -> None:
    """Print the figures of one store."""
    beside = str(Path(__file__).with_name("bokeh_page.py"))
    with (
        running("-m", "qsdask", "explore", store, "--no-browser") as (own, link),
        running(beside, store) as (other, port),
    ):
        page, theirs = (browser.new_page(viewport={"width": 1280, "height": 800}) for _ in range(2))
        for each in (page, theirs):
            each.set_default_timeout(600_000)
        page.goto(link)
        page.wait_for_function("() => document.body.dataset.drawn && !/Counting|So far/.test(document.body.innerText)")
        theirs.goto(f"http://localhost:{port}/")
        theirs.wait_for_function("() => window.Bokeh?.documents[0]?.get_model_by_name('atoms')")
        theirs.wait_for_timeout(1000)
        last = int(page.get_attribute("#frame", "max"))
        low, high = (float(page.get_attribute("#centre", name)) for name in ("min", "max"))
        print(f"{store}: {page.inner_text('#about')}; {page.inner_text('figcaption >> nth=0')}")
        print(f"  load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        steps, bokeh, slices = Meter(own), Meter(other), Meter(own)
        for turn in range(ROUNDS):
            # No frame twice: the page keeps its last answers, until it is loaded again.
            frames = [str(1 + (5 * k + turn) % last) for k in range(min(last, 4))]
            page.bring_to_front()
            page.reload()
            page.wait_for_function("() => document.body.dataset.drawn && !/Counting/.test(document.body.innerText)")
            steps.measure(page, STEPS, ["frame", frames])
            theirs.bring_to_front()
            bokeh.measure(theirs, BOKEH_STEPS, frames[:2])
            theirs.evaluate(BOKEH_STEPS, ["0"])
        page.bring_to_front()
        slices.measure(page, STEPS, ["centre", [str(low + (high - low) * k / 13) for k in range(1, 12)]])
        for name, meter in (("strain", steps), ("slice", slices), ("strain, Bokeh", bokeh)):
            print(f"  {name}: {meter}", flush=True)
        for each in (page, theirs):
            each.close()


def main(stores: list[str]) -> None:
    """Measure all stores with one browser."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for store in stores:
            measure(store, browser)


if __name__ == "__main__":
    main(sys.argv[1:])
