"""The tree of a store as its questions see it: atoms, frames, columns, wherever in a larger tree it hangs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from qsdask.analysis.slab import face_height, slab_mask
from qsdask.errors import NoInputError, UsageError
from qsdask.schema import group_at
from qsdask.space.box import Box
from qsdask.units import ANGSTROM
from qsdask.views.columns import alike, columns_in, named, softness_of

__all__ = ["GlassTree"]


class GlassTree:
    """A tree that `qsdask.open_store` gave, or xarray; answers are lazy unless they say otherwise."""

    def __init__(self, tree: xr.DataTree) -> None:
        self.tree = tree

    def atoms(self, model: str | None = None, step: int = 0) -> xr.Dataset:
        """Everything known per atom on one `atom` dimension; see `qsdask.views.accessor.SoftnessAccessor.atoms`."""
        frames, step = self.tree["frames"].to_dataset(), self.step(step)
        parts = [self.tree["atoms"].to_dataset(), frames[["position"]].isel(step=step, drop=True)]
        if "response" in self.tree.children:
            parts.append(self.tree["response/d2min"].to_dataset())
        if self.models(step):
            parts.append(self.tree[f"{group_at(step, 'softness')}/{self.model(model, step)}"].to_dataset())
        return xr.merge([part.drop_attrs(deep=False) for part in parts], join="exact", compat="no_conflicts")

    def cut(
        self, axis: str, centre: float | None, thickness: float | None, frame: int, model: str | None
    ) -> tuple[xr.Dataset, dict[str, Any]]:
        """Atoms of a slice with positions as read, and where it was cut: all that `qsdask.analysis.slab.slab_mask` takes."""
        if axis not in ("x", "y", "z"):
            raise UsageError(f"axis is {axis!r}, expected 'x', 'y' or 'z'", code="E-AXIS")
        atoms, box = self.at(frame, model), self.box(frame)
        where = {
            "cell": box.cell,
            "origin": box.origin,
            "periodic": box.periodic,
            "axis": axis,
            "centre": None if centre is None else face_height(centre, box.cell, box.origin, axis),
            "thickness": _thickness(atoms["position"].attrs["units"]) if thickness is None else thickness,
        }
        mask = xr.apply_ufunc(
            slab_mask,
            atoms["position"],
            input_core_dims=[["xyz"]],
            kwargs=where,
            dask="parallelized",
            output_dtypes=[bool],
        )
        return self.where(atoms, mask), where

    def at(self, frame: int, model: str | None) -> xr.Dataset:
        """What is known of the atoms in a frame: where they are and what they did there, and their undeformed structure."""
        step, atoms = self.step(frame), self.atoms(model)
        now = self.tree["frames"].to_dataset()["position"].isel(step=step, drop=True)
        return (atoms.isel(step=step) if "step" in atoms.dims else atoms).assign(position=now)

    def step(self, step: int) -> int:
        """A step counted from the first."""
        n_step = self.tree["frames"].sizes["step"]
        if not -n_step <= step < n_step:
            raise UsageError(f"step is {step}, the store has the steps 0 to {n_step - 1}", code="E-STEP")
        return step % n_step

    def box(self, frame: int) -> Box:
        """Box of a frame."""
        frames = self.tree["frames"].to_dataset()
        now = frames[["cell", "origin"]].isel(step=self.step(frame)).compute()
        return Box(now["cell"].values, now["origin"].values, frames["periodic"].values)

    def groups(self) -> list[str]:
        """Paths of the groups below this node."""
        top = self.tree.path.rstrip("/") + "/"
        return [node.path.removeprefix(top) for node in self.tree.subtree if node is not self.tree]

    def table(self, columns: Sequence[str], frame: int, model: str | None) -> xr.Dataset:
        """Id, element, position and columns of a frame, computed, without coordinates of the atoms."""
        step, tree = self.step(frame), self.tree
        groups = [g for g in self.groups() if g.partition("/")[0] not in ("atoms", "frames", "domains")]
        found = columns_in(
            groups,
            step,
            softness_of(groups, step, model),
            present=lambda place: place.rpartition("/")[2] in tree[place.rpartition("/")[0]].variables,
            names=lambda place: np.asarray(tree[place]).tolist(),
        )
        known, unknown = named(columns, found)
        if unknown:
            near = dict.fromkeys(name for one in unknown for name in alike(one, found))
            raise UsageError(
                f"no column {', '.join(unknown)} in frame {step}",
                code="E-COLUMN",
                why=f"these are alike: {', '.join(near)}" if near else None,
                hint=f"there are {len(found)} columns; 'qsdask export STORE --frame {step} --list' prints them",
            )
        atoms = tree["atoms"].to_dataset()
        parts = {
            "id": atoms["id"],
            "position": tree["frames"].to_dataset()["position"].isel(step=step),
            **{name: tree[found[name].array].isel(found[name].at(step)) for name in known},
            "species": atoms["species"],
        }
        table = xr.Dataset({name: part.variable for name, part in parts.items()}).compute()
        names = np.asarray(atoms["species_name"].values, np.str_)
        element = xr.Variable("atom", names[table["species"].values])
        return table.assign(element=element).drop_vars("species").assign_coords(xyz=list("xyz"))

    def models(self, step: int) -> list[str]:
        """Names of the softnesses of a frame."""
        place = group_at(step, "softness")
        return list(self.tree[place].children) if place in self.groups() else []

    def model(self, model: str | None = None, step: int = 0) -> str:
        """Name of the softness of a frame that is meant: the one named, or the only one.

        Raises
        ------
        NoInputError
            ``E-STAGE-MISSING`` when there is none.
        UsageError
            ``E-MODEL-NAME`` when it must be chosen.
        """
        step = self.step(step)
        names = self.models(step)
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
    def where(atoms: xr.Dataset, mask: xr.DataArray) -> xr.Dataset:
        """Rows where the mask holds; the mask alone is computed, the values stay lazy."""
        return atoms.isel(atom=np.flatnonzero(mask.values))


def _thickness(length: str) -> float:
    """Thickness of a slice that nobody gave, which there is in angstrom only."""
    if length != ANGSTROM:
        raise UsageError(
            f"lengths are in {length} here, so that there is no default for the thickness",
            code="E-NO-DEFAULT",
            hint="give thickness=NUMBER",
        )
    return 4.0
