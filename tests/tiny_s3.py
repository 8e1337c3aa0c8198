"""An object store in a thread of the tests: as much of S3 as is used, with conditions that it heeds or, on demand, does not."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from tests.bucket_servers import environment

__all__ = ["TinyS3", "bucket"]


class TinyS3(ThreadingHTTPServer):
    """Buckets in memory; they are there as soon as something is put into them.

    Attributes
    ----------
    objects : dict of str to bytes
        By bucket and key, such as ``lab/glass.zarr/zarr.json``.
    heeds : bool
        Whether conditions of writing are heeded.
    disturb : callable
        Gets method and path of a request; ``"500"``, ``"503"`` or ``"409"`` is answered, ``"cut"`` is done, and not answered.
    asked : list of str
        Method and path of every request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.heeds = True
        self.disturb: Callable[[str, str], str] = lambda method, path: ""
        self.asked: list[str] = []
        self.guard = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def below(self, prefix: str) -> dict[str, bytes]:
        """Objects by their names behind a prefix, without locks."""
        found = {key.removeprefix(prefix): data for key, data in self.objects.items() if key.startswith(prefix)}
        return {key: data for key, data in found.items() if key != ".lock"}


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True
    server: TinyS3

    def log_message(self, *_: object) -> None:
        pass

    def _do(self) -> None:
        parts = urlsplit(self.path)
        self.name, self.query = unquote(parts.path).strip("/"), parse_qs(parts.query, keep_blank_values=True)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{self.command} {self.name}")
        fault = self.server.disturb(self.command, self.name)
        if fault.isdigit():
            return self._answer(int(fault))
        with self.server.guard:
            status, data, headers = getattr(self, f"_{self.command.lower()}")()
        if fault == "cut":
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)
            return None
        return self._answer(status, data, headers)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _do  # noqa: N815

    def _answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _put(self):
        objects, there = self.server.objects, self.server.objects.get(self.name)
        if source := self.headers.get("x-amz-copy-source"):
            objects[self.name] = objects[unquote(source).strip("/")]
            return 200, b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", {}
        if self.server.heeds:
            wanted = self.headers.get("If-Match")
            if wanted is not None and there is None:
                return 404, b"", {}
            if (there is not None and self.headers.get("If-None-Match") == "*") or (wanted and _etag(there) != wanted):
                return 412, b"", {}
        objects[self.name] = self.body
        return 200, b"", {"ETag": _etag(self.body)}

    def _get(self):
        if "list-type" in self.query:
            return 200, self._listed(), {"Content-Type": "application/xml"}
        data = self.server.objects.get(self.name)
        if data is None:
            return 404, b"", {}
        if (wanted := self.headers.get("If-Match")) and wanted != _etag(data):
            return 412, b"", {}
        headers, status = {"ETag": _etag(data), "Last-Modified": formatdate(1.7e9, usegmt=True)}, 200
        if asked := self.headers.get("Range"):
            start, stop = (int(n) for n in asked.removeprefix("bytes=").split("-"))
            headers["Content-Range"] = f"bytes {start}-{min(stop, len(data) - 1)}/{len(data)}"
            data, status = data[start : stop + 1], 206
        return status, data, headers

    _head = _get

    def _delete(self):
        self.server.objects.pop(self.name, None)
        return 204, b"", {}

    def _post(self):
        keys = [key.text for key in ElementTree.fromstring(self.body).iter() if key.tag.rpartition("}")[2] == "Key"]
        for key in keys:
            self.server.objects.pop(f"{self.name}/{key}", None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return 200, f"<DeleteResult>{gone}</DeleteResult>".encode(), {}

    def _listed(self) -> bytes:
        prefix, between = (self.query.get(name, [""])[0] for name in ("prefix", "delimiter"))
        start = f"{self.name}/"
        keys = [key.removeprefix(start) for key in sorted(self.server.objects) if key.startswith(f"{start}{prefix}")]
        folders, rows = [], []
        for key in keys:
            rest = key[len(prefix) :]
            if between and between in rest:
                folders.append(prefix + rest.partition(between)[0] + between)
                continue
            data = self.server.objects[start + key]
            rows.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>{escape(_etag(data))}</ETag><Size>{len(data)}</Size></Contents>"
            )
        rows += [f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in dict.fromkeys(folders)]
        return (
            f"<ListBucketResult><Name>{self.name}</Name><KeyCount>{len(rows)}</KeyCount><IsTruncated>false</IsTruncated>"
            f"{''.join(rows)}</ListBucketResult>"
        ).encode()


@pytest.fixture
def bucket(monkeypatch) -> TinyS3:
    """A server on loopback, which this process and those that it starts take for S3; the bucket is called lab."""
    pytest.importorskip("obstore")
    server = TinyS3()
    for name, value in environment(server.url).items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()
