"""One writer per store in a bucket: an object made by conditional create, that its owner writes again every few seconds.

Nobody's clock but our own is asked. A lock whose owner cannot be looked for is watched; when its version has not changed for two minutes it
is replaced on condition that it still has that version, which one can do only. Nothing is removed on condition, so a lock that was let
go stays, and says so.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from qsdask.errors import CannotCreateError, QSDaskError
from qsdask.files.bucket import BucketPath, Version
from qsdask.files.owner import is_gone, locked, who

__all__ = ["Lease", "locked_object"]

_log = logging.getLogger(__name__)

#: Seconds between two signs of life.
HEARTBEAT = 5.0

#: A lock whose owner cannot be looked for is stale when it has not changed for so many seconds of our own clock.
SILENCE = 120.0

#: What a lock says whose owner has let go of it.
_FREE = {"free": True}

#: Prefixes that were seen to heed conditions.
_proven: set[tuple[str, str]] = set()


@contextmanager
def locked_object(lock: BucketPath, mine: dict) -> Iterator[Lease]:
    """Hold a lock inside the ``with``.

    Parameters
    ----------
    lock : BucketPath
        The object.
    mine : dict
        Who wants it, with a token of its own.

    Yields
    ------
    Lease
        Tells whether the lock can be anybody else's.

    Raises
    ------
    ResumableError
        ``E-LOCKED`` as soon as another owner gives a sign of life.
    CannotCreateError
        ``E-STORE-CONDITIONS`` where conditions are not heeded.
    """
    _refuse_unconditional(lock, mine["token"])
    version = _taken(lock, mine)
    stop = threading.Event()
    held = Lease(lock, mine, version)
    pulse = threading.Thread(target=held.beat, args=(stop,), daemon=True, name="qsdask-lock")
    pulse.start()
    try:
        yield held
    finally:
        stop.set()
        pulse.join()
        held.let_go()


class Lease:
    """A lock that is held, and its version as we wrote it last; None when it is somebody else's."""

    def __init__(self, lock: BucketPath, mine: dict, version: Version) -> None:
        self._lock, self._mine, self._renewed = lock, mine, _now()
        self.version: Version | None = version

    def is_certain(self) -> bool:
        """Whether the lock is ours without a look at it: nobody takes one that changed a moment ago.

        A process that was stopped, or a machine that slept, is not certain when it wakes.
        """
        return self.version is not None and _now() - self._renewed < SILENCE / 2

    def let_go(self) -> None:
        """Say that the lock is free, if it is still ours. What is written stands whether or not that can be said."""
        if self.version is not None:
            with _not_renewed(self._lock):
                self._lock.replace(_text(_FREE), self.version)

    def beat(self, stop: threading.Event) -> None:
        count = 0
        while self.version is not None and not stop.wait(HEARTBEAT):
            count += 1
            # A server that is back before the silence is over changes nothing; whoever writes asks the lock himself.
            with _not_renewed(self._lock):
                begun = _now()
                self.version = self._lock.replace(_text({**self._mine, "beat": count}), self.version)
                self._renewed = begun


def _now() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@contextmanager
def _not_renewed(lock: BucketPath) -> Iterator[None]:
    try:
        yield
    except QSDaskError as error:
        _log.warning("the lock %s could not be written: %s", lock, error.message)


def _taken(lock: BucketPath, mine: dict) -> Version:
    """Version of the lock once it is ours."""
    content = _text(mine)
    made = lock.create(content)
    while made is None:
        found = lock.got()
        if found is None:
            made = lock.create(content)
            continue
        owner = _said(found[0])
        # One of this very process, in which nobody holds it now, could not be let go of.
        ours = "pid" in mine and all(owner.get(name) == mine[name] for name in ("host", "space", "pid", "start"))
        gone = True if owner == _FREE or ours else is_gone(owner)
        if gone is None:
            _refuse_living(lock, owner, found[1])
        elif not gone:
            raise locked(lock.parent, lock, owner)
        made = lock.replace(content, found[1])
        if made is None:
            # Another one was quicker.
            raise locked(lock.parent, lock, _said((lock.got() or (b"", {}))[0]))
    return made


def _refuse_living(lock: BucketPath, owner: dict, version: Version) -> None:
    """Watch a lock; refuse when it changes."""
    _log.warning(
        "%s is locked by %s; it is taken over when that gives no sign of life for %.0f s",
        lock.parent,
        who(owner),
        SILENCE,
    )
    begun = time.monotonic()
    while time.monotonic() - begun < SILENCE:
        time.sleep(min(HEARTBEAT, SILENCE) / 2)
        if lock.version() != version:
            raise locked(lock.parent, lock, owner)


def _refuse_unconditional(lock: BucketPath, token: str) -> None:
    """Refuse storage on which two writers would both believe to be the only one; tried once for a bucket."""
    if (lock.scheme, lock.bucket) in _proven:
        return
    probe = lock.with_name(f"{lock.name}.{token}")
    first, second, third = (f"{token} {word}".encode() for word in ("first", "second", "third"))
    made = probe.create(first)
    heeds = made is not None and probe.create(second) is None
    if heeds and made is not None:
        changed = probe.replace(second, made)
        heeds = changed is not None and probe.replace(third, made) is None and probe.got() == (second, changed)
    probe.unlink()
    if not heeds:
        raise CannotCreateError(
            "this object store does not heed conditions",
            code="E-STORE-CONDITIONS",
            file=lock.parent,
            why="an object was written although it was there already, or had changed: two writers would not notice one another",
            hint="use a server that heeds If-None-Match and If-Match (Amazon S3, SeaweedFS, MinIO, Ceph, GCS, Azure do), or a folder",
        )
    _proven.add((lock.scheme, lock.bucket))


def _text(content: dict) -> bytes:
    return json.dumps(content, indent=1).encode()


def _said(data: bytes) -> dict:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
