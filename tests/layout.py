"""Tables of the READMEs that follow from code: what a store holds, which stage fills it, and the rooms of the package.

python -m tests.layout           # print them
python -m tests.layout --write   # put them into the READMEs, between their two comments
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from qsdask.schema import STAGES, VARIABLES
from tests.house import BASE, MAY, PACKAGE

#: What stands before and after a table in its README.
BEGIN, END = "<!-- {}: made by python -m tests.layout --write -->\n", "<!-- end of {} -->\n"


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table; bars within cells are escaped."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def _group(pattern: str) -> str:
    """Path of a group as users write it: the part of their choice in angle brackets."""
    kind = pattern.removesuffix("/*")
    chosen = {"features": "set", "labels": "name", "softness": "model", "explanation": "model"}
    return f"`/{kind}/<{chosen[kind]}>`" if kind in chosen else f"`/{pattern}`"


def arrays() -> str:
    """What a store may hold: a row for each array of the registry."""
    rows, last = [], ""
    for v in VARIABLES:
        kind = v.dtype + (", coordinate" if v.coordinate else "")
        shown = "" if v.group == last else _group(v.group)
        rows.append((shown, f"`{v.name}`", ", ".join(v.dims), kind, v.units, v.long_name))
        last = v.group
    return markdown(("group", "array", "dimensions", "dtype", "unit", "meaning"), rows)


def stages() -> str:
    """Which command fills which groups."""
    rows = []
    for stage in STAGES:
        command = stage.command.format(store="STORE", name="NAME")
        groups = ", ".join(_group(group) for group in stage.groups)
        rows.append((stage.name, f"`qsdask {command}`", groups, "yes" if stage.at_step else ""))
    return markdown(("stage", "command", "groups", "also of deformed frames"), rows)


def _purpose(room: str) -> str:
    """First line of the docstring of a room."""
    place = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
    first = (ast.get_docstring(ast.parse(place.read_text())) or "").partition("\n")[0]
    return first.replace("``", "`").rstrip(".:")


def rooms() -> str:
    """Rooms of the package: purpose, and what each may import."""
    rows = []
    for room, (inside, outside) in MAY.items():
        others = inside - {room}
        ground = ["*ground*"] if others >= BASE else []
        named = [other for other in MAY if other in others and not (ground and other in BASE)]
        shown = f"`{room}/`" if (PACKAGE / room).is_dir() else f"`{room}.py`"
        rows.append((shown, _purpose(room), ", ".join(ground + named), ", ".join(sorted(outside, key=str.lower))))
    return markdown(("room", "purpose", "may import", "packages"), rows)


#: Name of a table -> function that makes it, README that shows it.
TABLES = {
    "arrays": (arrays, PACKAGE / "store" / "README.md"),
    "stages": (stages, PACKAGE / "store" / "README.md"),
    "rooms": (rooms, PACKAGE / "README.md"),
}


def shown(name: str) -> str:
    """Table as it stands in its README."""
    begin, end = BEGIN.format(name), END.format(name)
    return TABLES[name][1].read_text().partition(begin)[2].partition(end)[0]


def write(name: str) -> None:
    """Put a table into its README."""
    make, place = TABLES[name]
    begin, end = BEGIN.format(name), END.format(name)
    between = re.compile(re.escape(begin) + ".*?" + re.escape(end), flags=re.S)
    place.write_text(between.sub(lambda _: begin + make() + end, Path(place).read_text()))


if __name__ == "__main__":
    for name, (make, _) in TABLES.items():
        if "--write" in sys.argv[1:]:
            write(name)
        else:
            sys.stdout.write(make() + "\n")
