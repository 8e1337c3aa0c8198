"""The `.qs` accessor: what people ask of a store at once, answered lazily."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from qsdask.errors import NoInputError, UsageError
from qsdask.schema import group_at
from qsdask.settings.defaults import HARD_BELOW, LABEL_STRAIN, PLASTIC_ABOVE, SOFT_ABOVE
from qsdask.space.strain import branch_name, branches, first_pass, passed_again

__all__ = ["SoftnessAccessor"]


@xr.register_datatree_accessor("qs")
class SoftnessAccessor:
    """Questions to a specimen's store; every answer is lazy until computed.

    Examples
    --------
    >>> tree = qsdask.open_store("glass7.zarr")  # doctest: +SKIP
    >>> tree.qs.soft(0.7)["qs"].mean().compute()  # doctest: +SKIP
    """

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

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
        frames, step = self._tree["frames"].to_dataset(), self._step(step)
        parts = [self._tree["atoms"].to_dataset(), frames[["position"]].isel(step=step, drop=True)]
        if "response" in self._tree.children:
            parts.append(self._tree["response/d2min"].to_dataset())
        if self._models(step):
            parts.append(self._tree[f"{group_at(step, 'softness')}/{self._model(model, step)}"].to_dataset())
        return xr.merge([part.drop_attrs(deep=False) for part in parts], join="exact", compat="no_conflicts")

    def slab(self, axis: str, centre: float, thickness: float) -> xr.Dataset:
        """Atoms of the undeformed glass in a slice.

        Parameters
        ----------
        axis : {"x", "y", "z"}
            Normal of the slice.
        centre, thickness : float
            Unit: angstrom.

        Returns
        -------
        xarray.Dataset
            The rows of `atoms` inside; positions as read, not wrapped.
        """
        if axis not in ("x", "y", "z"):
            raise UsageError(f"axis is {axis!r}, expected 'x', 'y' or 'z'", code="E-AXIS")
        atoms = self.atoms()
        coordinate = atoms["position"].sel(xyz=axis)
        return self._where(atoms, abs(coordinate - centre) <= thickness / 2)

    def soft(self, threshold: float = SOFT_ABOVE, model: str | None = None) -> xr.Dataset:
        """Atoms with QS above `threshold`: the most liquid-like ones."""
        atoms = self.atoms(self._model(model))
        return self._where(atoms, atoms["qs"] > threshold)

    def hard(self, threshold: float = HARD_BELOW, model: str | None = None) -> xr.Dataset:
        """Atoms with QS below `threshold`: the most solid-like ones."""
        atoms = self.atoms(self._model(model))
        return self._where(atoms, atoms["qs"] < threshold)

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
        self, strain: float = LABEL_STRAIN, threshold: float = PLASTIC_ABOVE, frame: int | None = None
    ) -> xr.Dataset:
        """Atoms whose D2min exceeds a threshold at a strain.

        Parameters
        ----------
        strain : float
            A fraction. The frame in which it is first passed is taken, with a warning where it is passed again.
        threshold : float
            Unit: angstrom^2.
        frame : int, optional
            Instead of `strain`; negative ones count from the end.

        Returns
        -------
        xarray.Dataset
            Rows of `atoms`, at this frame.

        Raises
        ------
        BadDataError
            ``E-STRAIN`` when no frame was stored at the strain.
        UsageError
            ``E-STEP`` when the store has no such frame.
        """
        atoms = self._deformed(self.atoms())
        now = atoms.isel(step=self._first_pass(strain) if frame is None else self._step(frame))
        return self._where(now, now["valid"] & (now["d2min"] > threshold))

    def activation(self, threshold: float = PLASTIC_ABOVE, model: str | None = None) -> xr.Dataset:
        """Mean QS of the atoms plastic at each strain, and their number.

        Parameters
        ----------
        threshold : float
            D2min above which an atom is plastic. Unit: angstrom^2.
        model : str, optional
            Name of the softness.

        Returns
        -------
        xarray.Dataset
            ``qs_plastic(step)`` and ``n_plastic(step)``, with strain and branch (loading, unloading, loading-2);
            `qsdask.activation` gives the full analysis.
        """
        atoms = self._deformed(self.atoms(self._model(model)))
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
        stored = self._tree["frames"].to_dataset()["strain"].values
        step = first_pass(stored, strain)
        if told := passed_again(stored, strain):
            warnings.warn(told.replace("--frame", "frame="), stacklevel=3)
        return step

    def _step(self, step: int) -> int:
        """A step counted from the first."""
        n_step = self._tree["frames"].sizes["step"]
        if not -n_step <= step < n_step:
            raise UsageError(f"step is {step}, the store has the steps 0 to {n_step - 1}", code="E-STEP")
        return step % n_step

    def _models(self, step: int) -> list[str]:
        place = group_at(step, "softness")
        return list(self._tree[place].children) if f"/{place}" in self._tree.groups else []

    def _model(self, model: str | None, step: int = 0) -> str:
        names = self._models(step)
        if model in names:
            return str(model)
        if model is None and len(names) == 1:
            return names[0]
        if not names:
            raise NoInputError(
                "no softness in this store", code="E-STAGE-MISSING", hint="qsdask predict STORE --model MODEL"
            )
        raise UsageError(f"choose the model: {', '.join(names)}", code="E-MODEL-NAME")

    @staticmethod
    def _deformed(atoms: xr.Dataset) -> xr.Dataset:
        """The atoms, when their response has been measured."""
        if "d2min" not in atoms:
            raise NoInputError("no response in this store", code="E-STAGE-MISSING", hint="qsdask respond STORE")
        return atoms

    @staticmethod
    def _where(atoms: xr.Dataset, mask: xr.DataArray) -> xr.Dataset:
        """Rows where the mask holds; the mask alone is computed, the values stay lazy."""
        return atoms.isel(atom=np.flatnonzero(mask.values))
