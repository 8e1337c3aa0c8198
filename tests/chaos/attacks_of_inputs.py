"""Packages, trajectories and models that lie: what they give, how much they announce, what they are called."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import zstandard

from qsdask.learn.definition import canonical
from qsdask.settings.defaults import DEEPEST_TREE
from tests.chaos.ground import ALONE, ROOT, SMALL, Attack, Ground, Home, Said, Verdict, receipts
from tests.learn.test_tree_bounds import chain
from tests.store_files import files_of

__all__ = ["ATTACKS"]

#: Seconds in which what cannot be read must be refused; before, it took minutes.
SOON = 60

MISFIT = ("features", "tiny.zarr", "--set", "misfit", *ALONE)


def _package(ground: Ground, home: Home, change: Callable[[str], str]) -> dict[str, str]:
    """Install the changed package for one attack; the variables that make it found."""
    folder = shutil.copytree(ground.package, home.folder / "package", dirs_exist_ok=True)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    file = folder / "qsdask_misfit.py"
    file.write_text(change(file.read_text()))
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def changed_package(ground: Ground, home: Home) -> Verdict:
    """A package is changed between an interruption and the resumption, which begins anew; then the old one comes back."""
    alone = home.folder / "alone.zarr"
    shutil.copytree(home.store, alone)
    job = home.begin(*MISFIT, environment=_package(ground, home, str))
    job.await_(lambda: receipts(home.store, "features/misfit") > 0)
    job.send(signal.SIGKILL)
    job.end()
    shutil.rmtree(home.folder / "package")
    new = _package(ground, home, lambda text: text.replace("- 1.0", "- 2.0"))
    resumed = home.run(*MISFIT, environment=new)
    assert (said := home.run(*MISFIT[:1], "alone.zarr", *MISFIT[2:], environment=new)).status == 0, said.text
    values = [files_of(store / "features" / "misfit" / "value") for store in (home.store, alone)]
    fine = resumed.status == 0 and "begins anew" in resumed.text and values[0] == values[1] and home.whole()
    shutil.rmtree(home.folder / "package")
    said = home.run(*MISFIT, environment=_package(ground, home, str))
    return Verdict(said.refused("E-SETTINGS", status=73), fine, resumed.text + said.text)


def package_code(ground: Ground, home: Home, code: str) -> Verdict:
    """A package that cannot be imported, or that ends the program."""
    said = home.run(*MISFIT, environment=_package(ground, home, lambda _: code))
    return home.attacked(said, "E-FEATURE-SET", status=64)


def package_name(ground: Ground, home: Home, name: str) -> Verdict:
    """A package whose set has a name that no key can have."""
    variables = _package(ground, home, lambda text: text.replace('= "misfit"', f"= {name!r}"))
    said = home.run("features", "tiny.zarr", "--set", name, *ALONE, environment=variables)
    return home.attacked(said, "E-NAMING", status=64)


def package_values(ground: Ground, home: Home, last: str) -> Verdict:
    """A package that gives something else than it declares: nothing of it is finished, all else is as it was."""
    give = f"import numpy as np; {last}\n        return np.stack("
    said = home.run(*MISFIT, environment=_package(ground, home, lambda text: text.replace("return np.stack(", give)))
    now = files_of(home.store)
    others = {name: data for name, data in now.items() if "misfit" not in name and name != "zarr.json"}
    before = {name: data for name, data in files_of(ground.made / "tiny.zarr").items() if name != "zarr.json"}
    kept = {name: others.get(name) for name in before} == before
    none = receipts(home.store, "features/misfit") == 0
    learned = home.run("train", "tiny.zarr", "--set", "misfit", "--model", "new.qs", *SMALL, *ALONE)
    told = learned.status > 0 and "E-INTERNAL" not in learned.text and "Traceback" not in learned.text
    return Verdict(said.refused("E-FEATURE-OUTPUT", status=65) and told, kept and none, said.text + learned.text)


def _dump(n_frame: int, rows: Iterable[str], *, count: int | None = None, box: str = "0 90\n0 90\n0 90") -> bytes:
    rows = list(rows)
    count = len(rows) if count is None else count
    tail = (
        f"ITEM: NUMBER OF ATOMS\n{count}\nITEM: BOX BOUNDS pp pp pp\n{box}\nITEM: ATOMS id type x y z\n{''.join(rows)}"
    )
    return "".join(f"ITEM: TIMESTEP\n{step}\n{tail}" for step in range(n_frame)).encode()


def _rows(n: int) -> list[str]:
    return [f"{k + 1} 1 {0.5 + 3.0 * (k % 28):.1f} {0.5 + 3.0 * (k // 28 % 28):.1f} {k // 784}.5\n" for k in range(n)]


def _pack(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)


def trajectory(
    ground: Ground, home: Home, name: str, data: Callable[[], bytes], codes: tuple[str, ...], more: tuple[str, ...] = ()
) -> Verdict:
    """A trajectory that announces, or holds, what nobody can read; it is refused soon and makes no store."""
    (home.folder / name).write_bytes(data())
    verdicts = []
    for words in (
        ("ingest", name, "new.zarr", "--species", "1=Cu", "--strain-step", "0.01", *more, *ALONE),
        ("check", name, "--species", "1=Cu", *more),
    ):
        # What `check` finds is its answer: it need not be on standard error.
        said = home.run(*words, seconds=SOON)
        whole = Said(said.status, said.text + said.out) if words[0] == "check" else said
        told = whole.status > 0 and any(code in whole.text for code in codes) and "Traceback" not in whole.text
        verdicts.append(Verdict(told if words[0] == "check" else said.refused(*codes), True, whole.text))
    caught = all(verdict.caught for verdict in verdicts)
    gone = not (home.folder / "new.zarr").exists()
    return Verdict(caught, gone and home.untouched(), "\n".join(verdict.note for verdict in verdicts))


def model(ground: Ground, home: Home, change: Callable[[dict, Path], None], code: str) -> Verdict:
    """A model folder whose checksums are right and whose content is none that training makes."""
    folder = shutil.copytree(home.folder / "tiny.qs", home.folder / "bad.qs")
    record = json.loads((folder / "model.json").read_text())
    change(record, folder)
    del record["sha256"]
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    (folder / "model.json").write_text(json.dumps(record))
    caught, notes = True, []
    for command, store in (("predict", "tiny.zarr"), ("evaluate", "aside.zarr"), ("report", "aside.zarr")):
        out = ("--out", "new.html") if command == "report" else ()
        said = home.run(command, store, "--model", "bad.qs", *out, *ALONE, seconds=SOON)
        caught &= said.refused(code, status=65)
        notes.append(said.text)
    return Verdict(caught, home.untouched() and not (home.folder / "new.html").exists(), "\n".join(notes))


def _one_class(record: dict, folder: Path) -> None:
    for specimen in record["specimens"]:
        specimen["n_plastic"] = 0


def _no_label(record: dict, folder: Path) -> None:
    record["label"] = {}


def _no_scores(record: dict, folder: Path) -> None:
    record["scores"] = {}


def _chains(record: dict, folder: Path) -> None:
    names = record["columns"]
    text = chain(2 * DEEPEST_TREE)
    text = text.replace("feature_names=a b", f"feature_names={' '.join(names)}")
    text = text.replace("max_feature_idx=1", f"max_feature_idx={len(names) - 1}")
    text = text.replace("feature_infos=[0:1] [0:1]", f"feature_infos={' '.join(['[0:1]'] * len(names))}")
    for name in record["trees"]:
        (folder / name).write_text(text)
        record["trees"][name] = hashlib.sha256(text.encode()).hexdigest()


MANY = 10**9

#: What is done, and who does it.
ATTACKS: dict[str, Attack] = {
    "6 package changed before resumption": changed_package,
    "8 package: shape (1, 1)": partial(package_values, last="return np.zeros((1, 1))"),
    "8 package: complex values": partial(package_values, last="return np.zeros((n, 3)) + 1j"),
    "8 package: infinite values": partial(package_values, last="return np.full((n, 3), np.inf)"),
    "8 package: beyond float32": partial(package_values, last="return np.full((n, 3), 1e300)"),
    "8 package: sys.exit(0) amid the work": partial(package_values, last="raise SystemExit(0)"),
    "8 package: writes into its input": partial(package_values, last="block.position[0] = 0.0"),
    "8 coordinate of 1e300": partial(
        trajectory, name="far.dump", data=lambda: _dump(1, ["1 1 1e300 0.5 0.5\n"]), codes=("E-NUMBER",)
    ),
    "package: sys.exit(0) on import": partial(package_code, code="import sys; sys.exit(0)"),
    "package: syntax error": partial(package_code, code="def"),
    "package: a set named c": partial(package_name, name="c"),
    "package: a set named a/b": partial(package_name, name="a/b"),
    "zstd dump of 1e9 announced atoms": partial(
        trajectory,
        name="many.dump.zst",
        data=lambda: _pack(_dump(1, ["1 1 0.5 0.5 0.5\n"] * 200_000, count=MANY)),
        codes=("E-COUNT",),
    ),
    "gzip xyz of 1e9 announced atoms": partial(
        trajectory,
        name="many.xyz.gz",
        data=lambda: gzip.compress(b"%d\nglass\nCu 0 0 0\n" % MANY),
        codes=("E-COUNT",),
        more=("--boundary", "ppp"),
    ),
    "zstd bomb of equal lines": partial(
        trajectory,
        name="bomb.dump.zst",
        data=lambda: _pack(_dump(1, ["1 1 0.5 0.5 0.5\n"] * 1_000_000)),
        codes=("E-COUNT",),
    ),
    "box 1e-6 A thin": partial(
        trajectory, name="thin.dump", data=lambda: _dump(2, _rows(500), box="0 90\n0 90\n0 1e-6"), codes=("E-BOX",)
    ),
    "100,000 frames of one atom": partial(
        trajectory, name="frames.dump", data=lambda: _dump(100_000, ["1 1 0.5 0.5 0.5\n"]), codes=("E-FRAMES",)
    ),
    "model of chains as trees": partial(model, change=_chains, code="E-MODEL-TREE"),
    "model of one class": partial(model, change=_one_class, code="E-MODEL-CONTENT"),
    "model without label": partial(model, change=_no_label, code="E-MODEL-CONTENT"),
    "model without scores": partial(model, change=_no_scores, code="E-MODEL-CONTENT"),
}
