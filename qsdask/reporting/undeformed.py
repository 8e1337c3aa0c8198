"""What a page tells of a glass of which nobody knows what its atoms did: how soft it is, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from qsdask.reporting import figures, template
from qsdask.reporting.gallery import captioned, gallery
from qsdask.reporting.softness_map import softness_map

__all__ = ["Softness", "sections", "tiles"]


@dataclass(frozen=True, kw_only=True)
class Softness:
    """Softness of a glass of which nobody knows what its atoms did.

    Attributes
    ----------
    distribution : Dataset
        From `qsdask.analysis.distribution.finalise`.
    slice : Dataset
        From `qsdask.analysis.slab.join`.
    spots : mapping
        Of `qsdask.views.soft_spots.soft_spots`: ``trained``, ``clusters``, ``n_cluster``, ``outside`` and ``verdict``.
    unit : str
        Sign of the unit of lengths.
    """

    distribution: xr.Dataset
    slice: xr.Dataset
    spots: Mapping[str, Any]
    unit: str


def tiles(softness: Softness) -> list[tuple[str, object, str]]:
    """The few numbers that a reader looks for first."""
    found, share = softness.distribution, softness.spots["outside"]
    hard, soft = (_told(found[f"fraction_{name}"].item(), 1) for name in ("hard", "soft"))
    items: list[tuple[str, object, str]] = [
        ("Soft atoms", soft, f"QS > {found.attrs['soft_above']:g}"),
        ("Hard atoms", hard, f"QS < {found.attrs['hard_below']:g}"),
        ("Spread of QS", _told(found["qs_std"].item(), None), "std; published 0.230"),
    ]
    if share is not None:
        items.append(("Unlike the training atoms", _told(share, 1), "of the atoms; 1 % of those were"))
    return items


def sections(softness: Softness | None) -> list[str]:
    """Sections of the page: softness, clusters, whether the model knows such glasses; none where there is nothing to show."""
    if softness is None:
        return []
    found, spots = softness.distribution, softness.spots
    trained = spots["trained"]
    rows = [
        (name, _told(value, digits), _told(trained[key], digits) if key in trained else None)
        for name, value, key, digits in (
            ("Mean QS", found["qs_mean"].item(), "mean", None),
            ("Standard deviation of QS", found["qs_std"].item(), "std", None),
            (f"Atoms with QS < {found.attrs['hard_below']:g}", found["fraction_hard"].item(), "hard", 1),
            (f"Atoms with QS > {found.attrs['soft_above']:g}", found["fraction_soft"].item(), "soft", 1),
        )
    ]
    likelier = (
        "In the training glasses soft atoms were "
        f"{trained['times_likelier']:.3g} times likelier to rearrange than hard ones."
        if "times_likelier" in trained
        else ""
    )
    table = template.table(["Quantity", "This glass", "Training glasses"], rows, caption=likelier)
    pictures = [
        captioned("softness-map", softness_map(softness.slice), "png"),
        captioned("softness-distribution", figures.softness_distribution(found)),
    ]
    return [
        template.section("Softness", gallery(pictures), table),
        template.section("Clusters of soft atoms", _clusters(spots, softness.unit)),
        template.section(
            "Does the model know such glasses?",
            template.paragraph(f"{spots['verdict'][0].upper()}{spots['verdict'][1:]}."),
        ),
    ]


def _told(number: float, digits: int | None) -> str:
    """A share with so many digits, or a plain number."""
    return f"{number:.3f}" if digits is None else f"{100.0 * number:.{digits}f} %"


def _clusters(spots: Mapping[str, Any], unit: str) -> str:
    if spots["n_cluster"] is None:
        return template.paragraph("There are too many soft atoms to look for clusters.")
    rows = [
        (str(k), row["size"], ", ".join(f"{x:.1f}" for x in row["centre"]))
        for k, row in enumerate(spots["clusters"], 1)
    ]
    caption = (
        f"The largest of {spots['n_cluster']:,} groups of neighbouring soft atoms, those near free surfaces included."
    )
    return template.table(["Cluster", "Atoms", f"Centre ({unit})"], rows, caption=caption) if rows else ""
