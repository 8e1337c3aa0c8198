"""Who may look, and what leaves the server."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import stat
import subprocess
import sys

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import CannotCreateError, QSDaskError, UsageError
from qsdask.explorer import serve
from qsdask.explorer.packed import json_of, packed
from qsdask.explorer.server import HEADER, Server
from tests.explorer.conftest import TOKEN, serving


def ask(server, path, *, method="GET", host=None, **headers):
    """Status, headers and body of a request."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    line.request(method, path, headers={"Host": host or f"127.0.0.1:{server.port}", **headers})
    answer = line.getresponse()
    body = answer.read()
    line.close()
    return answer.status, answer.headers, body


@pytest.fixture(scope="module")
def server(tiny):
    with serving(tiny / "tiny.zarr") as running:
        yield running


KNOWN = {HEADER: TOKEN}
SLICE = "/api/slice?glass=0&frame=1&axis=x&centre=4&thickness=3&column=qs&contours=1&place=frame"
FILES = [f"/?token={TOKEN}", f"/page.js?token={TOKEN}", f"/page.css?token={TOKEN}"]


def test_the_link_opens_the_page_and_the_header_the_answers(server):
    for path in FILES:
        assert ask(server, path)[0] == 200
    status, _, body = ask(server, SLICE, **KNOWN)
    assert status == 200
    length = int.from_bytes(body[:4], "little")
    head = json.loads(body[4 : 4 + length])
    at = head["arrays"]["row"]
    rows = np.frombuffer(body, "<u4", at["size"], 4 + length + at["offset"])
    assert rows.tolist() == sorted(rows.tolist())
    assert (4 + length) % 8 == 0
    assert all(one["offset"] % 8 == 0 for one in head["arrays"].values())


@pytest.mark.parametrize("path", [*FILES, SLICE, "/api/glasses", "/api/counts?glass=0", "/nowhere", "/api/nothing"])
def test_a_foreign_name_is_refused_whatever_it_knows(server, path):
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost.", "[", "0.0.0.0"):
        assert ask(server, path, host=host, **KNOWN)[0] == 403


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/nowhere", "/?token=", "/?token=wrong", "/?token=%FF"])
def test_without_the_token_nothing_is_told(server, path):
    status, _, body = ask(server, path)
    assert status in (400, 403)
    assert TOKEN.encode() not in body
    assert b"script" not in body


@pytest.mark.parametrize("path", [SLICE, "/api/glasses", "/api/nothing"])
def test_the_token_of_the_link_is_not_enough_for_answers(server, path):
    known = f"{path}{'&' if '?' in path else '?'}token={TOKEN}"
    assert ask(server, known)[0] == 403
    assert ask(server, path, **{HEADER: "wrong"})[0] == 403
    assert ask(server, path, **{HEADER: ""})[0] == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST:99"])
def test_a_tunnel_may_end_at_any_port(server, host):
    assert ask(server, "/api/glasses", host=host, **KNOWN)[0] == 200


def test_what_there_is_not_is_404_and_nothing_is_written(server):
    assert ask(server, "/nowhere?token=" + TOKEN)[0] == 404
    assert ask(server, "/../glass.py?token=" + TOKEN)[0] == 404
    assert ask(server, "/api/nothing", **KNOWN)[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/api/glasses", method=method, **KNOWN)[0] in (400, 405)


def test_nothing_from_outside_may_run_or_frame_the_page(server):
    for path in (*FILES, SLICE, "/nowhere", "/"):
        headers = ask(server, path, **KNOWN)[1]
        policy = dict(part.split(maxsplit=1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers


def test_a_refusal_is_told_with_its_code(server):
    status, headers, body = ask(server, SLICE.replace("qs", "no_such"), **KNOWN)
    assert status == 400
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["code"] == "E-COLUMN"


def test_the_server_is_on_this_machine_alone(server):
    # Another address of the same machine, also on machines that have no network.
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port), 2):
        pass


def test_served_to_others_it_knows_the_names_of_this_machine_only():
    local, served = (Server(None, TOKEN, host) for host in ("127.0.0.1", "0.0.0.0"))
    assert not local.allows_host(socket.gethostname())
    assert served.allows_host(socket.gethostname())
    assert served.allows_host("192.0.2.7:80")
    assert not served.allows_host("evil.example")


def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(CannotCreateError, match="E-PORT"):
        Server(None, TOKEN, port=server.port)


def test_arrays_and_numbers_survive_packing():
    arrays = {"a": np.arange(3, dtype=np.uint8), "b": np.array([np.nan, 1.5]), "c": np.zeros(0, np.float32)}
    data = packed({"x": [np.inf, 1.0], "y": np.float64("nan"), "z": np.int64(2)}, arrays)
    length = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + length])
    assert (head["x"], head["y"], head["z"]) == ([None, 1.0], None, 2)
    for name, array in arrays.items():
        at = head["arrays"][name]
        found = np.frombuffer(data, at["dtype"], at["size"], 4 + length + at["offset"])
        np.testing.assert_array_equal(found, array)
    assert json_of({"a": [float("nan")]}) == b'{"a": [null]}'


