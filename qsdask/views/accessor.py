"""`open_store` with the `.qs` accessor: what people ask of a store at once, answered lazily.

It stands here and not beside the store: its answers need slices, pictures and columns, which the store knows nothing of.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qsdask.errors import NoInputError, UsageError
from qsdask.files.location import located
from qsdask.settings.defaults import HARD_BELOW, LABEL_STRAIN, PLASTIC_ABOVE, SOFT_ABOVE
from qsdask.space.strain import branch_name, branches, first_pass, passed_again
from qsdask.store.open import open_store
from qsdask.units import ANGSTROM
from qsdask.views.info import contents
from qsdask.views.tree import GlassTree

if TYPE_CHECKING:
    import pandas as pd

    from qsdask.views.plots import Plots

__all__ = ["SoftnessAccessor", "open_store"]


class SoftnessAccessor:
    """Questions to a specimen's store; every answer is lazy until computed.

    Examples
    --------
    >>> tree = qsdask.open_store("glass7.zarr")  # doctest: +SKIP
    >>> tree.qs.soft(0.7)["qs"].mean().compute()  # doctest: +SKIP
    """

    def __init__(self, tree: xr.DataTree) -> None:
        self._glass = GlassTree(tree)

    def atoms(self, model: str | None = None, step: int = 0) -> xr.Dataset:
        """Everything known per atom on one `atom` dimension.

        Parameters
        ----------
        model : str, optional
            Name of the softness to join; needed only when there are several.
        step : int
            Frame of the position and of the softness; the undeformed one by default, negative ones count from the end.

        Returns
        -------
        xarray.Dataset
            ``id``, ``species``, ``position`` and, as far as computed, ``d2min``, ``valid``, ``qs``, ``qs_std``.

        Raises
        ------
        UsageError
            ``E-STEP`` when the store has no such frame; ``E-MODEL-NAME`` when the model must be chosen.
        """
        return self._glass.atoms(model, step)

    def slab(
        self,
        axis: str,
        centre: float | None = None,
        thickness: float | None = None,
        *,
        frame: int = 0,
        model: str | None = None,
    ) -> xr.Dataset:
        """Atoms of a frame in a slice, which goes on through periodic faces.

        Parameters
        ----------
        axis : {"x", "y", "z"}
            Normal of the slice: x stands for the faces of the cell that b and c span, and so on.
        centre : float, optional
            Coordinate of its middle plane along that normal; the middle of the box if not given. Unit: angstrom.
        thickness : float, optional
            4 by default, in angstrom; where lengths are in sigma there is no default. Half-open, so that touching slices share no
            atom.
        frame : int
            Frame of positions and D2min; negative ones count from the end. ``qs`` is that of the undeformed glass.
        model : str, optional
            Name of the softness, when there are several.

        Returns
        -------
        xarray.Dataset
            The rows of `atoms` inside; positions wrapped into the box.

        Raises
        ------
        UsageError
            ``E-AXIS``, ``E-THICKNESS``, ``E-NO-DEFAULT``, ``E-STEP``, ``E-MODEL-NAME``.
        """
        found, _ = self._glass.cut(axis, centre, thickness, frame, model)
        wrapped = xr.apply_ufunc(
            self._glass.box(frame).wrap,
            found["position"],
            input_core_dims=[["xyz"]],
            output_core_dims=[["xyz"]],
            dask="parallelized",
            output_dtypes=[np.float64],
            keep_attrs=True,
        )
        return found.assign(position=wrapped)

    def to_dataframe(self, columns: Sequence[str] = (), frame: int = 0, model: str | None = None) -> pd.DataFrame:
        """Table of the atoms of a frame, for pandas.

        Parameters
        ----------
        columns : sequence of str
            As of `qsdask.export`: ``qs``, ``d2min``, ``step_qs``, feature columns, ... in any case.
        frame : int
            Negative ones count from the end.
        model : str, optional
            Name of the softness, when there are several.

        Returns
        -------
        pandas.DataFrame
            ``id``, ``element``, ``x``, ``y``, ``z`` and the columns; a row an atom, in the order of the store.

        Raises
        ------
        UsageError
            ``E-STEP``, ``E-COLUMN``, ``E-MODEL-NAME``.
        """
        table = self._glass.table(columns, frame, model)
        axes = {axis: table["position"].sel(xyz=axis, drop=True) for axis in "xyz"}
        rest = [name for name in table.data_vars if name not in ("id", "element", "position")]
        return xr.Dataset({**table[["id", "element"]], **axes, **table[rest]}).to_dataframe()

    def to_ase(self, frame: int = 0, columns: Sequence[str] = (), model: str | None = None) -> Any:
        """A frame as `ase.Atoms`, with the ids and the columns among its arrays.

        Parameters
        ----------
        frame, columns, model
            As of `to_dataframe`.

        Returns
        -------
        ase.Atoms
            In the order of the store, without atoms that the frame has lost. What is no element is ``X``, its name then in the
            array ``label``.

        Raises
        ------
        UsageError
            As of `to_dataframe`; ``E-EXTRA`` when ASE is not installed.
        """
        from qsdask.formats.ase_package import atoms_of

        table, box = self._glass.table(columns, frame, model), self._glass.box(frame)
        table = self._glass.where(table, table["position"].notnull().all("xyz"))
        position, element = table["position"].values, table["element"].values
        arrays = {str(name): array.values for name, array in table.drop_vars(["position", "element"]).items()}
        return atoms_of(element, position, box, arrays)

    def explore(self, model: str | None = None) -> Any:
        """Look at the glass: in a notebook a widget, elsewhere a page in the browser; see `qsdask.explore`.

        Parameters
        ----------
        model : str, optional
            Name of the softness, when there are several.

        Returns
        -------
        qsdask.explorer.widget.Explorer or None

        Raises
        ------
        NoInputError
            ``E-NO-STORE`` for a tree that was not opened from a store.
        UsageError
            As of `qsdask.explore`.
        """
        import qsdask

        source = self._glass.tree.encoding.get("source")
        if source is None:
            raise NoInputError(
                "the page reads a store, which this tree was not opened from",
                code="E-NO-STORE",
                hint="qsdask.open_store(STORE).qs.explore()",
            )
        return qsdask.explore(source, model=model)

    @property
    def plot(self) -> Plots:
        """Pictures: ``plot.slab()``, ``plot.spectrum()``."""
        from qsdask.views.plots import Plots

        return Plots(self._glass)

    def __repr__(self) -> str:
        title, head, rows = self._contents()
        lines = [", ".join(f"{name} {value}" for name, value in zip(head, row, strict=True)) for row in rows]
        return "\n".join([title, *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        from qsdask.reporting.template import table

        title, head, rows = self._contents()
        return table(head, rows, caption=title)

    def _contents(self) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
        """What is in the store, complete or not; of a tree without one, what is in the tree."""
        source = self._glass.tree.encoding.get("source")
        if source is not None and located(source).exists():
            return contents(source)
        sizes = {
            name: ", ".join(f"{dim}: {n:,}" for dim, n in self._glass.tree[name].sizes.items())
            for name in self._glass.groups()
        }
        return "a tree of datasets", ("group", "size"), [(name, size) for name, size in sizes.items() if size]

    def soft(self, threshold: float = SOFT_ABOVE, model: str | None = None) -> xr.Dataset:
        """Atoms with QS above `threshold`: the most liquid-like ones."""
        atoms = self.atoms(self._glass.model(model))
        return self._glass.where(atoms, atoms["qs"] > threshold)

    def hard(self, threshold: float = HARD_BELOW, model: str | None = None) -> xr.Dataset:
        """Atoms with QS below `threshold`: the most solid-like ones."""
        atoms = self.atoms(self._glass.model(model))
        return self._glass.where(atoms, atoms["qs"] < threshold)

    def frame(self, strain: float = LABEL_STRAIN) -> int:
        """Frame in which a strain is first passed, with a warning where it is passed again.

        Parameters
        ----------
        strain : float
            A fraction.

        Raises
        ------
        BadDataError
            ``E-STRAIN`` when no frame was stored within 0.0025 of it.
        """
        return self._first_pass(strain)

    def plastic(
        self,
        strain: float = LABEL_STRAIN,
        threshold: float | None = None,
        frame: int | None = None,
        model: str | None = None,
    ) -> xr.Dataset:
        """Atoms whose D2min exceeds a threshold at a strain.

        Parameters
        ----------
        strain : float
            A fraction. The frame in which it is first passed is taken, with a warning where it is passed again.
        threshold : float, optional
            5 by default, in angstrom^2; where lengths are in sigma there is no default.
        frame : int, optional
            Instead of `strain`; negative ones count from the end.
        model : str, optional
            Whose softness stands beside, where the store has that of several.

        Returns
        -------
        xarray.Dataset
            Rows of `atoms`, at this frame.

        Raises
        ------
        BadDataError
            ``E-STRAIN`` when no frame was stored at the strain.
        UsageError
            ``E-STEP`` when the store has no such frame; ``E-NO-DEFAULT``; ``E-MODEL-NAME`` when the model must be chosen.
        """
        atoms = self._deformed(self.atoms(model))
        threshold = self._threshold(atoms, threshold)
        now = atoms.isel(step=self._first_pass(strain) if frame is None else self._glass.step(frame))
        return self._glass.where(now, now["valid"] & (now["d2min"] > threshold))

    def activation(self, threshold: float | None = None, model: str | None = None) -> xr.Dataset:
        """Mean QS of the atoms plastic at each strain, and their number.

        Parameters
        ----------
        threshold : float, optional
            D2min above which an atom is plastic; 5 by default, in angstrom^2, as of `plastic`.
        model : str, optional
            Name of the softness.

        Returns
        -------
        xarray.Dataset
            ``qs_plastic(step)`` and ``n_plastic(step)``, with strain and branch (loading, unloading, loading-2);
            `qsdask.activation` gives the full analysis.
        """
        atoms = self._deformed(self.atoms(self._glass.model(model)))
        threshold = self._threshold(atoms, threshold)
        plastic = atoms["valid"] & (atoms["d2min"] > threshold) & atoms["qs"].notnull()
        mean = atoms["qs"].where(plastic).mean("atom")
        number = plastic.sum("atom")
        mean.attrs = {"units": "1", "long_name": "mean QS of the atoms plastic at this strain"}
        number.attrs = {"units": "1", "long_name": "number of plastic atoms"}
        names = [branch_name(k) for k in branches(atoms["strain"].values)]
        branch = xr.Variable("step", names, {"units": "1", "long_name": "branch of the loading"})
        return xr.Dataset({"qs_plastic": mean, "n_plastic": number}, {"branch": branch})

    def _first_pass(self, strain: float) -> int:
        """As `frame`; the warning is for the line that called what calls this."""
        stored = self._glass.tree["frames"].to_dataset()["strain"].values
        step = first_pass(stored, strain)
        if told := passed_again(stored, strain):
            warnings.warn(told.replace("--frame", "frame="), stacklevel=3)
        return step

    @staticmethod
    def _deformed(atoms: xr.Dataset) -> xr.Dataset:
        """The atoms, when their response has been measured."""
        if "d2min" not in atoms:
            raise NoInputError("no response in this store", code="E-STAGE-MISSING", hint="qsdask respond STORE")
        return atoms

    @staticmethod
    def _threshold(atoms: xr.Dataset, given: float | None) -> float:
        """D2min above which an atom is plastic, which has a default in angstrom^2 only."""
        unit = atoms["d2min"].attrs["units"]
        if given is None and unit != f"{ANGSTROM}^2":
            raise UsageError(
                f"D2min is in {unit} here, so that there is no default for the threshold",
                code="E-NO-DEFAULT",
                hint="give threshold=NUMBER",
            )
        return PLASTIC_ABOVE if given is None else given


def _qs(node: xr.DataTree) -> xr.DataTree | xr.DataArray | SoftnessAccessor:
    """What a node holds under the name ``qs``; where it holds nothing, the questions to the store that it is of."""
    if "qs" in node.variables or "qs" in node.children:
        return node["qs"]
    return SoftnessAccessor(next((one for one in (node, *node.parents) if "atoms" in one.children), node))


# Not `register_datatree_accessor`: it keeps its first answer, and a variable `qs` may come later.
xr.DataTree.qs = property(_qs)  # type: ignore[attr-defined]
