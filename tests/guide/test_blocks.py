"""Every block of the guide runs, page after page, in one folder, as a reader would type it."""

from __future__ import annotations

import re
import shlex
import warnings

import pytest

from qsdask.cli import cli, main
from qsdask.guide.pages import ORDER, pages

_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", flags=re.S | re.M)


def _quick(words: list[str]) -> list[str]:
    """Options by which a command does its work here; to start processes takes longer than to work on such a glass."""
    taken = {option for parameter in cli.commands[words[0]].params for option in parameter.opts}
    return ["--cluster", "threads"] if "--cluster" in taken - set(words) else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("guide")


@pytest.mark.parametrize("name", ORDER)
def test_blocks_of_the_page_run(folder, name, monkeypatch, capsys):
    if name != ORDER[0] and not (folder / "glass7.dump.gz").exists():
        pytest.skip("the first page makes what the others look at")
    monkeypatch.chdir(folder)
    [text] = [page.text for page in pages() if page.name == name]
    names: dict[str, object] = {}
    for language, block in _BLOCK.findall(text):
        if language == "python":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(block, f"{name}.md", "exec"), names)  # ours, from this checkout
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            assert words[0] == "qsdask"
            status = main([*words[1:], *(_quick(words[1:]) if name != ORDER[0] else ())])
            assert status == 0, f"{line}\n{capsys.readouterr().err}"
