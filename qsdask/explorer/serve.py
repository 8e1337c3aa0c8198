"""``explore``: glasses in a browser, or in a notebook."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import signal
import socket
import stat
import sys
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from qsdask.engine.stop import SIGNALS, Stopped
from qsdask.errors import NoInputError, UsageError
from qsdask.explorer.answers import Answers
from qsdask.explorer.server import LOOPBACK, Server

if TYPE_CHECKING:
    from qsdask.explorer.widget import Explorer

__all__ = ["explore"]

#: A token that is guessed in less than the age of the universe is none.
_SHORTEST = 16


def explore(
    stores: str | Path | Sequence[str | Path],
    *,
    model: str | Path | None = None,
    port: int = 0,
    serve: str | None = None,
    token_file: str | Path | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> Explorer | None:
    """Show glasses in a browser until the process is stopped, or in a notebook: slices, strain, thresholds, single atoms.

    Only the chunks that meet what is shown are read, and a bounded number of them is kept in memory.

    Parameters
    ----------
    stores : str, Path, or a sequence of them
        Specimens' stores, after `qsdask.ingest`; softness and response are shown as far as they are there.
    model : str or Path, optional
        Model folder, or its name; needed only where a store has the softness of several.
    port : int
        Port to listen on; 0 takes a free one.
    serve : str, optional
        Address to listen on instead of this machine's own, for others; what is sent is not encrypted.
    token_file : str or Path, optional
        File that holds the token of the link, readable by you alone; a new token by default.
    browser : bool
        Open a browser, where there is one.
    say : callable
        Is told where the page is.

    Returns
    -------
    Explorer or None
        In a notebook the page, as a widget that asks its kernel: there is no port, and `port`, `serve`, `token_file`, `browser` and
        `say` say nothing. Elsewhere none, when the process is stopped, by Ctrl-C or a signal.

    Raises
    ------
    UsageError
        ``E-SERVE``: `serve` without `token_file`, a token that others can read, or guess, or a call from an event loop that is no
        notebook's; ``E-EXTRA``: in a notebook without anywidget; ``E-MODEL-NAME``.
    CannotCreateError
        ``E-PORT``.
    QSDaskError
        When a store is missing or its stages are incomplete.
    """
    named = [stores] if isinstance(stores, str | Path) else list(stores)
    if _in_notebook():
        return _widget(named, model)
    _refuse_loop()
    if serve is not None and token_file is None:
        raise UsageError(
            "others than you are let in only with a token of yours",
            code="E-SERVE",
            why="without a file the token would stand in the terminal, and change at every start",
            hint=f"--serve {serve} --token-file FILE, or ssh -L, see qsdask explore --help",
        )
    token = secrets.token_urlsafe(24) if token_file is None else _token_of(Path(token_file))
    server = Server(Answers(named, model), token, serve or LOOPBACK, port)
    shown = "TOKEN" if serve else token
    link = f"http://{_bracketed(serve or LOOPBACK)}:{server.port}/?token={shown}"
    say(f"{', '.join(map(str, named))}: {link}")
    if serve:
        say(f"TOKEN is what {token_file} holds. What is sent is not encrypted: ssh -L is safer.")
    elif os.environ.get("SSH_CONNECTION"):
        say(f"On your own machine: ssh -L {server.port}:{LOOPBACK}:{server.port} {_login()}; then open the link there.")
    elif browser:
        webbrowser.open(link)
    with suppress(Stopped, KeyboardInterrupt):
        asyncio.run(_until_stopped(server, say))
    say("closed")
    return None


async def _until_stopped(server: Server, say: Callable[[str], None]) -> None:
    """Serve until a signal comes. The loop must hear of it: what a handler raises within a callback stops no loop."""
    closed, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Not every system has this, and no thread but the first.
            with suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, closed.set)
    say("Ctrl-C ends it.")
    await server.run(closed)


def _in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def _widget(stores: Sequence[str | Path], model: str | Path | None) -> Explorer:
    """The page for a notebook."""
    try:
        from qsdask.explorer.widget import Explorer
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        raise UsageError(
            "in a notebook the page needs anywidget, which is not installed",
            code="E-EXTRA",
            hint="python -m pip install 'qsdask[jupyter]', and reload the notebook; or qsdask explore STORE, in a terminal",
        ) from None
    return Explorer(Answers(stores, model))


def _refuse_loop() -> None:
    """Refuse to block a program that has an event loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "an event loop is running here already, which the page would block",
        code="E-SERVE",
        hint="qsdask explore STORE, in a terminal; or a notebook of Jupyter",
    )


def _token_of(file: Path) -> str:
    """The token that a file holds."""
    try:
        text, mode = file.read_text("utf-8").strip(), file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise NoInputError(
            "the file of the token cannot be read",
            code="E-NO-FILE",
            file=file,
            why=str(error),
            hint='python -c "import secrets; print(secrets.token_urlsafe(24))" > FILE; chmod 600 FILE',
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and sys.platform != "win32":
        raise UsageError("others can read the token", code="E-SERVE", file=file, hint=f"chmod 600 {file}")
    if len(text) < _SHORTEST or quote(text, safe="") != text:
        raise UsageError(
            f"a token has {_SHORTEST} and more letters, digits, - or _, and nothing else",
            code="E-SERVE",
            file=file,
            hint='python -c "import secrets; print(secrets.token_urlsafe(24))"',
        )
    return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _login() -> str:
    """This machine as one logs in on it."""
    return f"{getpass.getuser()}@{socket.getfqdn()}"
