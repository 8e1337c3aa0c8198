"""The page in a browser: what is drawn, picked, counted and written, by mouse and by keyboard alone."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from io import BytesIO
from threading import Thread
from urllib.parse import urlsplit

import ase.io
import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

import qsdask
from tests.explorer.conftest import TOKEN, canvas, serving

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium of the system")]

#: Positions at rest: an atom stays where it is while its colour changes.
AT_REST = "place=undeformed&axis=y&centre=20&thickness=4"


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def server(soft_glass, tilted):
    with serving(soft_glass, tilted) as running:
        yield running


@pytest.fixture
def opened(browser, server):
    """Opens the page with a state; afterwards nothing must have gone wrong, nor have left this machine."""
    contexts, wrong, places, own = [], [], set(), set()

    def open_page(state="", port=None, **settings):
        settings = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"} | settings
        contexts.append(browser.new_context(permissions=["clipboard-read", "clipboard-write"], **settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: places.add(urlsplit(request.url)[:2]))
        base = f"http://127.0.0.1:{port or server.port}"
        own.add(urlsplit(base)[:2])
        page.goto(f"{base}/?token={TOKEN}#{state}")
        drawn(page)
        return page

    open_page.wrong = wrong
    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert {place for place in places if place[0] not in ("data", "blob")} <= own


def drawn(page, state=None):
    """Wait until the page shows what it was asked for."""
    page.wait_for_function(
        "state => state ? document.body.dataset.drawn === state : !!document.body.dataset.drawn", arg=state
    )


def pixels(page, which=0):
    """Bytes of the atoms' canvas, shape (height, width, 4)."""
    return canvas(page, f"document.querySelectorAll('.atoms')[{which}]")


def placement(page, which=0):
    """Scale and origin of a slice, in pixels."""
    figure = page.locator(".picture").nth(which)
    return [float(figure.get_attribute(f"data-{name}")) for name in ("scale", "left", "bottom", "ratio")]


def in_plane(store, axis, frame):
    """Coordinates of a slice's atoms in the picture's plane, and their Dataset."""
    tree = qsdask.open_store(store)
    atoms = tree.qs.slab(axis, 20.0, 4.0, frame=frame).compute()
    k = "xyz".index(axis)
    plane = [(k + 1) % 3, (k + 2) % 3]
    return atoms.position.values[:, plane] - tree.frames.origin.values[frame, plane], atoms


def test_a_strain_step_changes_the_pixels_of_known_atoms(opened, soft_glass):
    page = opened(f"{AT_REST}&column=d2min&marked=none&frame=1")
    scale, left, bottom, _ = placement(page)
    uv, atoms = in_plane(soft_glass, "y", 0)
    x = np.floor(left + scale * uv[:, 0].astype(np.float32) + 0.5).astype(int)
    y = np.floor(bottom - scale * uv[:, 1].astype(np.float32) + 0.5).astype(int)
    size = 0.85 * atoms.radius.values[atoms.species.values] * scale + 2.0
    away = np.hypot(x - x[:, None], y - y[:, None])
    # Nobody who is drawn later covers its middle.
    free = ~np.triu(away < size, 1).any(axis=1) & (x > 0) & (y > 0)
    table = matplotlib.colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    tree = qsdask.open_store(soft_glass)
    d2 = tree.response.d2min.d2min.isel(atom=tree.atoms.id.isin(atoms.id).values).values
    shown = {}
    for frame in (1, 3):
        page.locator("#frame").fill(str(frame))
        drawn(page, f"slice {frame}")
        shown[frame] = pixels(page)
        step = np.clip(np.floor(d2[frame].astype(np.float32) * 255.999 / 10.0), 0, 255).astype(int)
        seen = shown[frame][y, x, :3][free]
        assert free.sum() > 100
        np.testing.assert_array_equal(seen, table[step[free]])
    moved = free & (d2[3] > 2.0)
    assert moved.sum() > 10
    assert (shown[1][y, x] != shown[3][y, x]).any(axis=1)[moved].all()


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_click_picks_the_atom_that_is_nearest_in_xarray(opened, soft_glass, axis):
    page = opened(f"axis={axis}&centre=20&thickness=4&frame=3")
    scale, left, bottom, ratio = placement(page)
    uv, atoms = in_plane(soft_glass, axis, 3)
    box = page.locator(".lines").first.bounding_box()
    table = qsdask.open_store(soft_glass).qs.to_dataframe(["qs", "qs_std", "d2min"], frame=3).set_index("id")
    for u, v in ((10.0, 12.0), (25.2, 31.7), (40.4, 3.3)):
        x, y = (left + scale * u) / ratio, (bottom - scale * v) / ratio
        page.mouse.click(box["x"] + x, box["y"] + y)
        away = np.hypot(left + scale * uv[:, 0] - x * ratio, bottom - scale * uv[:, 1] - y * ratio)
        nearest = int(atoms.id[int(np.argmin(away))])
        page.wait_for_function(f"() => document.querySelector('#atom td')?.textContent === '{nearest}'")
        told = page.inner_text("#atom")
        row = table.loc[nearest]
        assert f"{row['qs']:.4g}" in told
        assert f"{row['d2min']:.4g} Å²" in told
        assert row["element"] in told
        assert "Voronoi index" in told


