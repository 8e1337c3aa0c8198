"""What the READMEs of the repository promise: commands with their options, files, anchors, names of the package."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]

#: Folders whose files READMEs name from the root of the repository.
TOP = "examples|pipelines|qsdask|tests"


def readmes() -> list[str]:
    """READMEs of the repository, from its root; those of a source archive where there is no repository."""
    if (ROOT / ".git").exists():
        asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*README.md"]
        listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        return sorted({name for name in listed if (ROOT / name).exists()})
    return [
        "README.md",
        *sorted(str(p.relative_to(ROOT)) for top in TOP.split("|") for p in ROOT.glob(f"{top}/**/README.md")),
    ]


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.S | re.M)


def commands(text: str) -> Iterator[list[str]]:
    """Words of every command of the bash blocks, and of ``qsdask ...`` and ``python ...`` in running text."""
    lines = "\n".join(blocks(text, "bash")).replace("\\\n", " ").splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    lines += [" ".join(found.split()) for found in re.findall(r"`((?:qsdask|python) [^`]+)`", prose)]
    for line in lines:
        command: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                command.append(word)
            elif command:
                # Where the output goes is the shell's matter.
                yield command[: command.index(">")] if ">" in command else command
                command = []


def check_qsdask(cli: click.Group, words: list[str]) -> str:
    """Parse one call of ``qsdask`` without running it; returns the name of its command."""
    options = {option for parameter in cli.params for option in parameter.opts}
    words = [word for word in words if word not in options | {"--help"}]
    if not words:
        return ""
    name, *arguments = words
    command = cli.commands[name]
    context = click.Context(command, info_name=name)
    given, rest, _ = command.make_parser(context).parse_args(arguments)
    assert not rest, f"{words}: {rest} left over"
    for parameter in command.params:
        if parameter.name in given and parameter.param_type_name == "option":
            parameter.type_cast_value(context, given[parameter.name])
    return name


def check_python(words: list[str], folder: Path) -> None:
    """What ``python ...`` names is there: scripts, modules, the extras of the package."""
    arguments = words[1:]
    if arguments[:1] == ["-m"] and arguments[1] == "pip":
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        extras = {name for word in arguments for found in re.findall(r"\[(.*)\]", word) for name in found.split(",")}
        assert extras <= set(known), words
    elif arguments[:1] == ["-m"]:
        assert find_spec(arguments[1]), words
    for word in arguments:
        if word.endswith(".py"):
            assert (ROOT / word).is_file() or (folder / word).is_file(), words


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(text: str, folder: Path) -> list[str]:
    """Links to files and headings that are not there, and files named in running text likewise."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = folder / place if place else folder / "README.md"
        page = file / "README.md" if file.is_dir() else file
        if not file.exists() or (anchor and anchor not in anchors(page.read_text())):
            broken.append(target)
    named = re.findall(rf"`((?:{TOP})/[\w./-]+)`", text)
    return broken + [name for name in named if not (ROOT / name).exists()]


def check_names(block: str) -> None:
    """A Python block compiles; what it imports, and the public names of the package that it uses, exist."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), alias.name
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "qsdask":
            assert hasattr(import_module("qsdask"), node.attr), node.attr
