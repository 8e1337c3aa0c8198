"""A training table in files: parts that tasks write, one of some domains each, and what the draws make of their rows.

Whoever puts it together holds some rows at a time, however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.files.durable import write_durable
from qsdask.learn.bins import coded
from qsdask.learn.blocks_of_trees import Grown
from qsdask.learn.deal import NOT_DRAWN, Stretch, deal, seeds_of
from qsdask.learn.draws import judged_by
from qsdask.learn.gbdt import train_one
from qsdask.learn.growing import Made
from qsdask.learn.rows_in_files import (
    Rows,
    Selection,
    being_filled,
    being_lengthened,
    read_array,
    read_stretch,
    write_array,
    write_arrays,
)
from qsdask.learn.table import Specimen, Table, row_given_twice
from qsdask.settings import TrainSettings

__all__ = ["Chosen", "Dealt", "FiledTable", "Part"]

#: Rows that are held at a time, at most.
MOST = 1 << 20


class Part:
    """Rows of some domains of one glass, by rising id.

    Parameters
    ----------
    folder : Path
        Of the table.
    number : int
        Which part.

    Notes
    -----
    ``part-<number>.value.npy`` has the columns, ``id.npy`` and ``who.npy`` who the rows are and of which class, ``sample.npz``
    a sample of the usable atoms: it is written last, and is the receipt of the part.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.value, self.id, self.who, self.sample, self.code = (
            folder / f"part-{number:04d}.{kind}"
            for kind in ("value.npy", "id.npy", "who.npy", "sample.npz", "code.npy")
        )

    def write(self, table: Table, sample: Mapping[str, Table]) -> None:
        """Write rows of one glass, and a sample of its usable atoms by species."""
        write_array(self.value, table.X)
        write_array(self.id, table.id)
        told = {"plastic": table.y, "block": table.block, "target": table.target}
        there = {name: array for name, array in told.items() if array is not None}
        who = np.empty(len(table), dtype=[(name, array.dtype) for name, array in there.items()])
        for name, array in there.items():
            who[name] = array
        write_array(self.who, who)
        found = {f"{name}/id": some.id for name, some in sample.items()}
        write_arrays(self.sample, found | {f"{name}/value": some.X for name, some in sample.items()})

    def counts(self) -> tuple[int, int]:
        """Rows, and plastic ones among them."""
        plastic = read_array(self.who)["plastic"]
        return len(plastic), int(np.count_nonzero(plastic))

    def read_sample(self, me: Specimen, columns: tuple[str, ...]) -> dict[str, Table]:
        """The sample."""
        with np.load(self.sample, allow_pickle=False) as file:
            found = dict(file)
        sample = {}
        for name in [key.partition("/")[0] for key in found if key.endswith("/value")]:
            ids, value = found[f"{name}/id"], found[f"{name}/value"]
            first = np.zeros(len(ids), dtype=np.int64)
            sample[name] = Table((me,), first, ids, value, np.zeros(len(ids), dtype=bool), columns)
        return sample

    def write_codes(self, edges: Sequence[np.ndarray]) -> None:
        """Write the columns as whole numbers, unless they are there; see `qsdask.learn.bins`."""
        if not self.code.is_file():
            write_array(self.code, coded(read_array(self.value), edges))


class Chosen(NamedTuple):
    """Rows of a fold of a draw, or those of its other folds, in the order of identities.

    Attributes
    ----------
    place : int64 array, shape (n,)
        Where they lie.
    plastic : bool array, shape (n,)
        Their class.
    target : float32 array, shape (n,)
        What is learned of them, from 0 to 1.
    """

    place: np.ndarray
    plastic: np.ndarray
    target: np.ndarray


