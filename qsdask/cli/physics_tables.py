"""Tables of the commands about soft and hard atoms."""

from __future__ import annotations

import xarray as xr

from qsdask.cli.tables import print_legend, print_table
from qsdask.views.physics import (
    CLUSTERS,
    GLASS,
    HEADS,
    classes_told,
    cluster_rows,
    crossover_rows,
    packing_rows,
    spectrum_rows,
)

__all__ = ["print_activation", "print_contrast", "print_course", "print_packing", "print_spectrum"]


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


def print_activation(found: xr.Dataset) -> None:
    """Print what `qsdask.activation` found: a row per strain, the crossover, branches of a cyclic load, avalanches."""
    print_course(found)
    print_table("crossover, along the first loading", HEADS, crossover_rows(found))
    print_legend(
        "Breaks common to three lines along the strain: QS of the newly plastic atoms less that of the atoms at risk, localisation of "
        "D2, and localisation of plastic atoms, in blocks of space. They are told where they pay."
    )
    _confidence(found)
    if found.sizes["loading_branch"] > 1:
        told = zip(
            *(found[k].values.tolist() for k in ("loading_branch", "n_newly_branch", "qs_mean_newly_branch")),
            strict=True,
        )
        print_table("plastic for the first time, by branch of the loading", ("branch", "atoms", "QS"), list(told))
    largest = int(found["avalanche_largest"].values.argmax())
    if found["avalanche_largest"][largest] > 0:
        one = found.isel(step=largest)
        print_legend(
            f"Avalanches, neighbours that become plastic at one step: the largest has {one['avalanche_largest'].item():,} atoms at "
            f"strain {one['strain'].item():g}, with a mean QS of {one['avalanche_qs_largest'].item():.3f}."
        )


def print_course(found: xr.Dataset) -> None:
    """Print a row for each strain of what `qsdask.activation` found."""
    names = ("n_plastic", "n_newly", "n_activated", "qs_mean_plastic", "qs_mean_newly", "qs_mean_activated", "auc")
    # Eight columns just fit into 80 characters.
    heads = ("strain", "plastic", "newly", "activated", "QS\nplastic", "QS\nnewly", "QS\nactivated", "AUC")
    columns = [_strains(found), *(found[name].values.tolist() for name in names)]
    rows = [[None if value != value else value for value in row] for row in zip(*columns, strict=True)]
    mean = float(found["qs_mean_all"])
    print_table(f"activation (mean QS of all atoms {mean:.3f})", heads, rows)
    print_legend(
        "plastic: D2min above the threshold at this strain; newly: for the first time; activated: at this or an earlier "
        "strain. QS: mean of these atoms. AUC: how well QS ranks the plastic atoms before the others (0.5 is chance)."
    )


def _strains(found: xr.Dataset) -> list:
    """Strains of a table; where they do not tell the frames apart, with the frame and the branch."""
    strain = found["strain"].values.tolist()
    if found.attrs.get("along") != "frame":
        return strain
    names = found["branch"].attrs["flag_meanings"].split()
    told = zip(found["frame"].values, strain, found["branch"].values, strict=True)
    return [f"{frame}: {e:.4g} {names[branch]}" for frame, e, branch in told]


def print_packing(found: xr.Dataset) -> None:
    """Print what `qsdask.packing` found: dimensions beside what is published, then clusters."""
    around = "of the same class" if found.attrs["around"] == "own" else "of any class"
    sampled = f", from a sample of {found['centres'].values[2].max():,} centres" if found.attrs["sample"] else ""
    title = f"mass scaling M(r) ~ r^D: atoms {around} within r{sampled} ({classes_told(found)})"
    print_table(title, HEADS, packing_rows(found))
    _confidence(found)
    heads, rows = cluster_rows(found)
    unit = found.attrs.get("length", "angstrom")
    shell = next(value for name, value in found.attrs.items() if str(name).startswith("neighbours_within"))
    print_table(f"neighbours within {shell:g} {unit} of one class", heads, rows)
    print_legend(CLUSTERS)


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
    title = f"{n_hard:,} hard against {n_soft:,} soft atoms: {len(rows)} of {found.sizes['column']} columns ({classes_told(found)})"
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
