"""One writer per folder, a store or a specimen: a lock file that tells who writes, and that does not outlive its writer.

The lock is the file ``.lock`` in the folder, made with O_EXCL; network file systems honour that, `flock` they may not.
Its owner touches it every few seconds. A lock whose owner is gone is taken over. In a bucket it is an object; see `bucket_lock`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qsdask.errors import CannotCreateError, ResumableError, of_os_error
from qsdask.files.bucket import BucketPath
from qsdask.files.bucket_lock import Lease, locked_object
from qsdask.files.location import in_bucket, located
from qsdask.files.owner import is_gone, locked, myself, who

__all__ = ["LOCK", "is_lock_file", "refuse_lost", "refuse_one_file", "writing"]

#: Name of the lock file.
LOCK = ".lock"

#: Seconds between two signs of life.
HEARTBEAT = 5.0

#: A lock of another machine without a sign of life for so many seconds is stale.
SILENCE = 120.0

#: Folders that this process writes, and the thread that does.
_held: dict[str, int] = {}

#: What the locks of these folders say as long as they are ours.
_tokens: dict[str, str] = {}

#: Of those in buckets: how sure that is without a look at it.
_leases: dict[str, Lease | None] = {}
_guard = threading.Lock()


def is_lock_file(name: str) -> bool:
    """Whether a file at the root of a store belongs to the lock."""
    return name == LOCK or name.startswith(f"{LOCK}.")


@contextmanager
def writing(path: str | Path | BucketPath) -> Iterator[None]:
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
    place = located(path).resolve()
    home = str(place)
    with _guard:
        owner = _held.get(home)
        if owner is None:
            _held[home] = threading.get_ident()
    if owner == threading.get_ident():
        yield
        return
    if owner is not None:
        raise _locked(place, {"host": socket.gethostname(), "pid": os.getpid(), "command": "another thread"})
    bucket, token = in_bucket(place), secrets.token_hex(8)
    mine = {**myself(), "token": token}
    try:
        with _locked_file(place, mine) if bucket is None else locked_object(bucket / LOCK, mine) as lease:
            _tokens[home], _leases[home] = token, lease
            try:
                yield
            finally:
                del _tokens[home], _leases[home]
    finally:
        with _guard:
            del _held[home]


@contextmanager
def _locked_file(root: Path, mine: dict) -> Iterator[None]:
    refuse_one_file(root)
    fresh, token = not root.exists(), mine["token"]
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Tried twice: its owner may let go of it between the try and the look.
        if not _created(root / LOCK, mine) and ((root / LOCK).exists() or not _created(root / LOCK, mine)):
            _take_over(root, mine)
    except OSError as error:
        raise of_os_error(error, root) from None
    stop = threading.Event()
    pulse = threading.Thread(target=_beat, args=(root / LOCK, token, stop), daemon=True, name="qsdask-lock")
    pulse.start()
    try:
        yield
    finally:
        stop.set()
        pulse.join()
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


def refuse_lost(path: str | Path | BucketPath) -> None:
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
    place = located(path).resolve()
    home = next((str(folder) for folder in (place, *place.parents) if str(folder) in _tokens), None)
    if home is None or ((lease := _leases.get(home)) is not None and lease.is_certain()):
        return
    token = _tokens[home]
    if (owner := _content(located(home) / LOCK)).get("token") == token:
        return
    now = f"now it is that of {who(owner)}" if owner else "and whoever took it has ended since"
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
    gone = is_gone(_content(lock))
    return _silence(lock, now) > SILENCE if gone is None else gone


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


def _locked(root: Path, owner: dict) -> ResumableError:
    return locked(root, root / LOCK, owner)
