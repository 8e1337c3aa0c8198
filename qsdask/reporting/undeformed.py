"""What a page tells of a glass of which nobody knows what its atoms did: how soft it is, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr
from markupsafe import Markup

from qsdask.reporting import figures, template
from qsdask.reporting.number import COUNT, PERCENT, SCORE, SHORT, SPACE, Form

__all__ = ["Softness", "sections", "spread_tiles", "tiles"]


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
    share = softness.spots["outside"]
    known = (
        [] if share is None else [("Unlike the training atoms", PERCENT(share), f"of the atoms; 1{SPACE}% is usual")]
    )
    return [*spread_tiles(softness.distribution), *known]


def spread_tiles(found: xr.Dataset) -> list[tuple[str, object, str]]:
    """How hard, how soft and how heterogeneous a glass is, beside the published one; of a distribution or a spectrum."""
    return [
        (
            "Soft atoms",
            PERCENT(found["fraction_soft"].item()),
            f"QS > {found.attrs['soft_above']:g}; published 11{SPACE}%",
        ),
        (
            "Hard atoms",
            PERCENT(found["fraction_hard"].item()),
            f"QS < {found.attrs['hard_below']:g}; published 13{SPACE}%",
        ),
        ("Spread of QS", SCORE(found["qs_std"].item()), f"standard deviation; published {SCORE(0.23)}"),
    ]


def sections(softness: Softness | None) -> list[Markup]:
    """Sections of the page: softness, clusters, whether the model knows such glasses; none where there is nothing to show."""
    if softness is None:
        return []
    found, spots = softness.distribution, softness.spots
    trained = spots["trained"]
    rows = [
        (name, form(value), form(trained[key]) if key in trained else None)
        for name, value, key, form in (
            ("Mean QS", found["qs_mean"].item(), "mean", SCORE),
            ("Standard deviation of QS", found["qs_std"].item(), "std", SCORE),
            (f"Atoms with QS < {found.attrs['hard_below']:g}", found["fraction_hard"].item(), "hard", PERCENT),
            (f"Atoms with QS > {found.attrs['soft_above']:g}", found["fraction_soft"].item(), "soft", PERCENT),
        )
    ]
    likelier = (
        "In the training glasses soft atoms were "
        f"{SHORT(trained['times_likelier'])} times likelier to rearrange than hard ones."
        if "times_likelier" in trained
        else ""
    )
    table = template.table(["Quantity", "This glass", "Training glasses"], rows, caption=likelier)
    picture = template.captioned("softness-distribution", figures.softness_distribution(found))
    return [
        template.section("Softness", template.columns(picture, table)),
        template.section("Clusters of soft atoms", _clusters(spots, softness.unit)),
        template.section(
            "Does the model know such glasses?",
            template.paragraph(f"{spots['verdict'][0].upper()}{spots['verdict'][1:]}."),
        ),
    ]


def _clusters(spots: Mapping[str, Any], unit: str) -> Markup:
    if spots["n_cluster"] is None:
        return template.paragraph("There are too many soft atoms to look for clusters.")
    rows = [
        (str(k), row["size"], ", ".join(Form(".1f")(x) for x in row["centre"]))
        for k, row in enumerate(spots["clusters"], 1)
    ]
    number = COUNT(spots["n_cluster"])
    caption = f"The largest of {number} groups of neighbouring soft atoms, those near free surfaces included."
    return template.table(["Cluster", "Atoms", f"Centre ({unit})"], rows, caption=caption) if rows else Markup()
