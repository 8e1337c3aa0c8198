"""The training table: rows with an identity, and random numbers that belong to that identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from qsdask.errors import BadDataError, UsageError

__all__ = ["Specimen", "Table", "concatenate", "identity_hash", "prior_of", "row_given_twice", "same_glass"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)

#: Distances of two fingerprints that differ by less are the same. Unit: angstrom.
_SAME_DISTANCE = 1e-2
#: A match of fewer distances than this may be chance.
_LEAST_DISTANCES = 3
#: Of the fingerprints of one glass before and after relaxation or strain; after a melt there is little left of it.
_SAME_CORRELATION = 0.9


def _mix(state: np.ndarray, word: np.ndarray) -> np.ndarray:
    """Absorb one 64-bit word into every state: xor, then one step of splitmix64."""
    with np.errstate(over="ignore"):
        z = (state ^ word) + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


def _words(text: str) -> list[int]:
    """Length in bytes, then the UTF-8 bytes as little-endian 64-bit words, the last padded with zeros."""
    raw = text.encode()
    return [len(raw), *(int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8))]


def identity_hash(seed: int, purpose: str, draw: int, key: str, number: np.ndarray) -> np.ndarray:
    """Give everything a random number that depends on what it is, not on where it stands.

    Parameters
    ----------
    seed : int
        Any integer, taken modulo 2^64.
    purpose : str
        What the numbers are for; different purposes are independent of each other.
    draw : int
        Counter of repeated draws.
    key : str
        Key of the specimen.
    number : int64 array, shape (n,)
        Identity within the specimen: atom id, or index of a block.

    Returns
    -------
    uint64 array, shape (n,)
        Uniform. Different numbers of one specimen never share a value.

    Notes
    -----
    The words of ``purpose``, ``seed``, ``draw``, the words of ``key`` and ``number`` are absorbed one after
    the other into a state that begins at 0: ``state = splitmix64(state xor word)``, where splitmix64(x) adds
    0x9E3779B97F4A7C15 and applies the finaliser of Steele et al. A text gives its length in bytes, then its
    UTF-8 bytes, eight to a little-endian word. Each step is one to one, hence no two numbers collide.

    References
    ----------
    .. [1] G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014, 453, doi:10.1145/2660193.2660195.
    """
    state = np.zeros(1, dtype=np.uint64)
    for word in (*_words(purpose), seed % 2**64, draw % 2**64, *_words(key)):
        state = _mix(state, np.array([word], dtype=np.uint64))
    return _mix(state, np.asarray(number, dtype=np.int64).view(np.uint64))


@dataclass(frozen=True)
class Specimen:
    """One glass.

    Attributes
    ----------
    key : str
        Content hash of the specimen, as hexadecimal text; behind a colon what tells it from others of the same hash.
    name : str
        Name for people.
    n_atoms : int
        Number of atoms.
    n_usable, n_plastic : int
        Usable atoms and the plastic ones among them. -1: count the rows of the table. To be given when a
        table holds only the rows that undersampling can choose.
    fingerprint : tuple of float
        A few interatomic distances of the reference frame, always of the same pairs. Unit: angstrom.
    species : tuple of str
        Chemical symbols.
    """

    key: str
    name: str
    n_atoms: int = 0
    n_usable: int = -1
    n_plastic: int = -1
    fingerprint: tuple[float, ...] = ()
    species: tuple[str, ...] = ()


def prior_of(specimens: Sequence[Specimen]) -> float:
    """Fraction of plastic atoms among the usable ones; NaN without atoms."""
    usable = sum(s.n_usable for s in specimens)
    return sum(s.n_plastic for s in specimens) / usable if usable else float("nan")


def same_glass(key: str, fingerprint: Sequence[float], other_key: str, other_fingerprint: Sequence[float]) -> bool:
    """Whether two specimens are one glass, rounded, relaxed or strained as it may be.

    Parameters
    ----------
    key, other_key : str
        Keys as in `Specimen`; what follows a colon does not count.
    fingerprint, other_fingerprint : sequence of float
        Interatomic distances as in `Specimen`. Unit: angstrom.

    Returns
    -------
    bool
        True when all of at least 3 distances are equal to within 0.01 angstrom. True for one key as well, unless the
        distances, of the same pairs of atoms, are correlated by less than 0.9: glasses quenched from the same ids and
        species, as all of a pure metal are, have one key.
    """
    one, two = (np.asarray(distances, dtype=np.float64) for distances in (fingerprint, other_fingerprint))
    comparable = one.shape == two.shape and len(one) >= _LEAST_DISTANCES
    if comparable and np.all(np.abs(one - two) < _SAME_DISTANCE):
        return True
    if key.partition(":")[0] != other_key.partition(":")[0]:
        return False
    if not comparable or not (np.ptp(one) and np.ptp(two)):
        return True
    return bool(np.corrcoef(one, two)[0, 1] >= _SAME_CORRELATION)


def row_given_twice(name: str, atom_id: int) -> BadDataError:
    """The refusal of an atom, of a specimen of this name, that is there twice."""
    return BadDataError(f"an atom of specimen {name!r} stands twice in the table", code="E-DUP-ROW", atom_id=atom_id)


@dataclass(frozen=True, eq=False)
class Table:
    """Labelled rows of one or more specimens in canonical order.

    Rows are sorted by (specimen key, atom id) when the table is made, so that nothing computed from it
    depends on the order in which chunks or stores were added.

    Attributes
    ----------
    specimens : tuple of Specimen
        Ascending key.
    specimen : int64 array, shape (n,)
        Index into `specimens`.
    id : int64 array, shape (n,)
        Atom id.
    X : float32 or float64 array, shape (n, n_feature)
        Features, all finite.
    y : bool array, shape (n,)
        Plastic.
    columns : tuple of str
        Names of the features.
    block : int64 array, shape (n,), optional
        Spatial block of each atom within its specimen, see `qsdask.learn.blocks`.
    target : float64 array, shape (n,), optional
        What is learned instead of the class, between 0 (hard) and 1 (soft); `y` then tells the softer half.

    Raises
    ------
    BadDataError
        ``E-TABLE``: shapes, types or values are wrong. ``E-DUP-ROW``: the same atom twice.
        ``E-SPECIMEN-KEY``: two specimens with one key.
    """

    specimens: tuple[Specimen, ...]
    specimen: np.ndarray
    id: np.ndarray
    X: np.ndarray
    y: np.ndarray
    columns: tuple[str, ...]
    block: np.ndarray | None = None
    target: np.ndarray | None = None

    def __post_init__(self) -> None:
        specimens = tuple(self.specimens)
        order = sorted(range(len(specimens)), key=lambda k: specimens[k].key)
        if len({s.key for s in specimens}) != len(specimens):
            raise BadDataError("two specimens of one table have the same key", code="E-SPECIMEN-KEY")
        row = np.asarray(self.specimen, dtype=np.int64)
        ids = np.asarray(self.id, dtype=np.int64)
        X, y = np.asarray(self.X), np.asarray(self.y)
        block = None if self.block is None else np.asarray(self.block, dtype=np.int64)
        target = None if self.target is None else np.asarray(self.target, dtype=np.float64)
        n = len(ids)
        sane = (
            X.shape == (n, len(self.columns))
            and X.dtype in (np.float32, np.float64)
            and y.shape == row.shape == ids.shape == (n,)
            and y.dtype == bool
            and (block is None or block.shape == (n,))
            and (target is None or (target.shape == (n,) and bool(((target >= 0) & (target <= 1)).all())))
            and (n == 0 or (row.min() >= 0 and row.max() < len(specimens)))
            and len(set(self.columns)) == len(self.columns)
        )
        if not sane:
            raise BadDataError(
                f"a table needs (n,) int specimen and id, (n,) bool y, and float X (n, n_feature) with "
                f"as many different column names; got X {X.dtype} {X.shape}, y {y.dtype} {y.shape}, "
                f"id {ids.shape}, specimen {row.shape} of {len(specimens)}, {len(self.columns)} columns",
                code="E-TABLE",
            )
        if not np.isfinite(X).all():
            raise BadDataError(
                f"{int((~np.isfinite(X).all(axis=1)).sum())} of {n} rows have features without value",
                code="E-TABLE",
                hint="choose the rows with qsdask.learn.usable first",
            )
        new = np.empty(len(specimens), dtype=np.int64)
        new[order] = np.arange(len(specimens))
        row = new[row]
        place = np.lexsort((ids, row))
        if np.any((np.diff(row[place]) == 0) & (np.diff(ids[place]) == 0)):
            twice = place[1:][(np.diff(row[place]) == 0) & (np.diff(ids[place]) == 0)][0]
            raise row_given_twice(specimens[order[row[twice]]].name, int(ids[twice]))
        row, y = row[place], y[place]
        usable = np.bincount(row, minlength=len(specimens))
        positive = np.bincount(row[y], minlength=len(specimens))
        counted = tuple(
            replace(
                specimens[k],
                n_usable=int(usable[i]) if specimens[k].n_usable < 0 else specimens[k].n_usable,
                n_plastic=int(positive[i]) if specimens[k].n_plastic < 0 else specimens[k].n_plastic,
            )
            for i, k in enumerate(order)
        )
        more = (None if one is None else one[place] for one in (block, target))
        made = (counted, row, ids[place], X[place], y, tuple(self.columns), *more)
        for field, content in zip(fields(self), made, strict=True):
            object.__setattr__(self, field.name, content)

    def __len__(self) -> int:
        return len(self.id)

    @property
    def prior(self) -> float:
        """Fraction of plastic atoms among the usable ones; NaN without atoms."""
        return prior_of(self.specimens)

    def hashes(self, seed: int, purpose: str, draw: int = 0) -> np.ndarray:
        """Random number of every row, from its identity.

        Parameters
        ----------
        seed, purpose, draw
            See `identity_hash`.

        Returns
        -------
        uint64 array, shape (n,)
        """
        value = np.empty(len(self), dtype=np.uint64)
        for k, specimen in enumerate(self.specimens):
            rows = self.specimen == k
            value[rows] = identity_hash(seed, purpose, draw, specimen.key, self.id[rows])
        return value

    def take(self, rows: np.ndarray) -> Table:
        """Table of some rows; the counts of the specimens stay those of the whole.

        Parameters
        ----------
        rows : int array, shape (m,), or bool array, shape (n,)

        Returns
        -------
        Table
        """
        more = (None if one is None else one[rows] for one in (self.block, self.target))
        return Table(
            self.specimens, self.specimen[rows], self.id[rows], self.X[rows], self.y[rows], self.columns, *more
        )

    def of_columns(self, columns: Sequence[str]) -> Table:
        """Table of the same rows with some of the columns.

        Parameters
        ----------
        columns : sequence of str
            Their names, in the order wanted.

        Returns
        -------
        Table
        """
        places = [self.columns.index(name) for name in columns]
        return replace(self, X=self.X[:, places], columns=tuple(columns))


def concatenate(tables: Sequence[Table]) -> Table:
    """Join tables of chunks or of specimens; their order does not matter.

    Parameters
    ----------
    tables : sequence of Table
        With the same columns in the same order. Parts of one specimen carry equal `Specimen`
        records, with the counts of the whole specimen.

    Returns
    -------
    Table

    Raises
    ------
    UsageError
        ``E-NO-TABLE``: nothing to join.
    BadDataError
        ``E-FEATURES-DIFFER``: other columns. ``E-SPECIMEN-KEY``: one key, different records.
        ``E-DUP-ROW``: the same atom twice.
    """
    tables = list(tables)
    if not tables:
        raise UsageError("at least one table is needed", code="E-NO-TABLE")
    first = tables[0]
    known: dict[str, Specimen] = {}
    for table in tables:
        if table.columns != first.columns:
            names = sorted(set(table.columns) ^ set(first.columns)) or ["(the same names in another order)"]
            raise BadDataError(
                f"the training specimens have different feature columns: {', '.join(names[:20])}",
                code="E-FEATURES-DIFFER",
            )
        for specimen in table.specimens:
            if known.setdefault(specimen.key, specimen) != specimen:
                raise BadDataError(
                    f"specimens {known[specimen.key].name!r} and {specimen.name!r} have the same key "
                    f"{specimen.key[:16]} but different records",
                    code="E-SPECIMEN-KEY",
                    why="the same glass was given twice, or its parts carry their own counts",
                )
    index = {key: k for k, key in enumerate(known)}
    places = [np.array([index[s.key] for s in t.specimens], dtype=np.int64)[t.specimen] for t in tables]

    def joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
        there = [part for part in parts if part is not None]
        return np.concatenate(there) if len(there) == len(parts) else None

    return Table(
        tuple(known.values()),
        np.concatenate(places),
        np.concatenate([t.id for t in tables]),
        np.concatenate([t.X for t in tables]),
        np.concatenate([t.y for t in tables]),
        first.columns,
        joined([t.block for t in tables]),
        joined([t.target for t in tables]),
    )