def test_it_is_served_to_others_with_a_token_of_ones_own_only(tiny, tmp_path, capsys, monkeypatch):
    store = str(tiny / "tiny.zarr")
    assert main(["explore", store, "--serve", "0.0.0.0"]) == 64
    assert "E-SERVE" in capsys.readouterr().err
    file = tmp_path / "token"
    assert main(["explore", store, "--token-file", str(file)]) == 66
    assert "E-NO-FILE" in capsys.readouterr().err
    file.write_text(TOKEN + "\n")
    file.chmod(0o644)
    assert main(["explore", store, "--token-file", str(file)]) == 64
    assert "chmod 600" in capsys.readouterr().err
    file.chmod(stat.S_IRUSR)
    monkeypatch.setattr(serve.asyncio, "run", lambda job: job.close())
    assert main(["explore", store, "--token-file", str(file), "--serve", "0.0.0.0"]) == 0
    shown = capsys.readouterr().out
    assert TOKEN not in shown
    assert "http://0.0.0.0:" in shown
    for bad in ("short", "a token with spaces in it", "…" * 20):
        file.chmod(0o600)
        file.write_text(bad)
        with pytest.raises(UsageError, match="E-SERVE"):
            qsdask.explore(store, token_file=file)


def test_the_command_prints_the_link_and_from_afar_the_tunnel(tiny, capsys, monkeypatch):
    browsers: list[str] = []
    monkeypatch.setattr(serve.webbrowser, "open", browsers.append)
    monkeypatch.setattr(serve.asyncio, "run", lambda job: job.close())
    store = str(tiny / "tiny.zarr")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert main(["explore", store]) == 0
    [link] = browsers
    assert link in capsys.readouterr().out
    assert link.startswith("http://127.0.0.1:")
    assert main(["explore", store, "--no-browser"]) == 0
    assert "ssh" not in capsys.readouterr().out
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22")
    assert main(["explore", store]) == 0
    shown = capsys.readouterr().out
    port = shown.partition("http://127.0.0.1:")[2].partition("/")[0]
    assert f"ssh -L {port}:127.0.0.1:{port} " in shown
    assert len(browsers) == 1


def test_stores_that_cannot_be_shown_are_refused_before_anything_listens(tmp_path, tiny, capsys):
    assert main(["explore", str(tmp_path / "none.zarr")]) == 66
    assert main(["explore", str(tiny / "tiny.zarr"), "--model", "other"]) == 66
    assert "E-STAGE-MISSING" in capsys.readouterr().err
    with pytest.raises(QSDaskError):
        qsdask.explore([tiny / "tiny.zarr", tmp_path / "none.zarr"])


def test_in_a_notebook_the_command_is_named(tiny):
    async def cell():
        qsdask.explore(tiny / "tiny.zarr")

    with pytest.raises(UsageError, match="in a terminal"):
        asyncio.run(cell())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_complaint(tiny, number):
    command = [sys.executable, "-m", "qsdask", "explore", str(tiny / "tiny.zarr"), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        lines = [running.stdout.readline() for _ in range(2)]
        assert "http://127.0.0.1:" in lines[0]
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (0, "closed\n", "")
