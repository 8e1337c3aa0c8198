"""Tables of the commands about soft and hard atoms."""

from __future__ import annotations

import xarray as xr

from qsdask.cli.tables import print_legend, print_table
from qsdask.views.physics import GLASS, HEADS, cluster_rows, packing_rows, spectrum_rows

__all__ = ["print_contrast", "print_packing", "print_spectrum"]


def print_spectrum(found: xr.Dataset) -> None:
    """Print what `qsdask.spectrum` found: the chief quantities beside the published ones, then a row for each range of QS."""
    strain, moment = found["strain"].item(), found.attrs["moment"]
    at = f", plastic at strain {strain:g}" + f" ({moment})" * bool(moment) if strain == strain else ""
    print_table(f"softness of {found['n_usable'].item():,} atoms{at}", HEADS, spectrum_rows(found))
    _confidence(found)
    if strain != strain:
        print_legend("No response is known, or none was asked for: nothing is told of plasticity.")
        return
    rows = []
    for k in range(found.sizes["wide_bin"]):
        one = found.isel(wide_bin=k)
        if one["n_observed"] == 0:
            continue
        ends = one["p_ratio_interval"].values
        rows.append(
            (
                f"{one['wide_lower'].item():.2f} to {one['wide_upper'].item():.2f}",
                one["n_observed"].item(),
                f"{one['p_plastic'].item():.2%}",
                f"{one['p_ratio'].item():.2f}",
                f"{ends[0]:.2f} to {ends[1]:.2f}" if (ends == ends).all() else "",
                f"{one['p_balanced'].item():.3f}",
            )
        )
    heads = ("QS", "atoms", "P(plastic | QS)", "/ P(plastic)", "95 %", "at equal classes")
    print_table("how often atoms of each softness are plastic", heads, rows)
    print_legend(
        "/ P(plastic): how many times likelier than any atom. At equal classes: as if as many atoms were plastic as not, which is "
        "what models learn from; a calibrated one has the QS there."
    )


def print_packing(found: xr.Dataset) -> None:
    """Print what `qsdask.packing` found: dimensions beside what is published, then clusters."""
    around = "of the same class" if found.attrs["around"] == "own" else "of any class"
    sampled = f", from a sample of {found['centres'].values[2].max():,} centres" if found.attrs["sample"] else ""
    print_table(f"mass scaling M(r) ~ r^D: atoms {around} within r{sampled}", HEADS, packing_rows(found))
    _confidence(found)
    heads, *rows = cluster_rows(found)
    unit = found.attrs.get("length", "angstrom")
    shell = next(value for name, value in found.attrs.items() if str(name).startswith("neighbours_within"))
    print_table(f"neighbours within {shell:g} {unit} of one class", heads, rows)
    print_legend(
        "largest: its atoms, and their share of all of the class; of an atom: atoms in the cluster of an atom, on average; alone: "
        "without a neighbour of the class; goes through: along a cell vector it meets its own image, or goes from end to end."
    )


def print_contrast(found: xr.Dataset, most: int) -> None:
    """Print what `qsdask.contrast` found: the most separating columns first."""
    rows = []
    for k in range(min(most, found.sizes["column"])):
        one = found.isel(column=k)
        ends = one["auc_interval"].values
        rows.append(
            (
                str(one["meaning"].item()),
                *(f"{one['median'].sel({'class': name}).item():.3g}" for name in ("hard", "soft")),
                f"{one['auc'].item():.3f}",
                f"{ends[0]:.3f} to {ends[1]:.3f}" if (ends == ends).all() else "",
                f"{one['cohen_d'].item():+.2f}",
                str(one["column"].item()),
            )
        )
    n_hard, n_soft = found["n_known"].max("column").values
    title = f"{n_hard:,} hard against {n_soft:,} soft atoms: {len(rows)} of {found.sizes['column']} columns"
    print_table(title, ("what differs most", "hard", "soft", "AUC", "95 %", "d", "column"), rows)
    print_legend(
        "hard, soft: medians. AUC: chance that a soft atom has the larger value; 0.5 where they are alike, 0 and 1 where they do not "
        "overlap. d: difference of the means by the pooled standard deviation."
    )
    _confidence(found)


def _confidence(found: xr.Dataset) -> None:
    print_legend(
        f"Confidence: bootstrap over {found.attrs['blocks']} blocks of space of {found.attrs['block_edge']:.3g} "
        f"{found.attrs.get('length', 'angstrom')}. Published: {GLASS}."
    )