def test_the_histogram_counts_as_numpy_does(opened, soft_glass):
    page = opened()
    qs = qsdask.open_store(soft_glass).qs.atoms().qs.values
    page.wait_for_selector("#bars rect >> nth=49", state="attached")
    page.wait_for_function("() => !document.querySelector('#activation').textContent.includes('Counting')")
    bars = page.eval_on_selector_all("#bars title", "all => all.map(t => t.textContent)")
    expected, edges = np.histogram(qs, 50, (0.0, 1.0))
    assert bars == [
        f"QS {low:.4g} to {high:.4g}: {count:,} atoms"
        for count, low, high in zip(expected, edges[:-1], edges[1:], strict=True)
    ]

    def shares():
        return [int(page.get_attribute("#shares", f"data-{name}")) for name in ("soft", "hard", "usable")]

    assert shares() == [(qs > 0.7).sum(), (qs < 0.1).sum(), len(qs)]
    page.locator("#soft").fill("0.545")
    page.locator("#hard").fill("0.255")
    assert shares() == [(qs > 0.545).sum(), (qs < 0.255).sum(), len(qs)]
    page.locator("#hard").fill("0.9")  # never above the other handle
    assert shares() == [(qs > 0.9).sum(), (qs < 0.9).sum(), len(qs)]
    assert "soft=0.9" in page.url


def test_the_stress_stands_along_the_strain(browser, soft_glass, tmp_path):
    store = shutil.copytree(soft_glass, tmp_path / "loaded.zarr")
    steps = qsdask.open_store(store).frames.timestep.values
    table = tmp_path / "table.csv"
    table.write_text("step,s_GPa\n" + "".join(f"{step},{0.5 * k}\n" for k, step in enumerate(steps) if k != 2))
    qsdask.stress(store, table=table, column="s_GPa")
    with serving(store) as server:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/?token={TOKEN}#frame=3")
        drawn(page, "slice 3")
        assert "1.5 GPa, along the loading. 1 of 4 frames have no row" in page.inner_text("#stress-told")
        # A gap, no line across it.
        assert page.get_attribute("#stress-curve .curve", "d").count("M") == 2
        at = float(page.get_attribute("#stress-curve .cursor", "x1"))
        assert float(page.get_attribute("#stress-curve .dot", "cx")) == at
        box = page.locator("#stress-curve").bounding_box()
        page.mouse.click(box["x"] + 41, box["y"] + 30)
        drawn(page, "slice 0")
        assert "0 GPa" in page.inner_text("#stress-told")
        assert float(page.get_attribute("#stress-curve .cursor", "x1")) < at
        page.locator("#frame").fill("2")
        drawn(page, "slice 2")
        assert ": none, along the loading" in page.inner_text("#stress-told")
        page.close()


def test_without_a_stress_there_is_no_empty_box(opened):
    assert not opened().locator("#stress").is_visible()


def test_the_caption_counts_the_slice(opened, soft_glass):
    page = opened("axis=y&centre=20&thickness=4&frame=3&soft=0.5&hard=0.2")
    atoms = qsdask.open_store(soft_glass).qs.slab("y", 20.0, 4.0, frame=3).compute()
    plastic = int(((atoms.d2min > 5.0) & atoms.valid).sum())
    said = page.inner_text("figcaption >> nth=0")
    n = atoms.sizes["atom"], int((atoms.qs > 0.5).sum()), int((atoms.qs < 0.2).sum()), plastic
    assert said.endswith("{:,} atoms, {:,} soft, {:,} hard, {:,} plastic".format(*n))
    assert page.get_attribute("#status", "aria-live") == "polite"
    assert page.inner_text("#status") == said


def test_everything_is_done_by_keyboard_alone(opened, soft_glass):
    page = opened("marked=none")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.className"))
    wanted = (
        "view glass beside column map low high kind marked lines axis centre centre-number thickness place png extxyz"
    )
    wanted += " python play frame hard soft curve"
    assert set(wanted.split()) <= reached
    page.focus("#frame")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    drawn(page, "slice 2")
    page.focus("#soft")
    page.keyboard.press("ArrowLeft")
    assert "soft=0.695" in page.url
    page.focus(".lines")
    page.keyboard.press(".")
    drawn(page, "slice 3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#atom td")
    first = page.inner_text("#atom td >> nth=0")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => document.querySelector('#atom td').textContent !== '{first}'")
    second = page.inner_text("#atom td >> nth=0")
    page.wait_for_function(f"() => document.querySelector('#status').textContent.startsWith('Atom {second}')")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"() => document.querySelector('#atom td').textContent !== '{second}'")
    page.keyboard.press("]")
    page.wait_for_function("() => location.hash.includes('centre')")
    page.keyboard.press("p")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    page.wait_for_function("() => document.body.dataset.drawn === 'slice 1'")
    page.keyboard.press("p")
    assert page.get_attribute("#play", "aria-pressed") == "false"


