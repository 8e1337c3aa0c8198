"""Connections between the processes that learn one model together: encrypted, for holders of one key, on one address.

LightGBM's own sockets listen on all networks of a machine, ask nobody who he is, and bring the process down when the other
side is lost. It takes functions in their place; these are built on what is here.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

__all__ = ["Keys", "Wire"]

#: A connection that has not said who it is by then is not one of ours. Unit: seconds.
HANDSHAKE_SECONDS = 30.0


class Keys(NamedTuple):
    """Key of one training, as PEM texts: whoever has it may take part.

    Attributes
    ----------
    authority, certificate, key : str
        Certificates of the authority and of all ranks, and their key.
    """

    authority: str
    certificate: str
    key: str


class Wire:
    """What one rank sends to and receives from all others.

    Parameters
    ----------
    host : str
        Address to listen on; no other is.
    keys : Keys
        Key of the training.

    Notes
    -----
    There are two connections between two ranks, one each way: what a thread sends and what another receives never share one.
    """

    def __init__(self, host: str, keys: Keys) -> None:
        self._keys = keys
        self._listener = socket.create_server((host, 0), family=_family(host), backlog=1024)
        self._out: dict[int, ssl.SSLSocket] = {}
        self._in: dict[int, ssl.SSLSocket] = {}
        self._sender = ThreadPoolExecutor(1)
        self.rank = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where the others find this rank."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    def connect(self, rank: int, addresses: Sequence[tuple[str, int]]) -> None:
        """Connect with all others, who do the same at this time.

        Parameters
        ----------
        rank : int
            Which of them this one is.
        addresses : sequence of (str, int)
            Of all ranks, this one's too.
        """
        self.rank = rank
        done = self._sender.submit(self._call, addresses)
        server = self._context(ssl.PROTOCOL_TLS_SERVER)
        server.num_tickets = 0  # nobody reads on the other end: what is left there would reset the connection
        while len(self._in) < len(addresses) - 1:
            plain, _ = self._listener.accept()
            plain.settimeout(HANDSHAKE_SECONDS)
            with suppress(OSError):  # whoever has no key is none of us
                known = server.wrap_socket(plain, server_side=True)
                other = int.from_bytes(_received(known, 4), "little")
                _ready(known)
                self._in[other] = known
        done.result()
        self._listener.close()

    def _call(self, addresses: Sequence[tuple[str, int]]) -> None:
        client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        for other, address in enumerate(addresses):
            if other != self.rank:
                plain = socket.create_connection(address, timeout=HANDSHAKE_SECONDS)
                known = client.wrap_socket(plain)
                known.sendall(self.rank.to_bytes(4, "little"))
                _ready(known)
                self._out[other] = known

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata=self._keys.authority)
        with tempfile.TemporaryDirectory(prefix="qsdask-") as folder:  # which nobody else can look into
            file = os.path.join(folder, "pair.pem")
            with open(file, "w") as pair:
                pair.write(f"{self._keys.key}\n{self._keys.certificate}")
            context.load_cert_chain(file)
        return context

    def swap(self, outgoing: Mapping[int, bytes], length: Mapping[int, int]) -> dict[int, bytearray]:
        """Send something to each other rank, and receive what each sends.

        Parameters
        ----------
        outgoing : mapping of int to bytes
            For every other rank.
        length : mapping of int to int
            How many bytes come from every other rank.

        Returns
        -------
        dict of int to bytearray
            By rank, in their order.

        Raises
        ------
        OSError
            When one of them is gone.
        """
        sent = self._sender.submit(self._send, outgoing)
        found = {other: _received(self._in[other], length[other]) for other in sorted(length)}
        sent.result()
        return found

    def _send(self, outgoing: Mapping[int, bytes]) -> None:
        for other, data in outgoing.items():
            self._out[other].sendall(data)


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _ready(known: ssl.SSLSocket) -> None:
    """From now on it may take as long as a tree does, and small messages are not held back."""
    known.settimeout(None)
    known.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _received(known: ssl.SSLSocket, n: int) -> bytearray:
    data = bytearray(n)
    view = memoryview(data)
    while view:
        got = known.recv_into(view)
        if not got:
            raise ConnectionError("the other side is gone")
        view = view[got:]
    return data
