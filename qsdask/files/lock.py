"""One writer per folder, a store or a specimen: a lock file that tells who writes, and that does not outlive its writer.

The lock is the file ``.lock`` in the folder, made with O_EXCL; network file systems honour that, `flock` they may not.
Its owner touches it every few seconds. A lock whose owner is gone is taken over.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from qsdask.errors import CannotCreateError, ResumableError, of_os_error

__all__ = ["LOCK", "is_lock_file", "refuse_lost", "refuse_one_file", "writing"]

#: Name of the lock file.
LOCK = ".lock"

#: Seconds between two signs of life.
HEARTBEAT = 5.0

#: A lock of another machine without a sign of life for so many seconds is stale.
SILENCE = 120.0

#: Where the system does not count a process's start from its own boot: two starts that differ by less are one, for they
#: are derived from a clock that is set now and then.
SAME_START = 2.0

#: Folders that this process writes, and the thread that does.
_held: dict[str, int] = {}

#: What the locks of these folders say as long as they are ours.
_tokens: dict[str, str] = {}
_guard = threading.Lock()


def is_lock_file(name: str) -> bool:
    """Whether a file at the root of a store belongs to the lock."""
    return name == LOCK or name.startswith(f"{LOCK}.")


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Be the only writer of a folder inside the ``with``; inside another one of the same thread it does nothing.

    Parameters
    ----------
    path : str or Path
        Root of the store, or the specimen's folder; made when it is not there, and removed again if nothing was put into it.

    Raises
    ------
    ResumableError
        ``E-LOCKED`` at once, naming host, process and command, when somebody else writes.
    CannotCreateError
        ``E-NOT-WRITABLE``; ``E-ZIPPED`` for a store in a zip file.

    Notes
    -----
    Workers need no lock of their own: they write for the process that holds it. Readers need none: what is being
    written is hidden from them.
    """
    home = os.path.realpath(path)
    with _guard:
        owner = _held.get(home)
        if owner is None:
            _held[home] = threading.get_ident()
    if owner == threading.get_ident():
        yield
        return
    if owner is not None:
        raise _locked(Path(home), {"host": socket.gethostname(), "pid": os.getpid(), "command": "another thread"})
    try:
        with _locked_file(Path(home)):
            yield
    finally:
        with _guard:
            del _held[home]


@contextmanager
def _locked_file(root: Path) -> Iterator[None]:
    refuse_one_file(root)
    fresh = not root.exists()
    token = secrets.token_hex(8)
    mine = {**_myself(), "token": token}
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Tried twice: its owner may let go of it between the try and the look.
        if not _created(root / LOCK, mine) and ((root / LOCK).exists() or not _created(root / LOCK, mine)):
            _take_over(root, mine)
    except OSError as error:
        raise of_os_error(error, root) from None
    _tokens[str(root)] = token
    stop = threading.Event()
    pulse = threading.Thread(target=_beat, args=(root / LOCK, token, stop), daemon=True, name="qsdask-lock")
    pulse.start()
    try:
        yield
    finally:
        stop.set()
        pulse.join()
        del _tokens[str(root)]
        if _content(root / LOCK).get("token") == token:
            (root / LOCK).unlink(missing_ok=True)
        if fresh:
            with contextlib.suppress(OSError):
                root.rmdir()


def refuse_one_file(path: Path) -> None:
    """Refuse to write a store that is one zip file.

    Parameters
    ----------
    path : Path
        Root of the store.

    Raises
    ------
    CannotCreateError
        ``E-ZIPPED``.
    """
    if path.is_file() and path.suffix.lower() == ".zip":
        raise CannotCreateError(
            "a store in a zip file is read as it is, and never written",
            code="E-ZIPPED",
            file=path,
            hint=f"unzip it, and use the folder: unzip {path.name} -d {path.stem}",
        )


def refuse_lost(path: str | Path) -> None:
    """Refuse to go on where another process took the lock that this one held.

    Parameters
    ----------
    path : str or Path
        A folder, or something in it; where this process holds no lock, it is not asked.

    Raises
    ------
    ResumableError
        ``E-LOCKED`` naming who has it now. A process that was suspended, or whose file system hung, gives no sign of
        life; when it wakes, it must not go on writing.
    """
    place = Path(os.path.realpath(path))
    home = next((str(folder) for folder in (place, *place.parents) if str(folder) in _tokens), None)
    if home is None:
        return
    token = _tokens[home]
    if (owner := _content(Path(home) / LOCK)).get("token") == token:
        return
    now = f"now it is that of {_who(owner)}" if owner else "and whoever took it has ended since"
    raise ResumableError(
        f"the lock was lost while this process gave no sign of life, {now}",
        code="E-LOCKED",
        file=home,
        why="two writers would mix their numbers",
        hint="wait until the other has ended, then run the same command again: it goes on with what is missing",
    )


