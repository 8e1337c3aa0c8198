"""Recipes that write elsewhere, names that steer, other users of the machine, signals, and outputs that cannot be written."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import psutil

from tests.chaos.faults import workers_of
from tests.chaos.ground import ALONE, SMALL, Attack, Command, Ground, Home, Verdict, receipts
from tests.engine.test_tasks import STRANGER
from tests.jobs.test_places import RECIPE
from tests.reporting.test_page import HOSTILE, Reader, check_self_contained
from tests.simulation.case import COPPER_ZIRCONIUM
from tests.store_files import files_of

__all__ = ["ATTACKS"]

#: With a scheduler and a worker process of the command's own.
LOCAL = ("--cluster", "local", "--workers", "1", "--quiet")


def recipe(ground: Ground, home: Home, line: str) -> Verdict:
    """A shared recipe that would write outside of its own folder: neither shown as harmless nor done."""
    head, _, body = RECIPE.partition("\n[[specimen]]")
    text = f"{line}\n[[specimen]]{body}" if "[" not in line else f"{RECIPE}\n{line}"
    text = text.replace("learned.dump", "tiny.dump")
    (home.folder / "job.toml").write_text(head + text)
    (home.folder / "victim").write_text("mine")
    before = files_of(home.folder)
    dry = home.run("run", "job.toml", "--dry-run", *ALONE)
    said = home.run("run", "job.toml", *ALONE)
    caught = dry.refused("E-OUTSIDE", status=64) and said.refused("E-OUTSIDE", status=64)
    return Verdict(caught, files_of(home.folder) == before, dry.text + said.text)


def taken(ground: Ground, home: Home, command: str, place: str) -> Verdict:
    """A file of somebody else stands where something is to be written, or a store."""
    words = ("--model", "tiny.qs", *ALONE) if command == "report" else ()
    (home.folder / "mine.html").write_text("mine")
    (home.folder / "mine.xyz").write_text("mine")
    before = files_of(home.folder)
    inside = "zarr/" in place
    said = home.run(command, "aside.zarr", *words, "--out", place, *["--overwrite"] * inside)
    code = "E-IN-STORE" if inside else "E-EXISTS"
    return Verdict(said.refused(code, status=73), files_of(home.folder) == before, said.text)


def lammps(ground: Ground, home: Home, alloy: str, potential: str = "CuZr_mm.eam.fs") -> Verdict:
    """A recipe whose potential would make LAMMPS run a program or load a pickle."""
    composition = ", ".join(f"{name} = {share}" for name, share in COPPER_ZIRCONIUM.items())
    (home.folder / "job.toml").write_text(
        f'[alloy]\nelements = ["Cu", "Zr"]\npotential = "{potential}"\n{alloy}\n'
        f"[ensemble]\ncomposition = [{{ {composition} }}]\nrate_kelvin_per_second = [1e16]\natoms = 108\n"
    )
    before = files_of(home.folder)
    said = home.run("simulate", "job.toml", "--quiet")
    told = "alloy." in said.text or "E-POTENTIAL" in said.text
    return Verdict(said.refused("E-SETTING", "E-POTENTIAL") and told, files_of(home.folder) == before, said.text)


def potential(ground: Ground, home: Home) -> Verdict:
    """A recipe names a file of its user as potential: what stands in it is not repeated."""
    (home.folder / "private").write_text(
        "machine example.org\nlogin me\npassword open-sesame\nopen-sesame open-sesame\n"
    )
    verdict = lammps(ground, home, "", "private")
    return verdict._replace(caught=verdict.caught and "sesame" not in verdict.note)


def named(ground: Ground, home: Home, name: str, command: str) -> Verdict:
    """A model of a name that no key can have."""
    if command == "train":
        said = home.run("train", "tiny.zarr", "--model", name, *SMALL, *ALONE)
        return home.attacked(said, "E-NAMING", status=64)
    (home.folder / "tiny.qs").rename(home.folder / name)
    before = files_of(home.folder)
    said = home.run(command, "tiny.zarr", "--model", name, *ALONE)
    return Verdict(said.refused("E-NAMING", status=64), files_of(home.folder) == before, said.text)


def specimen(ground: Ground, home: Home, name: str) -> Verdict:
    """A specimen of a name that steers a terminal, or is a path."""
    said = home.run("ingest", "tiny.dump", "new.zarr", "--species", "1=Cu,2=Zr", "--name", name, *ALONE)
    gone = not (home.folder / "new.zarr").exists()
    return Verdict(said.refused("E-NAMING", status=64), gone and home.untouched(), said.text)


def hostile_page(ground: Ground, home: Home) -> Verdict:
    """A specimen that is called like a script, in a report: it stays text."""
    name = "".join(c for c in HOSTILE if c.isprintable() and c not in "/\\")
    words = ("--species", "1=Cu,2=Zr", "--name", name, "--strain-step", "0.01", "--chunk", "24")
    shutil.rmtree(home.folder / "aside.zarr")
    said = [home.run("ingest", "aside.dump", "aside.zarr", *words, *ALONE)]
    said += [home.run(stage, "aside.zarr", *ALONE) for stage in ("shells", "features", "respond")]
    said += [home.run("predict", "aside.zarr", "--model", "tiny.qs", *ALONE)]
    said += [home.run("report", "aside.zarr", "--model", "tiny.qs", "--out", "new.html", *ALONE)]
    assert all(one.status == 0 for one in said), said
    page = Reader((home.folder / "new.html").read_text(encoding="utf-8"))
    check_self_contained(page)
    return Verdict(None, "<script>alert(1)" in page.text)


def other_locale(ground: Ground, home: Home, *, utf8: bool) -> Verdict:
    """Names of another script under ``LC_ALL=C``: they work, or are refused where the locale cannot hold them."""
    variables = {"LC_ALL": "C", **({} if utf8 else {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})}
    said = home.run("train", "tiny.zarr", "--model", "weiß.qs", *SMALL, *ALONE, environment=variables)
    if not utf8:
        return home.attacked(said, "E-LOCALE", status=64)
    fine = said.status == 0 and (home.folder / "weiß.qs" / "model.json").is_file()
    return Verdict(None, fine and home.untouched(), said.text)


def full_output(ground: Ground, home: Home) -> Verdict:
    """Standard output cannot be written: that is said, and not that the store is full."""
    with open("/dev/full", "w") as full:
        said = home.run("info", "tiny.zarr", stdout=full)
    return home.attacked(said, "E-OUTPUT", status=74)


def signalled(ground: Ground, home: Home, number: signal.Signals, times: int = 1) -> Verdict:
    """A signal, or several at once, in the middle of the work: how to go on is said, and it goes on."""
    shutil.rmtree(home.store / "response")
    shutil.rmtree(home.store / "ledger" / "response")
    job = home.begin("respond", "tiny.zarr", *LOCAL)
    job.await_(lambda: receipts(home.store) > 0)
    children = psutil.Process(job.process.pid).children(recursive=True)
    for _ in range(times):
        job.send(number)
        time.sleep(0.02)
    said = job.end(60)
    line = "qsdask respond tiny.zarr"
    told = said.status in (128 + number, -number) and line in said.text and "Traceback" not in said.text
    psutil.wait_procs(children, timeout=10)
    gone = not any(child.is_running() for child in children)
    resumed = home.run("respond", "tiny.zarr", *ALONE)
    return Verdict(told and gone, resumed.status == 0 and home.same() and home.whole(), said.text + resumed.text)


def _listening(process: psutil.Process) -> set[int]:
    """Ports on which a process and its children listen."""
    return {
        connection.laddr.port
        for one in [process, *process.children(recursive=True)]
        for connection in one.net_connections()
        if connection.status == "LISTEN"
    }


def _begun(home: Home, *where: str, environment: dict[str, str] | None = None) -> Command:
    """A measure of the response that has begun anew and sleeps before its workers have done all."""
    shutil.rmtree(home.store / "response")
    shutil.rmtree(home.store / "ledger" / "response")
    job = home.begin("respond", "tiny.zarr", *where, environment=environment)
    job.await_(lambda: receipts(home.store) > 0)
    return job


def _let_in(port: int) -> subprocess.Popen:
    """Somebody who tries to give work to whatever listens there, for a while."""
    limit = ("timeout", "--signal=KILL", "40")
    return subprocess.Popen(
        [*limit, sys.executable, "-u", "-c", STRANGER, f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def stranger(ground: Ground, home: Home) -> Verdict:
    """Another user gives work to whatever a local cluster listens with, without certificate and with one of his own."""
    job = _begun(home, *LOCAL)
    # The workers sleep, so that the scheduler is there as long as it is tried; what sleeps answers nobody.
    process = psutil.Process(job.process.pid)
    workers = workers_of(process)
    for worker in workers:
        worker.suspend()
    told = [one.communicate()[0].splitlines() for one in list(map(_let_in, _listening(process)))]
    stood = job.process.poll() is None
    for worker in workers:
        worker.resume()
    end = job.end()
    refused = sum(line.startswith("refused") for said in told for line in said)
    let_in = sum(line.startswith("let in") for said in told for line in said)
    fine = end.status == 0 and home.same() and home.whole()
    return Verdict(stood and refused >= 4 and not let_in, fine, f"{told}\n{end.text}")


def threads_listen(ground: Ground, home: Home) -> Verdict:
    """Whoever looks for a port of a cluster of threads finds none."""
    job = _begun(home, *ALONE)
    job.send(signal.SIGSTOP)
    ports = _listening(psutil.Process(job.process.pid))
    job.send(signal.SIGCONT)
    end = job.end()
    return Verdict(None, not ports and end.status == 0 and home.same(), f"{ports}\n{end.text}")


def planted(ground: Ground, home: Home, *where: str) -> Verdict:
    """Another user made Dask's folder in the shared temporary one first, and put modules of known names into it."""
    shared, mark = home.folder / "shared", home.folder / "mark"
    scratch = shared / "dask-scratch-space"
    scratch.mkdir(parents=True)
    for name in ("lightgbm", "zarr", "numba", "msgpack", "cloudpickle", "tblib", "psutil", "sitecustomize"):
        (scratch / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\nraise ImportError('planted')\n")
    variables = {"TMPDIR": str(shared), "DASK_TEMPORARY_DIRECTORY": str(shared)}
    end = _begun(home, *where, environment=variables).end()
    left = sorted(path.name for path in shared.iterdir())
    fine = end.status == 0 and not mark.exists() and left == ["dask-scratch-space"]
    return Verdict(None, fine and home.same() and home.whole(), f"{left}\n{end.text}")


_ELSEWHERE = {
    "report.out": '[report]\nout = "../victim"',
    "report.out, absolute": '[report]\nout = "/tmp/qsdask-victim.html"',
    "model": 'model = "../victim"',
    "folder": 'folder = "../victim"',
}

#: Words of a recipe that make LAMMPS run code.
_CODE = {
    "pair_style python": 'pair_style = "python 5.0"',
    "hybrid with python": 'pair_style = "hybrid/overlay eam/fs python 5.0"',
    "mliap pickle": 'pair_style = "mliap model linear net.pkl"',
    "a command in a style": 'pair_style = "eam/fs\\nshell touch victim"',
}

#: What is done, and who does it.
ATTACKS: dict[str, Attack] = {
    **{f"recipe writes elsewhere: {name}": partial(recipe, line=line) for name, line in _ELSEWHERE.items()},
    "export onto a file of somebody": partial(taken, command="export", place="mine.xyz"),
    "report onto a file of somebody": partial(taken, command="report", place="mine.html"),
    "export into a store": partial(taken, command="export", place="tiny.zarr/frames/a.xyz"),
    "report into a store": partial(taken, command="report", place="tiny.zarr/report.html"),
    **{f"LAMMPS recipe: {name}": partial(lammps, alloy=alloy) for name, alloy in _CODE.items()},
    "LAMMPS recipe: a private file as potential": potential,
    "train: a model c.qs": partial(named, name="c.qs", command="train"),
    "train: a model a\\b": partial(named, name="a\\b.qs", command="train"),
    "train: a model of no text": partial(named, name="caf\udce9.qs", command="train"),
    "predict: a model renamed to c.qs": partial(named, name="c.qs", command="predict"),
    "specimen a/b": partial(specimen, name="a/b"),
    "specimen that steers a terminal": partial(specimen, name="a\x1b[2Jb"),
    "specimen called like a script": hostile_page,
    "LC_ALL=C, UTF-8 mode": partial(other_locale, utf8=True),
    "LC_ALL=C, ASCII": partial(other_locale, utf8=False),
    "stdout on /dev/full": full_output,
    "SIGINT": partial(signalled, number=signal.SIGINT),
    "SIGINT, six times": partial(signalled, number=signal.SIGINT, times=6),
    "SIGTERM": partial(signalled, number=signal.SIGTERM),
    "SIGHUP": partial(signalled, number=signal.SIGHUP),
    "SIGQUIT": partial(signalled, number=signal.SIGQUIT),
    "stranger at a local scheduler": stranger,
    "stranger looks for ports of threads": threads_listen,
    "modules planted in TMPDIR, local": lambda ground, home: planted(ground, home, *LOCAL),
    "modules planted in TMPDIR, threads": lambda ground, home: planted(ground, home, *ALONE),
}
