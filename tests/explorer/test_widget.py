"""The page in a notebook: a kernel answers over the widget's channel what the server answers, and a browser draws it."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import sys
from base64 import b64encode
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import urlencode

import numpy as np
import pytest

import qsdask
from qsdask.errors import NoInputError, UsageError
from qsdask.explorer import serve
from qsdask.explorer.page import text_of
from qsdask.explorer.server import HEADER
from tests.explorer.conftest import TOKEN, canvas, serving

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

SLICE = {"glass": 0, "frame": 3, "axis": "y", "centre": 20.0, "thickness": 4.0, "place": "frame", "column": "qs"}
ASKED = [
    ("glasses", {}),
    ("slice", {**SLICE, "contours": 1}),
    ("atom", {"glass": 0, "row": 17, "frame": 3}),
    ("above", {"glass": 0, "frame": 3, "above": 0.6, "column": "d2min"}),
    ("selection", {**SLICE, "kind": "soft", "soft": 0.5, "hard": 0.1}),
    ("python", {**SLICE, "kind": "soft", "soft": 0.5, "hard": 0.1}),
    ("slice", {**SLICE, "column": "no_such"}),
    ("nothing", {}),
]


#: Ports that a process listens on.
LISTENED = """import psutil
own = psutil.Process().net_connections("inet")
print(sorted(c.laddr.port for c in own if c.status == "LISTEN"))"""


class Kernel:
    """A kernel of Jupyter, and the channel of the one widget that it has."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", startup_timeout=120)
        self.comm, self.state, self.listened = "", {}, ""

    def run(self, code: str) -> str:
        """What a cell shows."""
        asked, shown = self.client.execute(code), ""
        while True:
            told = self.client.get_iopub_msg(timeout=120)
            kind, content = told["msg_type"], told["content"]
            if kind == "comm_open" and "_esm" in content["data"]["state"]:
                self.comm, self.state = content["comm_id"], content["data"]["state"]
            elif kind == "error":
                shown += "\n".join(content["traceback"])
            elif kind == "stream":
                shown += content["text"]
            elif kind == "execute_result":
                shown += " ".join(content["data"])
            elif kind == "status" and content["execution_state"] == "idle" and told["parent_header"]["msg_id"] == asked:
                return shown

    def send(self, data: dict) -> None:
        """A message of the page to its widget."""
        channel = self.client.shell_channel
        channel.send(self.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data}))

    def ask(self, question: str, words: dict) -> tuple[int, str, bytes]:
        """Status, media type and bytes of an answer."""
        number = f"{question}-{id(words)}"
        words = {name: str(word) for name, word in words.items()}
        self.send({"method": "custom", "content": {"number": number, "question": question, "words": words}})
        while True:
            told = self.client.get_iopub_msg(timeout=120)
            data = told["content"].get("data", {}) if told["msg_type"] == "comm_msg" else {}
            if data.get("method") == "custom" and data["content"]["number"] == number:
                [bytes_sent] = told["buffers"]
                return data["content"]["status"], data["content"]["kind"], bytes(bytes_sent)


@pytest.fixture(scope="module")
def kernel(soft_glass) -> Iterator[Kernel]:
    pytest.importorskip("anywidget", reason="needs the extra `jupyter`")
    running = Kernel()
    try:
        running.listened = running.run(LISTENED)
        shown = running.run(f"import qsdask\npage = qsdask.open_store({str(soft_glass)!r}).qs.explore()\npage")
        assert "application/vnd.jupyter.widget-view+json" in shown, shown
        yield running
    finally:
        running.client.stop_channels()
        running.manager.shutdown_kernel(now=True)


def test_the_widget_carries_the_files_of_the_page(kernel):
    assert kernel.state["_esm"] == text_of("page.js")
    assert kernel.state["css"] == text_of("page.css")
    assert kernel.state["html"] in text_of("page.html")
    assert "<script" not in kernel.state["html"]
    assert 'id="frame"' in kernel.state["html"]


@pytest.mark.parametrize(("question", "words"), ASKED, ids=[f"{name}-{k}" for k, (name, _) in enumerate(ASKED)])
def test_the_kernel_answers_as_the_server_does(kernel, soft_glass, question, words):
    with serving(soft_glass) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        line.request("GET", f"/api/{question}?{urlencode(words)}", headers={HEADER: TOKEN})
        answer = line.getresponse()
        expected = (answer.status, answer.headers["Content-Type"], answer.read())
        line.close()
    assert kernel.ask(question, words) == expected


def test_no_port_is_opened(kernel):
    assert kernel.run(LISTENED) == kernel.listened


