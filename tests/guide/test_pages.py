"""The guide: what a word finds, that every code is explained, and the book."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import qsdask
from qsdask.cli import cli, main
from qsdask.guide.book import book
from qsdask.guide.pages import ORDER, anchor, page_named, pages, row_of, sections_with
from tests.readmes import blocks, broken_links, check_qsdask, commands

FOLDER = Path(qsdask.__file__).parent
CODES = re.compile(r"\b[EW]-[A-Z0-9]+(?:-[A-Z0-9]+)*\b")


def test_the_pages_are_those_of_the_folder():
    assert {path.stem for path in (FOLDER / "guide").glob("*.md")} == set(ORDER)
    for page in pages():
        assert page.text.startswith("# ")
        assert page.sections[0].heading == page.title


def test_every_code_is_explained_and_no_other():
    said = {code for path in FOLDER.rglob("*.py") for code in CODES.findall(path.read_text())}
    [errors] = [page.text for page in pages() if page.name == "errors"]
    assert {
        code for line in errors.splitlines() if line.startswith("| ") for code in CODES.findall(line.split("|")[1])
    } == said
    for code in said:
        found = row_of(code)
        assert len(found.text.splitlines()) == 3
        assert code in found.text


def test_a_word_finds_a_page_or_sections():
    assert page_named("store").name == "store"
    assert page_named("Cluster").name == "clusters"
    assert page_named("own").name == "own-models"
    assert page_named("s") is None  # soft, spots, store
    assert page_named("nowhere") is None
    assert row_of("e-dup-id").heading == "Trajectories: what a file says"
    assert row_of("E-GZIP").text == row_of("E-ZSTD").text
    assert row_of("E-NOTHING") is None
    assert "A feature set" in [found.heading for found in sections_with("a feature set")]
    assert sections_with("quasicrystal") == []


@pytest.mark.parametrize("name", ORDER)
def test_commands_and_links_of_a_page_lead_somewhere(name):
    text = (FOLDER / "guide" / f"{name}.md").read_text()
    assert broken_links(text, FOLDER / "guide") == []
    for shown in (text, *(f"```bash\n{block}```" for block in blocks(text, "text"))):
        for words in commands(shown):
            if words[0] == "qsdask":
                check_qsdask(cli, words[1:])


def test_the_command_shows_pages_rows_and_places(capsys):
    def said(*words: str) -> str:
        assert main(["docs", *words]) == 0
        return capsys.readouterr().out

    assert all(page.title.split(",")[0].split(":")[0] in said() for page in pages())
    assert "appears" in said("E-DUP-ID") or "stands twice" in said("E-DUP-ID")
    assert "What QS means" in said("meaning")
    assert "qsdask docs own-models: A feature set" in said("feature set")
    assert main(["docs", "quasicrystal"]) == 66
    assert "E-NO-PAGE" in capsys.readouterr().err


def test_a_refusal_names_its_row(capsys):
    assert main(["info", "nowhere.zarr"]) == 66
    said = capsys.readouterr().err
    code = CODES.search(said)[0]
    assert said.endswith(f"\n  more    qsdask docs {code}\n")
    assert row_of(code) is not None


class Seen(HTMLParser):
    """Names, targets of links, and elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.targets, self.elements = [], [], set()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.elements.add(tag)
        if "id" in found:
            self.names.append(found["id"])
        if tag == "a":
            self.targets.append(found["href"])


def test_the_book_holds_all_and_leads_nowhere_else(tmp_path):
    assert main(["docs", "--html", str(tmp_path / "guide.html")]) == 0
    text = (tmp_path / "guide.html").read_text()
    assert text == book()
    seen = Seen()
    seen.feed(text)
    assert len(seen.names) == len(set(seen.names))
    assert {target[1:] for target in seen.targets if target.startswith("#")} <= set(seen.names)
    assert all(target.startswith(("#", "https://doi.org/")) for target in seen.targets)
    assert not {"script", "img", "iframe", "link"} & seen.elements
    assert {anchor(page.name, page.title) for page in pages()} <= set(seen.names)
    assert {f"reference-{name}" for name in qsdask.__all__ if name != "__version__"} <= set(seen.names)
    assert "DataTree" in text  # the reference has the docstrings
    (tmp_path / "mine.html").write_text("mine")
    assert main(["docs", "--html", str(tmp_path / "mine.html")]) == 73
    assert (tmp_path / "mine.html").read_text() == "mine"
