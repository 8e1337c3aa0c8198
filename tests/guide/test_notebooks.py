"""The notebooks of the examples run from the first cell to the last, as Jupyter runs them."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.readmes import ROOT

#: What asyncio may say of distributed's sender of small messages, which waits with a time limit when a cluster is closed.
_LEFT_WAITING = (
    r"Future exception was never retrieved\nfuture: <Future finished exception=TimeoutError\('Timeout'\)>\n.*\n"
)

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    done = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)
    complaints = [output["text"] for output in shown if output.get("name") == "stderr"]
    assert not [text for text in complaints if not re.fullmatch(_LEFT_WAITING, text)]