def test_without_anywidget_one_message_says_what_to_install(tiny, monkeypatch):
    monkeypatch.setattr(serve, "_in_notebook", lambda: True)
    monkeypatch.delitem(sys.modules, "qsdask.explorer.widget", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(UsageError, match=r"(?s)needs anywidget.*qsdask\[jupyter\]") as refusal:
        qsdask.explore(tiny / "tiny.zarr")
    assert refusal.value.code == "E-EXTRA"


def test_a_tree_of_no_store_is_refused_in_words(tiny):
    tree = qsdask.open_store(tiny / "tiny.zarr")
    del tree.encoding["source"]
    with pytest.raises(NoInputError, match="E-NO-STORE"):
        tree.qs.explore()


def test_an_event_loop_that_is_no_notebook_is_not_blocked(tiny):
    async def cell():
        qsdask.explore(tiny / "tiny.zarr")

    with pytest.raises(UsageError, match="in a terminal"):
        asyncio.run(cell())


HARNESS = """<!doctype html><meta charset="utf-8"><body><div id="cell"></div><script type="module">
import widget from "./page.js";
const heard = {}, told = JSON.parse(document.body.dataset.told || "{}");
const on = (name, react) => (heard[name] ||= []).push(react);
const values = await window.begin();
window.model = {
  get: name => values[name], on, off: () => {}, save_changes: () => window.kept(values.state),
  set: (name, value) => { values[name] = value; heard[`change:${name}`]?.forEach(react => react()); },
  send: async content => {
    const {head, data} = await window.toKernel(content);
    // As in JupyterLab: a view into a larger buffer.
    const bytes = Uint8Array.from("#######" + atob(data), c => c.charCodeAt(0));
    heard["msg:custom"].forEach(react => react(head, [new DataView(bytes.buffer, 7)]));
  },
};
window.end = widget.render({model: window.model, el: document.getElementById("cell")});
</script>"""

#: Node of the page, in its own root.
ROOT = "document.querySelector('#cell > div').shadowRoot"


@pytest.fixture
def cell(kernel):
    """A page of a browser with the widget in it; its messages go to the kernel by hand."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    wrong, places, kept = [], set(), []

    def to_kernel(content):
        status, kind, data = kernel.ask(content["question"], content["words"])
        head = {"number": content["number"], "status": status, "kind": kind}
        return {"head": head, "data": b64encode(data).decode()}

    def serve_files(route):
        name = route.request.url.rpartition("/")[2]
        told = {"": ("text/html", HARNESS), "page.js": ("text/javascript", text_of("page.js"))}.get(name)
        places.add(route.request.url)
        route.fulfill(content_type=told[0], body=told[1]) if told else route.abort()

    with api.sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.route("**/*", serve_files)
        page.expose_function("toKernel", to_kernel)
        page.expose_function("begin", lambda: {name: kernel.state[name] for name in ("html", "css", "state")})
        page.expose_function("kept", lambda state: kept.append(state))
        page.goto("http://notebook.test/")
        yield SimpleNamespace(page=page, kept=kept)
        assert [text for text in wrong if "favicon" not in text] == []
        assert places <= {f"http://notebook.test/{name}" for name in ("", "page.js", "favicon.ico")}


def shown(cell, state):
    """Bytes of the atoms' canvas when a state is drawn, shape (height, width, 4)."""
    cell.page.wait_for_function(f"state => {ROOT}?.querySelector('.page').dataset.drawn === state", arg=state)
    # The size of the cell is known a frame later.
    cell.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return canvas(cell.page, f"{ROOT}.querySelector('.atoms')")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium of the system")
def test_a_strain_step_changes_pixels_in_a_cell(cell):
    first = shown(cell, "slice 0")
    assert first.shape[0] > 300
    assert len(np.unique(first.reshape(-1, 4), axis=0)) > 50
    cell.page.locator("#column").select_option("d2min")
    cell.page.locator("#frame").fill("1")
    one = shown(cell, "slice 1")
    cell.page.locator("#frame").fill("3")
    three = shown(cell, "slice 3")
    assert (one != three).any(axis=2).sum() > 1000
    assert "frame=3" in cell.kept[-1]
    # From Python: the trait moves the page.
    cell.page.evaluate("() => window.model.set('state', 'column=d2min&frame=1')")
    np.testing.assert_array_equal(shown(cell, "slice 1"), one)
    # Nothing of it reaches the rest of the notebook.
    assert cell.page.evaluate("() => document.getElementById('frame')") is None
    cell.page.locator("#frame").press(".")
    shown(cell, "slice 2")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium of the system")
def test_what_a_notebook_shows_is_said_and_ends(cell):
    shown(cell, "slice 0")
    cell.page.locator("#column").select_option("delta_qs")
    cell.page.locator("#frame").fill("2")
    cell.page.wait_for_function(f"() => {ROOT}.getElementById('status').textContent.includes('E-STAGE-MISSING')")
    cell.page.evaluate("() => window.end()")
    asked = len(cell.kept)
    cell.page.evaluate("() => window.model.set('state', 'frame=1')")
    assert len(cell.kept) == asked
