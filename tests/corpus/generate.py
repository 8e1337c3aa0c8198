"""The corpus: broken and odd dumps, each with what a reader must do; made by code, the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.corpus import container_rows, table_rows, text_rows, trajectory_rows
from tests.corpus.case import Case, Expectation

__all__ = ["Maker", "corpus"]


class Maker:
    """Writes files and collects the cases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: list[Case] = []

    def add(
        self,
        name: str,
        content: str | bytes | Mapping[str, str | bytes],
        due: Expectation,
        *,
        file: str = "in.dump",
        policy: bool = False,
        blind: tuple[str, ...] = (),
        tolerance: float = 0.0,
        stored: bool = False,
        **options: object,
    ) -> None:
        """Write one file, or several by name, and note the case; see `Case`."""
        home = self.folder / name
        home.mkdir(parents=True)
        files = content if isinstance(content, Mapping) else {file: content}
        for each, data in files.items():
            (home / each).write_bytes(data.encode() if isinstance(data, str) else data)
        paths = tuple(home / each for each in files)
        self.cases.append(Case(name, paths, due, options, policy, frozenset(blind), tolerance, stored))


def corpus(folder: str | Path) -> list[Case]:
    """Write all files of the corpus.

    Parameters
    ----------
    folder : path
        Receives one folder for every case; must not hold any of them.

    Returns
    -------
    list of Case
        In the order of the catalogue in README.md.
    """
    maker = Maker(Path(folder))
    for rows in (text_rows, container_rows, table_rows, trajectory_rows):
        rows.add_all(maker)
    assert len({case.name for case in maker.cases}) == len(maker.cases)
    return maker.cases
