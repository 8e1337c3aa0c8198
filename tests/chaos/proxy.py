"""A proxy before an object store that disturbs the k-th request: kills, waits, answers 500 or 503, cuts the connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

#: Seconds that a delayed request waits.
DELAY = 2.0


class Fault(NamedTuple):
    """What is done to requests number `first` to `first` + `times` - 1.

    Attributes
    ----------
    kind : str
        ``kill before`` and ``kill after`` the server has done it, ``delay``, ``500``, ``503``, ``cut before``, ``cut after`` the server
        has done it, ``cut within`` its answer.
    """

    kind: str
    first: int
    times: int = 1


class Proxy(ThreadingHTTPServer):
    """Listens on a port of loopback, and hands on to another one."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.target, self.count, self.struck = target, 0, False
        self.fault: Fault | None = None
        self.kill: Callable[[], None] = lambda: None
        self._guard = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def begin(self, fault: Fault | None) -> None:
        """Count from 0 again."""
        with self._guard:
            self.fault, self.count, self.struck = fault, 0, False

    def hit(self) -> str:
        """What befalls the request that has just come; empty for nothing."""
        with self._guard:
            self.count += 1
            fault = self.fault
            hits = fault is not None and fault.first <= self.count < fault.first + fault.times
            self.struck |= hits
            return fault.kind if fault is not None and hits else ""

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # whoever was killed does not listen


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Heads and bodies in one packet, at once: otherwise either waits 40 ms for the other.
    wbufsize, disable_nagle_algorithm = -1, True
    server: Proxy

    def setup(self) -> None:
        super().setup()
        self._onward = HTTPConnection("127.0.0.1", self.server.target, timeout=60)

    def finish(self) -> None:
        self._onward.close()
        super().finish()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.hit()
        when = kind.rpartition(" ")[2]
        if kind == "kill before":
            self.server.kill()
        if kind in ("kill before", "cut before"):
            return self._cut()
        if kind in ("500", "503"):
            return self._answer(int(kind), [("Content-Length", "0")], b"")
        if kind == "delay":
            time.sleep(DELAY)
        self._onward.request(self.command, self.path, body, dict(self.headers.items()))
        found = self._onward.getresponse()
        data, headers = found.read(), [(k, v) for k, v in found.getheaders() if k.lower() not in _OF_A_HOP]
        if self.command != "HEAD":
            headers = [(k, v) for k, v in headers if k.lower() != "content-length"] + [
                ("Content-Length", str(len(data)))
            ]
        if kind == "kill after":
            self.server.kill()
        if when == "after":
            return self._cut()
        self._answer(found.status, headers, data[: len(data) // 2] if when == "within" else data)
        if when == "within":
            self._cut()

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _forward  # noqa: N815


_OF_A_HOP = {"connection", "transfer-encoding", "keep-alive"}