def test_every_control_has_a_name(opened):
    page = opened()
    for box in page.query_selector_all("input, select, button, output, canvas.lines, svg"):
        if not box.is_visible():
            continue
        name = box.evaluate(
            "n => n.getAttribute('aria-label') || n.textContent || [...(n.labels || [])].map(l => l.textContent).join(' ')"
        )
        assert name.strip(), box.evaluate("n => n.outerHTML")


def test_the_address_holds_what_is_shown(opened):
    state = "frame=3&axis=z&centre=21.5&thickness=3&column=d2min&map=cividis&low=0&high=7&kind=plastic&marked=rings&soft=0.6"
    page = opened(state)
    before = pixels(page)
    assert page.input_value("#axis") == "z"
    assert page.input_value("#high") == "7"
    page.locator("#frame").fill("2")
    drawn(page, "slice 2")
    assert not np.array_equal(before, pixels(page))
    page.locator("#frame").fill("3")
    drawn(page, "slice 3")
    address = page.url
    again = opened(urlsplit(address).fragment)
    np.testing.assert_array_equal(pixels(again), before)
    again.goto(
        address.partition("#")[0] + "#frame=99&axis=w&column=none&glass=7&centre=-1e9&thickness=-3&kind=no&row=1e12"
    )
    again.wait_for_function("() => document.getElementById('axis').value === 'y'")
    assert again.input_value("#frame") == "3"
    assert again.input_value("#kind") == "all"


def test_two_glasses_stand_side_by_side_on_one_scale(opened):
    page = opened("beside=1&frame=2&column=species")
    drawn(page, "slice 2 1")  # both at 1 %
    assert placement(page, 0)[0] == placement(page, 1)[0]
    assert "tilted" in page.inner_text("figcaption >> nth=1")
    assert len(np.unique(pixels(page, 1).reshape(-1, 4), axis=0)) > 3


def test_the_glass_is_turned_in_three_dimensions(opened, soft_glass):
    page = opened("view=above&above=0.6&frame=3")
    drawn(page, "above 3")
    n = int((qsdask.open_store(soft_glass).qs.atoms().qs > 0.6).sum())
    assert f"{n:,} atoms with QS above 0.6" in page.inner_text("figcaption >> nth=0")
    before = pixels(page)
    page.focus(".lines")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.hash.includes('turn=0.75')")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert not np.array_equal(pixels(page), before)
    page.keyboard.press("Enter")
    page.wait_for_selector("#atom td")
    table = qsdask.open_store(soft_glass).qs.to_dataframe(["qs"]).set_index("id")
    assert table.loc[int(page.inner_text("#atom td >> nth=0")), "qs"] > 0.6


def test_picture_file_and_python_line_leave_the_page(opened, tmp_path):
    page = opened("axis=y&centre=20&thickness=4&frame=3&kind=soft&soft=0.5")
    with page.expect_download() as saved:
        page.click("#png")
    shape = imread(BytesIO(saved.value.path().read_bytes())).shape
    assert shape[1] == pixels(page).shape[1]
    with page.expect_download() as saved:
        page.click("#extxyz")
    file = tmp_path / "selection.extxyz"
    saved.value.save_as(file)
    page.click("#python")
    page.wait_for_function("() => document.querySelector('#status').textContent.startsWith('Copied')")
    names: dict = {}
    exec(page.evaluate("() => navigator.clipboard.readText()"), names)
    assert 0 < names["atoms"].sizes["atom"] < 1000
    assert ase.io.read(file).arrays["id"].tolist() == names["atoms"].id.values.tolist()


def test_a_refusal_is_said_and_the_page_goes_on(opened):
    page = opened("frame=3&column=delta_qs")
    page.locator("#frame").fill("2")
    page.wait_for_function("() => document.querySelector('#status').textContent.includes('E-STAGE-MISSING')")
    assert "qsdask predict" in page.inner_text("#status")
    # The browser tells of the answer, too.
    assert [text.rpartition(" of ")[2] for text in opened.wrong] == ["400 (Bad Request)"]
    opened.wrong.clear()
    page.locator("#frame").fill("0")
    drawn(page, "slice 0")


def test_it_works_through_a_forwarded_port(opened, server):
    with socket.create_server(("127.0.0.1", 0)) as front:
        port = front.getsockname()[1]
        Thread(target=forward, args=(front, server.port), daemon=True).start()
        page = opened("frame=2", port=port)
        page.locator("#frame").fill("3")
        drawn(page, "slice 3")
        page.close()


def forward(front, port):
    """What `ssh -L` does with bytes."""

    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                each.close()

    while True:
        try:
            near = front.accept()[0]
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        for pair in ((near, far), (far, near)):
            Thread(target=pump, args=pair, daemon=True).start()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_nothing_is_wider_than_the_window(opened, scheme, width):
    page = opened("frame=3&row=10", viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