class Dealt(NamedTuple):
    """What the draws made of the rows.

    Attributes
    ----------
    stretches : callable
        Gives all rows in the order of identities, stretch by stretch.
    seeds : list of tuple of int
        For every draw the seed of the trees of each fold.
    """

    stretches: Callable[[], Iterator[Stretch]]
    seeds: list[tuple[int, ...]]


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

    @property
    def ranked(self) -> bool:
        """Whether the rows have something that is learned instead of their class."""
        return "target" in self._kinds()

    def deal(self, glasses: Sequence[Specimen], settings: TrainSettings) -> Dealt:
        """Undersample and deal into folds, and write which rows each draw has.

        Parameters
        ----------
        glasses : sequence of Specimen
            Glass of every part.
        settings : TrainSettings
            Draws, folds, ratio and seed.

        Raises
        ------
        BadDataError
            ``E-ONE-CLASS``; ``E-DUP-ROW``: the same atom twice.
        """
        stretches = partial(self._stretches, self._in_order(glasses))
        with being_filled(self._array("fold"), (settings.draws, self._n_row()), np.int8) as fold:
            for draw in range(settings.draws):
                deal(stretches, fold[draw], settings, draw)
        return Dealt(stretches, [seeds_of(settings, draw) for draw in range(settings.draws)])

    def _in_order(self, glasses: Sequence[Specimen]) -> list[tuple[int, str, slice]]:
        """Write who the rows are in the order of identities; their glasses and stretches."""
        ends = np.cumsum([self.part(k).counts()[0] for k in range(self.n_part)])
        kinds = {"id": np.int64, "order": np.int64, "plastic": bool, "target": np.float32}
        kinds |= {"block": np.int64} if "block" in self._kinds() else {}
        found: list[tuple[int, str, slice]] = []
        start = 0
        with ExitStack() as stack:
            add = {
                name: stack.enter_context(being_lengthened(self._array(name), int(ends[-1]), kind))
                for name, kind in kinds.items()
            }
            for k, glass in enumerate(sorted({one.key: one for one in glasses}.values(), key=lambda one: one.key)):
                for some in self._merged(
                    [p for p, one in enumerate(glasses) if one.key == glass.key], glass.name, ends
                ):
                    for name, write in add.items():
                        write(some[name])
                    n = len(some["id"])
                    found.append((k, glass.key, slice(start, start + n)))
                    start += n
        return found

    def _merged(self, parts: Sequence[int], name: str, ends: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Rows of the parts of one glass by rising id, some at a time: each part is sorted, and has about as many of every stretch."""
        step = max(1, MOST // (2 * len(parts)))
        marks = np.sort(np.concatenate([read_array(self.part(p).id)[::step] for p in parts]))[:: len(parts)]
        done = dict.fromkeys(parts, 0)
        for mark in [*marks[1:].tolist(), None]:
            pieces: list[dict[str, np.ndarray]] = []
            for p in parts:
                ids = read_array(self.part(p).id)
                rows = slice(done[p], len(ids) if mark is None else int(np.searchsorted(ids, mark)))
                who, first = read_stretch(self.part(p).who, rows), ends[p] - len(ids)
                told = {kind: who[kind] for kind in self._kinds()}
                place = np.arange(rows.start, rows.stop) + first
                pieces.append({"target": who["plastic"], **told, "id": np.array(ids[rows]), "order": place})
                done[p] = rows.stop
            some = {kind: np.concatenate([piece[kind] for piece in pieces]) for kind in pieces[0]}
            order = np.argsort(some["id"])
            some = {kind: array[order] for kind, array in some.items()}
            twice = np.flatnonzero(np.diff(some["id"]) == 0)
            if len(twice):
                raise row_given_twice(name, int(some["id"][twice[0]]))
            yield some

    def _stretches(self, found: Sequence[tuple[int, str, slice]]) -> Iterator[Stretch]:
        has_blocks = "block" in self._kinds()
        for k, key, rows in found:
            ids, plastic = (self._read(name, rows) for name in ("id", "plastic"))
            yield Stretch(rows.start, k, key, ids, plastic, self._read("block", rows) if has_blocks else None)

    def _kinds(self) -> tuple[str, ...]:
        """What is known of the rows, beside their ids."""
        return read_array(self.part(0).who).dtype.names or ()

    def _n_row(self) -> int:
        return len(read_array(self._array("order")))

    def _array(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _read(self, name: str, rows: slice) -> np.ndarray:
        return read_stretch(self._array(name), rows)

    def chosen(self, draw: int, fold: int, *, of_fold: bool) -> Chosen:
        """Rows of a fold of a draw, or those of its other folds."""
        found: list[list[np.ndarray]] = [[], [], []]
        for start in range(0, self._n_row(), MOST):
            rows = slice(start, start + MOST)
            mine = np.array(read_array(self._array("fold"))[draw, rows])
            there = mine == fold if of_fold else (mine != NOT_DRAWN) & (mine != fold)
            for one, name in zip(found, ("order", "plastic", "target"), strict=True):
                one.append(self._read(name, rows)[there])
        return Chosen(*(np.concatenate(one) for one in found))

    def sums(self, draw: int, n_folds: int) -> np.ndarray:
        """Rows of every fold of a draw, plastic ones among them, and the sum of what is learned in steps of 2^-30.

        Returns
        -------
        int64 array, shape (n_folds, 3)
        """
        total = np.zeros((n_folds, 3), dtype=np.int64)
        for start in range(0, self._n_row(), MOST):
            rows = slice(start, start + MOST)
            mine = np.array(read_array(self._array("fold"))[draw, rows])
            target = np.rint(self._read("target", rows).astype(np.float64) * 2.0**30).astype(np.int64)
            plastic = self._read("plastic", rows)
            for k in range(n_folds):
                there = mine == k
                total[k] += (np.count_nonzero(there), np.count_nonzero(plastic[there]), target[there].sum())
        return total

    def is_drawn(self, rows: slice) -> np.ndarray:
        """Whether any draw has some rows, by their numbers in the order of identities."""
        return np.any(read_array(self._array("fold"))[:, rows] != NOT_DRAWN, axis=0)

    def held(self, number: np.ndarray) -> np.ndarray:
        """Columns of rows by their numbers in the order of identities, float32, in memory."""
        return self._rows("value").take(read_array(self._array("order"))[number])

    def values(self, place: np.ndarray) -> Selection:
        """Columns of rows at these places."""
        return Selection(self._rows("value"), place)

    def codes(self, place: np.ndarray) -> Selection:
        """The same as whole numbers."""
        return Selection(self._rows("code"), place)

    def _rows(self, kind: str) -> Rows:
        return Rows([getattr(self.part(k), kind) for k in range(self.n_part)])

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
        left = self.chosen(draw, fold, of_fold=True)
        return Made.of(judged_by(text, columns, left.plastic, self.values(left.place)))

    def learned(
        self,
        draw: int,
        fold: int,
        seed: int,
        *,
        columns: tuple[str, ...],
        settings: TrainSettings,
        d2_quantiles: Sequence[float] | None,
    ) -> Made:
        """A fold model, learned by one process unless it was before; for others see `qsdask.learn.draws.fold_model`."""
        text = self.text(draw, fold)
        if text is None:
            rows = self.chosen(draw, fold, of_fold=False)
            text = train_one(
                self.values(rows.place),
                rows.plastic,
                columns,
                settings,
                seed=seed,
                target=rows.target if self.ranked else None,
                d2_quantiles=d2_quantiles,
            )
            self.keep_text(draw, fold, text)
        return self.made(text, columns, draw, fold)
