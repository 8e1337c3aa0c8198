"""The server of the page: on this machine alone, for those who know its token, with nothing from outside."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from qsdask.errors import CannotCreateError
from qsdask.explorer.answers import Answers
from qsdask.explorer.desk import Desk, Reply
from qsdask.explorer.page import text_of

__all__ = ["HEADER", "LOOPBACK", "Server"]

#: Every question carries the token in this header, which no other site can make a browser send.
HEADER = "X-QSDask-Token"

LOOPBACK = "127.0.0.1"

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_FILES = {
    "": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}


class Server:
    """Serves a page about some glasses.

    Parameters
    ----------
    answers : Answers
        What the page is about.
    token : str
        Who knows it may look.
    host : str
        Address to listen on.
    port : int
        0 takes a free one.

    Raises
    ------
    CannotCreateError
        ``E-PORT`` when the address or the port cannot be listened on.
    """

    def __init__(self, answers: Answers, token: str, host: str = LOOPBACK, port: int = 0) -> None:
        self.token, self._host, self._desk = token, host, Desk(answers)
        try:
            self._sockets = bind_sockets(port, host, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise CannotCreateError(
                f"nothing can listen on {host}, port {port}: {error.strerror or error}",
                code="E-PORT",
                hint="--port 0 takes a free port",
            ) from None
        self.port = int(self._sockets[0].getsockname()[1])

    async def run(self, closed: asyncio.Event) -> None:
        """Serve until the event is set, or the task is cancelled."""
        http = HTTPServer(self._application(), max_buffer_size=2**20, max_body_size=0)
        http.add_sockets(self._sockets)
        self._desk.open()
        try:
            await closed.wait()
        finally:
            http.stop()
            await http.close_all_connections()
            self._desk.close()

    def allows_host(self, given: str) -> bool:
        """Whether a ``Host`` is one of this server: a page of another name that leads here is none."""
        try:
            name = urlsplit(f"//{given}").hostname or ""
        except ValueError:
            return False
        if name in ("localhost", LOOPBACK, "::1", self._host.lower()):
            return True
        if self._host == LOOPBACK:
            return False
        if name in (socket.gethostname().lower(), socket.getfqdn().lower()):
            return True
        try:
            # A number is no name that somebody could lead elsewhere.
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def allows_token(self, given: str) -> bool:
        """Whether it is the token."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def answer(self, question: str, words: dict[str, str]) -> Reply:
        """See `Desk.ask`."""
        return await asyncio.wrap_future(self._desk.ask(question, words))

    def _application(self) -> Application:
        given = {"server": self}
        routes = [(rf"/({'|'.join(_FILES)})", _File, given), (r"/api/([a-z]+)", _Api, given)]
        return Application(
            routes, default_handler_class=_Nothing, default_handler_args=given, log_function=lambda handler: None
        )


class _Guarded(RequestHandler):
    """Refuses who must not look before anything else is done."""

    def initialize(self, server: Server) -> None:
        self.server = server

    def set_default_headers(self) -> None:
        for name, value in _POLICY.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self) -> None:
        if not self.server.allows_host(self.request.headers.get("Host", "")):
            self._refuse("this server has another name")
        elif not self.server.allows_token(self.token_given()):
            self._refuse("the link that 'qsdask explore' printed opens this page")

    def token_given(self) -> str:
        """The token of the request, empty if it has none."""
        return self.get_query_argument("token", "", strip=False)

    def compute_etag(self) -> None:
        """None: everything is sent anew."""

    def write_error(self, status_code: int, **why: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")

    def _refuse(self, why: str) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"403 {why}\n")


class _Nothing(_Guarded):
    """Where there is nothing."""

    def get(self) -> None:
        self.send_error(404)


class _File(_Guarded):
    """The page, its style and its program, which are files of the package."""

    def get(self, name: str) -> None:
        text = text_of(name or "page.html")
        self.set_header("Content-Type", _FILES[name])
        self.finish(text.replace("{token}", self.server.token) if not name else text)


class _Api(_Guarded):
    """Questions."""

    def token_given(self) -> str:
        return self.request.headers.get(HEADER, "")

    async def get(self, question: str) -> None:
        words = {name: values[-1].decode("utf-8", "replace") for name, values in self.request.query_arguments.items()}
        reply = await self.server.answer(question, words)
        self.set_status(reply.status)
        self.set_header("Content-Type", reply.kind)
        self.finish(reply.data)
