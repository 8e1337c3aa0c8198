"""A store as the page asks for it: columns of domains, which domains a slice meets, and what is known of one atom."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.reading import read_box
from qsdask.errors import BadDataError, NoInputError, ResumableError, UsageError
from qsdask.explorer.cache import Cache
from qsdask.files.location import located
from qsdask.names import name_of_model
from qsdask.schema import frame_of, group_at
from qsdask.settings.defaults import PLASTIC_ABOVE
from qsdask.space.box import Box
from qsdask.store import ledger
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.study.response import plastic_above
from qsdask.study.rows import softness_group
from qsdask.units import ANGSTROM
from qsdask.views.columns import Column
from qsdask.views.export import columns_stored

__all__ = ["CHANGE", "Glass", "softness_name"]

#: Columns that are told of one atom.
_MOST_COLUMNS = 6

#: Column of the page that no store has: softness of the frame less that of the undeformed glass.
CHANGE = "delta_qs"


class Glass:
    """A finished store, read as little as a picture needs.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`; softness and response are shown as far as they are there.
    model : str or Path, optional
        Model folder, or its name; needed only where a store has the softness of several.
    cache : Cache
        Keeps what was read.

    Raises
    ------
    QSDaskError
        When there is no store, the model was not applied to it, or must be chosen (``E-MODEL-NAME``).
    """

    def __init__(self, store: str | Path, model: str | Path | None, cache: Cache) -> None:
        self.path = located(store)
        source = ledger.require(self.path, "ingest")
        self.name = str(source.settings["name"])
        self.root = StoreReader(self.path)
        self.n_step, self.n_atom, _ = self.root["frames/position"].shape
        self.strain = self.root["frames/strain"][:]
        self.species = self.root.names("atoms/species_name")
        self.radius = self.root["atoms/radius"][:]
        self.model = softness_name(self.path, model)
        self.group = None if self.model is None else f"softness/{self.model}"
        # One that is being computed is not there yet.
        response = ledger.read(self.path, "response/d2min")
        self.moved = response is not None and response.complete
        if self.moved:
            ledger.require(self.path, "response/d2min")
        self.threshold = self._threshold()
        self._cache, self._state = cache, self._stages()
        self.box = lru_cache(maxsize=None)(self._box)
        self.columns = lru_cache(maxsize=None)(self._columns)

    def stress(self) -> dict[str, Any] | None:
        """Stress along the loading in every frame, NaN where the table had no row, and its unit; None where nobody kept it."""
        record = ledger.read(self.path, "stress")
        if record is None or not record.complete:
            return None
        ledger.require(self.path, "stress")
        return {"value": self.root["stress/stress"][:], "unit": str(self.root["stress/stress"].attrs["units"])}

    def refuse_changed(self) -> None:
        """Refuse to mix what was read before with what a store holds now.

        Raises
        ------
        ResumableError
            ``E-CHANGED-MEANWHILE``: a stage was computed, or computed again, since the store was opened.
        """
        if self._stages() != self._state:
            raise ResumableError(
                "the store was changed since it was opened",
                code="E-CHANGED-MEANWHILE",
                file=self.path,
                why="a stage was computed meanwhile; old and new numbers would be mixed",
                hint="end 'qsdask explore' and start it again",
            )

    def rows_of(self, column: Column, domain: int, step: int) -> np.ndarray:
        """Values of a domain in a frame, in the order of its rows; nobody may write into them."""
        # A column that does not change with the strain is kept once.
        key = (self.path, column, domain, step if "step" in column.dims else None)
        index = tuple(column.at(step, atom=self.root.rows(domain)).values())
        return self._cache.get(key, lambda: self.root[column.array][index])

    def position(self, domain: int, step: int) -> np.ndarray:
        """Positions as read, NaN for lost atoms; float64, shape (n, 3)."""
        return self.rows_of(_POSITION, domain, step)

    def d2(self, domain: int, step: int) -> np.ndarray:
        """D2min where the fit was regular, NaN elsewhere; float64, shape (n,)."""
        valid = self.rows_of(_VALID, domain, step)
        return np.where(valid, self.rows_of(_D2MIN, domain, step), np.nan)

    def qs(self, domain: int) -> np.ndarray:
        """Softness of the undeformed glass; float64, shape (n,)."""
        return self.rows_of(Column(f"{self.group}/qs", ("atom",)), domain, 0)

    def species_of(self, domain: int) -> np.ndarray:
        """Index into `species` and `radius`; int16, shape (n,)."""
        return self.rows_of(_SPECIES, domain, 0)

    def ids(self, domain: int) -> np.ndarray:
        """Ids that the trajectory gave; int64, shape (n,)."""
        return self.rows_of(_ID, domain, 0)

    def described(self) -> list[int]:
        """Frames that have columns of their own, the undeformed one first."""
        return sorted({0, *(frame_of(record.key)[0] for record in ledger.records(self.path) if record.complete)})

    def meaning(self, column: Column) -> dict[str, str]:
        """Unit and meaning of a column."""
        group, _, array = column.array.rpartition("/")
        if column.place is not None and array == "value":
            return {name: self.root.names(f"{group}/{name}")[column.place] for name in ("unit", "meaning")}
        marks = self.root[column.array].attrs
        return {"unit": str(marks["units"]), "meaning": str(marks["long_name"])}

    def value(self, name: str, domain: int, step: int) -> np.ndarray:
        """What the page colours by: a column of `columns`, or `CHANGE`; float64, shape (n,)."""
        found = self.columns(step)
        if name == "d2min" and self.moved:
            return self.d2(domain, step)
        if name == CHANGE and self.group:
            if step == 0:
                return np.where(np.isfinite(self.qs(domain)), 0.0, np.nan)
            if "step_qs" in found:
                return self.rows_of(found["step_qs"], domain, step) - self.qs(domain)
            raise NoInputError(
                f"frame {step} has no softness of its own",
                code="E-STAGE-MISSING",
                file=self.path,
                hint=f"qsdask predict {self.path} --model {self.model} --frame {step}",
            )
        if name not in found:
            raise UsageError(f"no column {name} in frame {step} of {self.name}", code="E-COLUMN", file=self.path)
        return self.rows_of(found[name], domain, step).astype(np.float64)

    def domains_between(self, axis: int, low: float, high: float, step: int) -> np.ndarray:
        """Domains that may hold atoms between two planes.

        Parameters
        ----------
        axis : int
            Number of the cell vector whose faces the planes are parallel to.
        low, high : float
            Their heights above the lower face. Unit: that of the lengths.
        step : int
            Frame.

        Returns
        -------
        int64 array
            Rising.
        """
        box = self.box(step)
        key = (self.path, "domains/bounds", step)
        bounds = self._cache.get(key, lambda: self.root["domains/bounds"][step])[:, :, axis]
        # A hair more: rounding of reduced coordinates must not lose an atom on a plane.
        margin = 1e-6 / box.height[axis]
        low, high = low / box.height[axis] - margin, high / box.height[axis] + margin
        if box.periodic[axis]:
            # The bounds follow the atoms through the faces: some image of the slice must meet them.
            with np.errstate(invalid="ignore"):
                meets = np.floor(bounds[:, 1] - low) >= np.ceil(bounds[:, 0] - high)
        else:
            meets = (bounds[:, 0] <= high) & (bounds[:, 1] >= low)
        return np.flatnonzero(meets)

    def label(self) -> dict[str, Any]:
        """Label of the model whose softness is shown."""
        return ledger.require(self.path, str(self.group)).settings["label"]

    def domain_of(self, row: int) -> int:
        """Domain of a row of the store."""
        return int(np.searchsorted(self.root.domain_rows[:, 0], row, side="right")) - 1

    def atom(self, row: int, step: int) -> dict[str, Any]:
        """What is known of one atom.

        Parameters
        ----------
        row : int
            Row of the store.
        step : int
            Frame.

        Returns
        -------
        dict
            ``row``, ``id``, ``element``, ``position`` in the frame; as far as they are stored ``qs``, ``qs_std``, ``outside``,
            ``d2`` at all frames (NaN where unknown), ``voronoi``; ``contributions``, the columns that moved its softness most,
            with ``meaning`` and what each ``added`` to the logarithm of the odds, empty where nobody explained them.
        """
        domain = self.domain_of(row)
        at = row - self.root.rows(domain).start
        found = self.columns(step)
        told: dict[str, Any] = {
            "row": row,
            "id": int(self.ids(domain)[at]),
            "element": self.species[int(self.species_of(domain)[at])],
            "position": self.position(domain, step)[at],
            **{
                name: float(self.rows_of(found[name], domain, step)[at])
                for name in ("qs", "qs_std", "outside", "step_qs")
                if name in found
            },
        }
        if self.moved:
            told["d2"] = [float(self.d2(domain, k)[at]) for k in range(self.n_step)]
        told["contributions"] = self._contributions(row)
        index = [f"sro__voronoi_index_n{edges}__voro" for edges in range(3, 8)]
        if all(name in found for name in index):
            told["voronoi"] = [float(self.rows_of(found[name], domain, step)[at]) for name in index]
        return told

    def _contributions(self, row: int) -> list[dict[str, Any]]:
        group = f"explanation/{self.model}"
        record = ledger.read(self.path, group) if self.model else None
        if record is None or not record.complete:
            return []
        added = self.root[f"{group}/contribution"][row]
        if not np.isfinite(added).all():
            return []
        meaning = self.root.names(f"{group}/meaning")
        most = np.argsort(-np.abs(added), kind="stable")[:_MOST_COLUMNS]
        return [{"meaning": meaning[k], "added": float(added[k])} for k in most]

    def _box(self, step: int) -> Box:
        return read_box(self.root, step)

    def _columns(self, step: int) -> dict[str, Column]:
        return columns_stored(self.path, self.root, step, self.model)

    def _threshold(self) -> float | None:
        """D2min above which an atom is plastic; None where nobody said."""
        if self.group and self.moved:
            try:
                return plastic_above(self.path, self.label(), None)
            except BadDataError as error:
                # Measured otherwise than the label: the label's threshold says nothing about this response.
                if error.code != "E-RESPONSE-DIFFERS":
                    raise
        return PLASTIC_ABOVE if self.root.length == ANGSTROM else None

    def _stages(self) -> bytes:
        return Place(self.path).read("zarr.json")


_POSITION = Column("frames/position", ("step", "atom"))
_ID = Column("atoms/id", ("atom",))
_SPECIES = Column("atoms/species", ("atom",))
_D2MIN = Column("response/d2min/d2min", ("step", "atom"))
_VALID = Column("response/d2min/valid", ("step", "atom"))


def softness_name(path: Path, model: str | Path | None) -> str | None:
    """Name of the softness that is meant: of the model named, or the only one; None where there is none.

    Raises
    ------
    UsageError
        ``E-MODEL-NAME`` when there are several.
    QSDaskError
        As of `qsdask.study.rows.softness_group`.
    """
    if model is not None:
        softness_group(path, model)
        return name_of_model(model)
    places = [frame_of(record.key) for record in ledger.records(path) if record.complete]
    names = sorted(name.partition("/")[2] for step, name in places if not step and name.startswith("softness/"))
    if len(names) > 1:
        raise UsageError(f"choose the model: {', '.join(names)}", code="E-MODEL-NAME", file=path, hint="--model NAME")
    for name in names:
        ledger.require(path, group_at(0, f"softness/{name}"))
    return names[0] if names else None