def _created(file: Path, content: dict) -> bool:
    """Whether the file could be made; False when there is one."""
    try:
        with file.open("x") as out:
            out.write(json.dumps(content, indent=1))
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError:
        return False
    return True


def _take_over(root: Path, mine: dict) -> None:
    """Replace a stale lock. Only the one who makes the claim file may; everybody else is refused."""
    lock, claim = root / LOCK, root / f"{LOCK}.claim"
    ours = root / f"{LOCK}.{mine['token']}"
    _created(ours, mine)
    try:
        if not _is_stale(lock, ours):
            raise _locked(root, _content(lock))
        if claim.exists() and _silence(claim, ours) > SILENCE:
            claim.unlink(missing_ok=True)  # its maker died within the few milliseconds that a claim lasts
        if not _created(claim, mine):
            raise _locked(root, _content(claim))
        try:
            # Somebody may have taken over between the look and the claim.
            if not _is_stale(lock, ours):
                raise _locked(root, _content(lock))
            ours.replace(lock)
            if _content(lock).get("token") != mine["token"]:
                raise _locked(root, _content(lock))
        finally:
            claim.unlink(missing_ok=True)
    finally:
        ours.unlink(missing_ok=True)


def _is_stale(lock: Path, now: Path) -> bool:
    """Whether the owner of a lock is gone; `now` is a file made a moment ago."""
    owner = _content(lock)
    me = _myself()
    if owner.get("host") != me["host"] or owner.get("space") != me["space"]:
        return _silence(lock, now) > SILENCE
    try:
        process = psutil.Process(int(owner["pid"]))
        # A process that nobody has taken leave of writes no more.
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        ticks = _ticks(process.pid)
        if ticks is not None and "ticks" in owner:
            return ticks != owner["ticks"]
        return abs(process.create_time() - float(owner["start"])) > SAME_START
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, KeyError, ValueError, TypeError):
        return _silence(lock, now) > SILENCE


def _silence(lock: Path, now: Path) -> float:
    """Seconds since the last sign of life, by the clock of the file system; clocks of machines differ.

    0 for a lock that is gone: whoever wants it must make it, not replace it.
    """
    try:
        return now.stat().st_mtime - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _beat(lock: Path, token: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            if _content(lock).get("token") == token:
                os.utime(lock)


def _content(file: Path) -> dict:
    """What a lock says; nothing when it is gone or being written."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _myself() -> dict:
    """Who this process is. Process numbers count within one boot and one container."""
    process = psutil.Process()
    space = []
    for link in ("/proc/self/ns/pid", "/proc/sys/kernel/random/boot_id"):
        with contextlib.suppress(OSError):
            space.append(os.readlink(link) if os.path.islink(link) else Path(link).read_text().strip())
    return {
        "host": socket.gethostname(),
        "space": " ".join(space),
        "pid": process.pid,
        "start": process.create_time(),
        "ticks": _ticks(process.pid),
        "command": " ".join(sys.argv)[:200],
    }


def _ticks(pid: int) -> int | None:
    """Start of a process counted from the boot of the system, which no setting of the clock moves; None elsewhere."""
    try:
        # The name of the program comes before, in brackets, and may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _time(start: object) -> str:
    """Time of day of a process's start, as far as the lock tells it."""
    if not isinstance(start, int | float) or not 0 <= start < 1e11:
        return "at an unknown time"
    return f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _locked(root: Path, owner: dict) -> ResumableError:
    return ResumableError(
        f"another process writes here: {_who(owner)}, started {_time(owner.get('start'))} ({owner.get('command', '?')})",
        code="E-LOCKED",
        file=root,
        why="two writers would mix their numbers",
        hint=f"wait until it has ended; if it is gone and no qsdask works anywhere on this folder, remove {root / LOCK}",
    )


def _who(owner: dict) -> str:
    return f"process {owner.get('pid', '?')} on {owner.get('host', '?')}"
