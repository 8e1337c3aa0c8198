"""A training table in files: parts that tasks write, one of some domains each, and what the draws make of their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsdask.files.durable import write_durable
from qsdask.learn.bins import coded
from qsdask.learn.blocks_of_trees import Grown
from qsdask.learn.draws import drawn, judged_by
from qsdask.learn.gbdt import train_one
from qsdask.learn.growing import Made
from qsdask.learn.rows_in_files import Rows, Selection, read_array, write_array, write_arrays
from qsdask.learn.table import Specimen, Table
from qsdask.settings import TrainSettings

__all__ = ["FiledTable", "Part"]


class Part:
    """Rows of some domains of one glass.

    Parameters
    ----------
    folder : Path
        Of the table.
    number : int
        Which part.

    Notes
    -----
    ``part-<number>.value.npy`` has the columns, ``part-<number>.rows.npz`` who the rows are: it is written last, and is the
    receipt of the part.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.value, self.rows, self.code = (
            folder / f"part-{number:04d}.{kind}" for kind in ("value.npy", "rows.npz", "code.npy")
        )

    def write(self, table: Table, sample: Mapping[str, Table]) -> None:
        """Write rows of one glass, and a sample of its usable atoms by species."""
        write_array(self.value, table.X)
        found = {"id": table.id, "y": table.y, "block": table.block, "target": table.target}
        for name, some in sample.items():
            found |= {f"sample/{name}/id": some.id, f"sample/{name}/value": some.X}
        write_arrays(self.rows, {name: array for name, array in found.items() if array is not None})

    def read(self, me: Specimen, columns: tuple[str, ...]) -> tuple[Table, dict[str, Table]]:
        """The rows without their columns, in the order in which they lie, and the sample."""
        with np.load(self.rows, allow_pickle=False) as file:
            found = dict(file)
        n, none = len(found["id"]), np.empty((len(found["id"]), 0), dtype=np.float32)
        more = (found.get("block"), found.get("target"))
        table = Table((me,), np.zeros(n, dtype=np.int64), found["id"], none, found["y"], (), *more)
        sample = {}
        for name in [key.split("/")[1] for key in found if key.endswith("/value")]:
            ids, value = found[f"sample/{name}/id"], found[f"sample/{name}/value"]
            first = np.zeros(len(ids), dtype=np.int64)
            sample[name] = Table((me,), first, ids, value, np.zeros(len(ids), dtype=bool), columns)
        return table, sample

    def write_codes(self, edges: Sequence[np.ndarray]) -> None:
        """Write the columns as whole numbers, unless they are there; see `qsdask.learn.bins`."""
        if not self.code.is_file():
            write_array(self.code, coded(read_array(self.value), edges))


