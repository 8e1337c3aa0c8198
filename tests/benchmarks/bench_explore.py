"""Strain steps and slices of the page of `explore`: from the event to the drawn frame, CPU time, memory of the server.

python tests/benchmarks/bench_explore.py STORE [STORE...]

Needs the extra `browser` and a chromium of the system. CPU time is that of one step, of the server and of all processes of
the browser; on a machine that others use it is the steadier figure.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys

import psutil
from playwright.sync_api import sync_playwright

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


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of user and system time."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(store: str, browser) -> None:
    """Print the figures of one store."""
    command = [sys.executable, "-m", "qsdask", "explore", store, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        link = running.stdout.readline().split()[-1]
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(link)
        page.wait_for_function("() => document.body.dataset.drawn && !/Counting|So far/.test(document.body.innerText)")
        mine = psutil.Process().children(recursive=True)
        server = [psutil.Process(running.pid)]
        others = [process for process in mine if process.pid != running.pid and "chrom" in process.name()]
        low, high = (float(page.get_attribute("#centre", name)) for name in ("min", "max"))
        last = int(page.get_attribute("#frame", "max"))
        told = {
            "strain": ("frame", [str(1 + k % last) for k in range(21)]),
            "slice": ("centre", [str(low + (high - low) * k / 13) for k in range(1, 12)]),
        }
        print(f"{store}: {page.inner_text('#about')}")
        for name, (control, values) in told.items():
            before = cpu(server), cpu(others)
            wall = page.evaluate(STEPS, [control, values])
            spent = (cpu(server) - before[0]) / len(values), (cpu(others) - before[1]) / len(values)
            print(
                f"  {name}: median {statistics.median(wall):.0f} ms ({min(wall):.0f} to {max(wall):.0f}); "
                f"CPU a step: server {spent[0] * 1e3:.0f} ms, browser {spent[1] * 1e3:.0f} ms"
            )
        print(f"  server: {server[0].memory_info().rss >> 20} MB")
        page.close()
        running.terminate()


def main(stores: list[str]) -> None:
    """Measure all stores with one browser."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for store in stores:
            measure(store, browser)


if __name__ == "__main__":
    main(sys.argv[1:])
