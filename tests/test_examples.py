"""What is printed is run: examples and the blocks of the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(script: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
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
    auc = float(re.search(r"set-aside glass: ([0-9.]+)", printed)[1])
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
        assert (ROOT / path).is_file(), path


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