class FiledTable:
    """The whole table.

    Parameters
    ----------
    folder : Path
        Of the table.
    n_part : int
        Parts.
    """

    def __init__(self, folder: Path, n_part: int) -> None:
        self.folder, self.n_part = folder, n_part

    def part(self, number: int) -> Part:
        """One of its parts."""
        return Part(self.folder, number)

    def deal(self, tables: Sequence[Table], table: Table, settings: TrainSettings) -> list[tuple[int, ...]]:
        """Undersample and deal into folds, and write which rows each draw has.

        Parameters
        ----------
        tables : sequence of Table
            Rows of all parts without their columns, see `Part.read`.
        table : Table
            All of them together.
        settings : TrainSettings
            Draws, folds, ratio and seed.

        Returns
        -------
        list of tuple of int
            For every undersampling the seed of the trees of each fold.

        Raises
        ------
        BadDataError
            ``E-ONE-CLASS``.
        """
        key = {specimen.key: k for k, specimen in enumerate(table.specimens)}
        specimen = np.concatenate([np.full(len(one), key[one.specimens[0].key]) for one in tables])
        # Where each row lies, in the order of identities, which is that of the table.
        order = np.lexsort((np.concatenate([one.id for one in tables]), specimen))
        fold = np.full((settings.draws, len(table)), -1, dtype=np.int8)
        seeds = []
        for k in range(settings.draws):
            draw = drawn(table, settings, k)
            fold[k, order[draw.rows]] = draw.fold
            seeds.append(draw.seeds)
        plastic = np.empty(len(table), dtype=bool)
        plastic[order] = table.y
        target = np.empty(len(table), dtype=np.float32)
        target[order] = table.y if table.target is None else table.target
        for name, array in (("order", order), ("fold", fold), ("plastic", plastic), ("target", target)):
            write_array(self.folder / f"{name}.npy", array)
        return seeds

    def _array(self, name: str) -> np.ndarray:
        return read_array(self.folder / f"{name}.npy")

    def target(self) -> np.ndarray:
        """What is learned of each row, float32, from 0 to 1."""
        return self._array("target")

    def plastic(self) -> np.ndarray:
        """Class of each row."""
        return self._array("plastic")

    def places(self, draw: int, fold: int, *, of_fold: bool) -> np.ndarray:
        """Where the rows of a fold of a draw lie, or those of its other folds; in the order of identities."""
        order, found = self.places_of_all(), self._array("fold")[draw]
        mine = found[order]
        return order[mine == fold] if of_fold else order[(mine >= 0) & (mine != fold)]

    def places_of_all(self) -> np.ndarray:
        """Where all rows lie, in the order of identities."""
        return self._array("order")

    def is_drawn(self) -> np.ndarray:
        """Whether any draw has each row, in the order of identities."""
        return np.any(self._array("fold")[:, self.places_of_all()] >= 0, axis=0)

    def values(self, place: np.ndarray) -> Selection:
        """Columns of rows at these places."""
        return Selection(Rows([self.part(k).value for k in range(self.n_part)]), place)

    def codes(self, place: np.ndarray) -> Selection:
        """The same as whole numbers."""
        return Selection(Rows([self.part(k).code for k in range(self.n_part)]), place)

    def text(self, draw: int, fold: int) -> str | None:
        """Text of a fold model that was learned before; None if there is none."""
        file = self._file(draw, fold, "txt")
        return file.read_text() if file.is_file() else None

    def keep_text(self, draw: int, fold: int, text: str) -> None:
        """Keep the text of a fold model: it is its receipt."""
        write_durable(self._file(draw, fold, "txt"), text.encode())

    def grown(self, draw: int, fold: int) -> list[list[Grown]]:
        """Blocks of trees that were grown before."""
        file = self._file(draw, fold, "json")
        return json.loads(file.read_text()) if file.is_file() else []

    def keep_grown(self, draw: int, fold: int, blocks: list[list[Grown]]) -> None:
        """Keep the blocks of trees that there are."""
        write_durable(self._file(draw, fold, "json"), json.dumps(blocks).encode())

    def _file(self, draw: int, fold: int, kind: str) -> Path:
        return self.folder / f"fold-{draw}-{fold}.{kind}"

    def made(self, text: str, columns: tuple[str, ...], draw: int, fold: int) -> Made:
        """A fold model, judged on the rows left out."""
        place = self.places(draw, fold, of_fold=True)
        return Made.of(judged_by(text, columns, self.plastic()[place], self.values(place)))

    def learned(
        self,
        draw: int,
        fold: int,
        seed: int,
        *,
        columns: tuple[str, ...],
        settings: TrainSettings,
        ranked: bool,
        d2_quantiles: Sequence[float] | None,
    ) -> Made:
        """A fold model, learned by one process unless it was before; for others see `qsdask.learn.draws.fold_model`."""
        text = self.text(draw, fold)
        if text is None:
            place = self.places(draw, fold, of_fold=False)
            text = train_one(
                self.values(place),
                self.plastic()[place],
                columns,
                settings,
                seed=seed,
                target=self.target()[place] if ranked else None,
                d2_quantiles=d2_quantiles,
            )
            self.keep_text(draw, fold, text)
        return self.made(text, columns, draw, fold)
