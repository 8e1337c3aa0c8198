"""Somebody comes late, has lost a lock, or stands elsewhere: whose write, whose store, whose model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from qsdask.files.lock import LOCK
from tests.chaos.faults import may_mount
from tests.chaos.ground import ALONE, SMALL, Attack, Ground, Home, Verdict, cluster, opened, receipts
from tests.store_files import content_of, files_of

__all__ = ["ATTACKS"]

#: Another measure of the response, run to its end.
ANEW = ("respond", "tiny.zarr", "--cutoff", "3.6", "--overwrite", *ALONE)

#: The measure that is disturbed: from the first task on.
FIRST = ("respond", "tiny.zarr", "--cutoff", "4.0", "--overwrite")


def _begun(home: Home) -> Callable[[], bool]:
    """Whether a measure that begins anew has written its first receipt; the old ones are taken away here."""
    shutil.rmtree(home.store / "response")
    shutil.rmtree(home.store / "ledger" / "response")
    return lambda: receipts(home.store) > 0


def _anew(ground: Ground, home: Home) -> bool:
    """Whether the response is that of the later run, every byte of it, and the store whole."""
    return content_of(home.store) == ground.measured_anew and home.whole()


def late_worker(ground: Ground, home: Home, *, during: bool) -> Verdict:
    """A worker sleeps in the middle of ``respond``; its driver is interrupted, another run begins, the worker wakes.

    Nobody is left whom it could tell. It is caught when it looked who writes now, and no byte changed.
    """
    begun = _begun(home)
    with cluster(home.folder) as (file, worker):
        driver = home.begin(*FIRST, "--cluster", file, "--quiet")
        driver.await_(begun)
        worker.suspend()
        driver.send(signal.SIGINT)
        stopped = driver.end(60)
        assert stopped.status == 130, stopped.text
        count = receipts(home.store)
        other = home.begin(*ANEW)
        if during:
            # The receipts of the old run go as the new one begins, and its own come.
            other.await_(lambda: receipts(home.store) < count)
            other.await_(lambda: receipts(home.store) > 0)
            other.send(signal.SIGSTOP)
        else:
            assert (said := other.end()).status == 0, said.text
        now = files_of(home.store)
        with opened(home.store / "ledger" / "response" / "d2min" / "zarr.json") as asked:
            worker.resume()
            deadline = time.monotonic() + 30
            while not (caught := asked()) and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(2.0)
        caught &= files_of(home.store) == now
        if during:
            other.send(signal.SIGCONT)
            assert (said := other.end()).status == 0, said.text
    return Verdict(caught, _anew(ground, home), stopped.text)


def lost_lock(ground: Ground, home: Home, asleep: str) -> Verdict:
    """A writer sleeps and its lock, which is that of another machine now, is taken over; then it wakes."""
    came = {
        # The old stage is gone; the new one is whole, and not yet in its place.
        "swaps": lambda: not (home.store / "ledger/response/d2min").exists(),
        "works": lambda: receipts(home.store) > 0,
        "ends": lambda: receipts(home.store) == 4,
    }
    if asleep != "swaps":
        _begun(home)
    writer = home.begin(*FIRST, *ALONE)
    writer.await_(came[asleep])
    writer.send(signal.SIGSTOP)
    lock = home.store / LOCK
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "host": "another.machine"}))
    os.utime(lock, (time.time() - 1000.0,) * 2)
    assert (said := home.run(*ANEW)).status == 0, said.text
    sealed = files_of(home.store)
    writer.send(signal.SIGCONT)
    said = writer.end(60)
    caught = said.refused("E-LOCKED", "E-OTHER-RUN", "E-CHANGED-MEANWHILE", status=75)
    return Verdict(caught, files_of(home.store) == sealed and _anew(ground, home), said.text)


def clock(ground: Ground, home: Home) -> Verdict:
    """The clock is set while somebody writes, as if the writer had begun at another time; another writer comes."""
    begun = _begun(home)
    writer = home.begin(*FIRST, *ALONE)
    writer.await_(begun)
    writer.send(signal.SIGSTOP)
    lock = home.store / LOCK
    owner = json.loads(lock.read_text())
    lock.write_text(json.dumps({**owner, "start": owner["start"] - 3.0}))
    said = home.run(*ANEW)
    writer.send(signal.SIGCONT)
    assert (end := writer.end()).status == 0, end.text
    return Verdict(said.refused("E-LOCKED", status=75), home.same() and home.whole(), said.text)


def elsewhere(ground: Ground, home: Home, words: tuple[str, ...]) -> Verdict:
    """A relative store, and workers that stand where another store has its name: as if they stood here."""
    there = Path(shutil.copytree(ground.elsewhere, home.folder / "there"))
    before = files_of(there)
    here = home.run(*words, *ALONE)
    answer = files_of(home.folder / "new.qs") if "train" in words else content_of(home.store)
    with cluster(there) as (file, _):
        said = home.run(*words, "--cluster", file, "--quiet")
    again = files_of(home.folder / "new.qs") if "train" in words else content_of(home.store)
    fine = here.status == said.status == 0 and here.out == said.out and answer == again
    return Verdict(None, fine and files_of(there) == before, here.text + said.text)


def other_mount(ground: Ground, home: Home, *, empty: bool) -> Verdict | None:
    """At the path of the store workers see another one, or nothing; None without the right to mount."""
    if not may_mount(home.folder):
        return None
    covering = home.folder / "nothing" if empty else ground.elsewhere / "aside.zarr"
    covering.mkdir(exist_ok=True)
    before = files_of(covering)
    script = f"mount --bind '{covering}' '{home.folder / 'aside.zarr'}' && exec \"$@\""
    with cluster(home.folder, ("unshare", "--mount", "sh", "-c", script, "sh")) as (file, _):
        said = home.run("activation", "aside.zarr", "--model", "tiny.qs", "--cluster", file, "--quiet")
    caught = said.refused("E-WORKER-PATH" if empty else "E-STORE-OTHER")
    return Verdict(caught, home.untouched() and files_of(covering) == before, said.text)


def trained_meanwhile(ground: Ground, home: Home) -> Verdict:
    """The model is trained again while ``predict`` has done one domain of two."""
    predict = home.begin("predict", "tiny.zarr", "--model", "tiny.qs", *ALONE)
    predict.await_(lambda: receipts(home.store, "softness/tiny") > 0)
    predict.send(signal.SIGSTOP)
    others = ("--seed", "1", "--overwrite", *ALONE)
    assert (said := home.run("train", "tiny.zarr", "--model", "tiny.qs", *SMALL, *others)).status == 0, said.text
    predict.send(signal.SIGCONT)
    said = predict.end(60)
    caught = said.refused("E-MODEL-CHANGED", status=65)
    # What there is now is what the new model gives to a store that nobody disturbed.
    fresh = Path(shutil.copytree(ground.made / "tiny.zarr", home.folder / "fresh.zarr"))
    assert home.run("predict", "fresh.zarr", "--model", "tiny.qs", *ALONE).status == 0
    assert home.run("predict", "tiny.zarr", "--model", "tiny.qs", "--overwrite", *ALONE).status == 0
    return Verdict(caught, content_of(fresh) == content_of(home.store) and home.whole(), said.text)


def read_meanwhile(ground: Ground, home: Home, command: str) -> Verdict:
    """The response is measured anew while somebody who reads it has read a part."""
    store = home.folder / ("tiny.zarr" if command == "train" else "aside.zarr")
    small = SMALL if command == "train" else ()
    model = "new.qs" if command == "train" else "tiny.qs"
    with opened(store / "response" / "d2min" / "d2min" / "c" / "1" / "0") as came:
        reader = home.begin(command, store.name, "--model", model, *small, *ALONE)
        reader.await_(came)
        reader.send(signal.SIGSTOP)
    said = home.run("respond", store.name, "--cutoff", "3.6", "--overwrite", *ALONE)
    assert said.status == 0, said.text
    sealed = files_of(store)
    reader.send(signal.SIGCONT)
    end = reader.end(60)
    caught = end.refused("E-CHANGED-MEANWHILE", status=75)
    return Verdict(caught, files_of(store) == sealed and not (home.folder / "new.qs").exists(), end.text + end.out)


def restored(ground: Ground, home: Home, command: str) -> Verdict:
    """Features or response of another store with the same settings stand in this one."""
    store = home.folder / ("aside.zarr" if command == "evaluate" else "tiny.zarr")
    key = "features/interstice" if command in ("train", "predict") else "response/d2min"
    undisturbed = content_of(store)
    for part in (key, f"ledger/{key}"):
        shutil.rmtree(store / part)
        shutil.copytree(ground.elsewhere / store.name / part, store / part)
    now = files_of(store)
    words = {
        "train": ("--model", "new.qs", *SMALL, *ALONE),
        "predict": ("--model", "tiny.qs", *ALONE),
        "evaluate": ("--model", "tiny.qs", *ALONE),
        "respond": ALONE,
        "verify": ("--quiet",),
    }
    said = home.run(command, store.name, *words[command])
    if command == "verify":
        caught = said.status == 74 and "lineage" in said.text + said.out and "Traceback" not in said.text
    else:
        caught = said.refused("E-INPUTS-DIFFER", status=65)
    unchanged = files_of(store) == now and not (home.folder / "new.qs").exists()
    mended = home.run("repair", store.name, *ALONE)
    verified = home.run("verify", store.name, "--quiet")
    identical = unchanged and mended.status == verified.status == 0 and content_of(store) == undisturbed
    return Verdict(caught, identical, said.text + said.out + mended.text + verified.out)


def backup_of_earlier(ground: Ground, home: Home) -> Verdict:
    """Features of an earlier state of the same store are brought back beside shells of another cut-off."""
    kept = {
        part: shutil.copytree(home.store / part, home.folder / str(k))
        for k, part in enumerate(("features", "ledger/features"))
    }
    assert (said := home.run("shells", "tiny.zarr", "--cutoff", "3.6", "--overwrite", *ALONE)).status == 0, said.text
    for part, backup in kept.items():
        shutil.rmtree(home.store / part)
        shutil.copytree(backup, home.store / part)
    now = files_of(home.store)
    said = home.run("predict", "tiny.zarr", "--model", "tiny.qs", *ALONE)
    return Verdict(said.refused("E-INPUTS-DIFFER", status=65), files_of(home.store) == now, said.text)


#: What is done, and who does it.
ATTACKS: dict[str, Attack] = {
    "1 late worker, after the next run": partial(late_worker, during=False),
    "1 late worker, during the next run": partial(late_worker, during=True),
    "2 lost lock, as the old stage goes": partial(lost_lock, asleep="swaps"),
    "2 lost lock, amid the work": partial(lost_lock, asleep="works"),
    "2 lost lock, before the end": partial(lost_lock, asleep="ends"),
    "2 clock set by 3 s": clock,
    "3 workers elsewhere: respond": partial(elsewhere, words=("respond", "tiny.zarr", "--overwrite")),
    "3 workers elsewhere: evaluate": partial(
        elsewhere, words=("evaluate", "aside.zarr", "--model", "tiny.qs", "--json")
    ),
    "3 workers elsewhere: train": partial(
        elsewhere, words=("train", "tiny.zarr", "--model", "new.qs", "--overwrite", *SMALL)
    ),
    "3 workers see another store": partial(other_mount, empty=False),
    "3 workers see no store": partial(other_mount, empty=True),
    "4 model trained amid predict": trained_meanwhile,
    "5 overwritten amid evaluate": partial(read_meanwhile, command="evaluate"),
    "5 overwritten amid activation": partial(read_meanwhile, command="activation"),
    "5 overwritten amid train": partial(read_meanwhile, command="train"),
    "7 part of another store: train": partial(restored, command="train"),
    "7 part of another store: predict": partial(restored, command="predict"),
    "7 part of another store: evaluate": partial(restored, command="evaluate"),
    "7 part of another store: respond": partial(restored, command="respond"),
    "7 part of another store: verify": partial(restored, command="verify"),
    "7 part of an earlier state": backup_of_earlier,
}
