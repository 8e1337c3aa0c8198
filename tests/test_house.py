"""The rules of the house: who may import whom, nothing heavy at import, no pickle, no clock in results."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.house import (
    CALLERS,
    FILES,
    FINDERS,
    LEARNERS,
    MAY,
    ONLY_IN,
    PACKAGE,
    circle,
    files_by_import,
    imports,
    room_of,
    table,
)

NAMES = [str(file.relative_to(PACKAGE)) for file in FILES]


@pytest.mark.parametrize("place", NAMES)
def test_imports_point_down(place):
    inside, outside = MAY[room_of(PACKAGE / place)]
    for name in imports(ast.parse((PACKAGE / place).read_text())):
        top, *rest = name.split(".")
        if top == "qsdask":
            room = rest[0] if rest else ""
            public = bool({room_of(PACKAGE / place), place} & CALLERS) and not room
            assert room in inside | {"__version__"} or public, f"{place} imports {name}"
            assert room != "learn" or not place.startswith("stages/") or place in LEARNERS, f"{place} imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in outside, f"{place} imports {name}"
            assert place in ONLY_IN.get(top, {place}), f"{place} imports {name}"
        assert not name.endswith("import_module") or place in FINDERS, f"{place} looks for modules by name"


def test_no_circle_of_imports_also_none_inside_functions():
    assert circle(files_by_import()) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_every_room_has_a_row_and_prints_its_lines():
    assert {room_of(file) for file in FILES} == set(MAY)
    assert table().splitlines()[-1].split()[0] == str(len(FILES))


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
        assert len(file.read_text().splitlines()) <= 400, file


def test_no_line_is_exempt_from_the_format():
    for file in [*FILES, *(PACKAGE.parent / "tests").rglob("*.py")]:
        assert "fmt: " + "skip" not in file.read_text(), file


@pytest.mark.parametrize(
    "place", [name for name in NAMES if name.startswith(("care/", "stages/", "engine/", "study/"))]
)
def test_files_of_a_store_are_touched_in_its_own_room_only(place):
    called = {
        node.func.attr
        for node in ast.walk(ast.parse((PACKAGE / place).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"rmtree", "scandir", "walk", "rglob", "rename", "unlink", "read_bytes", "write_bytes"}
