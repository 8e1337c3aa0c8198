"""A training table in files: parts that tasks write, one of some domains each, and what the draws make of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsdask.learn.bins import coded
from qsdask.learn.draws import Draw, FoldModel, drawn, judged_by
from qsdask.learn.files import Rows, Selection, read_array, write_array, write_arrays
from qsdask.learn.gbdt import train_one
from qsdask.learn.table import Specimen, Table, concatenate
from qsdask.settings import TrainSettings

__all__ = ["Part", "Spread"]


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


class Spread:
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

    def deal(self, tables: Sequence[Table], settings: TrainSettings) -> tuple[Table, list[Draw]]:
        """Undersample and deal into folds, and write which rows each draw has.

        Parameters
        ----------
        tables : sequence of Table
            Rows of all parts without their columns, see `Part.read`.
        settings : TrainSettings
            Draws, folds, ratio and seed.

        Returns
        -------
        Table
            All rows, without columns.
        list of Draw
            One for each undersampling.

        Raises
        ------
        BadDataError
            ``E-ONE-CLASS``.
        """
        table = concatenate(tables)
        key = {specimen.key: k for k, specimen in enumerate(table.specimens)}
        specimen = np.concatenate([np.full(len(one), key[one.specimens[0].key]) for one in tables])
        # Where each row lies, in the order of identities, which is that of the table.
        order = np.lexsort((np.concatenate([one.id for one in tables]), specimen))
        draws = [drawn(table, settings, draw) for draw in range(settings.draws)]
        fold = np.full((len(draws), len(table)), -1, dtype=np.int8)
        for k, draw in enumerate(draws):
            fold[k, order[draw.rows]] = draw.fold
        plastic = np.empty(len(table), dtype=bool)
        plastic[order] = table.y
        target = np.empty(len(table), dtype=np.float32)
        target[order] = table.y if table.target is None else table.target
        for name, array in (("order", order), ("fold", fold), ("plastic", plastic), ("target", target)):
            write_array(self.folder / f"{name}.npy", array)
        return table, draws

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
        order, found = self._array("order"), self._array("fold")[draw]
        mine = found[order]
        return order[mine == fold] if of_fold else order[(mine >= 0) & (mine != fold)]

    def drawn_places(self) -> np.ndarray:
        """Where the rows lie that any draw has, in the order of identities."""
        order = self._array("order")
        return order[(self._array("fold")[:, order] >= 0).any(axis=0)]

    def values(self, place: np.ndarray) -> Selection:
        """Columns of rows at these places."""
        return Selection(Rows([self.part(k).value for k in range(self.n_part)]), place)

    def codes(self, place: np.ndarray) -> Selection:
        """The same as whole numbers."""
        return Selection(Rows([self.part(k).code for k in range(self.n_part)]), place)

    def text(self, draw: int, fold: int) -> Path:
        """Text of a fold model, whose receipt it is."""
        return self.folder / f"fold-{draw}-{fold}.txt"

    def judged(self, text: str, columns: tuple[str, ...], draw: int, fold: int) -> FoldModel:
        """A fold model, and what comes out for the rows left out."""
        place = self.places(draw, fold, of_fold=True)
        return judged_by(text, columns, self.plastic()[place], self.values(place))

    def grown(
        self,
        draw: int,
        fold: int,
        *,
        columns: tuple[str, ...],
        settings: TrainSettings,
        seed: int,
        ranked: bool,
        **told: object,
    ) -> str:
        """Text of a model that one process learns of all rows of a draw but those of a fold."""
        place = self.places(draw, fold, of_fold=False)
        target = self.target()[place]
        return train_one(
            self.values(place),
            self.plastic()[place],
            columns,
            settings,
            seed=seed,
            target=target if ranked else None,
            **told,
        )
