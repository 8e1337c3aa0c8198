"""The example package of a feature set, as an installer would leave it."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

__all__ = ["PACKAGE", "installed"]

PACKAGE = Path(__file__).resolve().parents[1] / "examples" / "outside_feature_set"


def installed(folder: Path) -> Path:
    """Write what an installer would: the module, and the metadata that its pyproject.toml asks for."""
    folder.mkdir(exist_ok=True)
    shutil.copy(PACKAGE / "qsdask_misfit.py", folder)
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    text = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(text)
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder
