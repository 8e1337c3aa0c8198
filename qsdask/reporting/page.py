"""The report: one HTML file that holds everything it shows and opens without a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
from markupsafe import Markup

from qsdask.errors import CannotCreateError, storage_errors
from qsdask.files.durable import write_durable
from qsdask.files.taken import refuse_taken
from qsdask.reporting import crossover_figures, figures, model_figures, template, undeformed
from qsdask.reporting.contrast_figures import contrast_sheet
from qsdask.reporting.held_out import PUBLISHED, SCORES, is_known, parts_of_test
from qsdask.reporting.number import COUNT, PERCENT, PERCENT_FINE, SPACE, Form
from qsdask.reporting.physics import packing_panels
from qsdask.reporting.published import (
    CLUSTERS,
    GLASS,
    HEADS,
    classes_told,
    cluster_rows,
    crossover_rows,
    packing_rows,
    spectrum_rows,
)
from qsdask.reporting.softness_map import place_of, softness_map
from qsdask.reporting.style import at_strain, square, threshold_of
from qsdask.reporting.undeformed import Softness

__all__ = ["Report", "refuse_other_page", "render", "write_page"]

_PAPER = "Wang & Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9"
_LEAD = (
    "Quench-in softness (QS): the probability, read from the undeformed structure alone, that an atom will rearrange plastically "
    "under strain. Plastic is an atom whose D² (D²min), the motion of its neighbours that no uniform strain explains, is large."
)

#: Columns whose importance is shown.
_MOST = 12

#: The footer is within so many bytes from the end of a page.
_LAST_BYTES = 1000


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the report of one specimen shows.

    Attributes
    ----------
    title : str
        Heading of the page.
    specimen : mapping
        Names and values to list. The key ``"excluded"``, a mapping from reason to number of atoms, becomes a
        table of its own; ``"atoms"`` is shown at the top.
    model : mapping
        Names and values to list. The key ``"importance"``, triples of column, meaning and share, is drawn, as of
        ``"importance is the"``.
    scores : mapping
        Scores of the held-out glass by the names of `qsdask.reporting.held_out.SCORES`, each optional; ``"baselines"``, a mapping
        from name to a mapping with the same keys; ``"intervals"``, pairs by the same keys; ``"precision_recall"``, drawn as
        `qsdask.reporting.model_figures.precision_recall` takes it; ``"auc_rows"``, of what, how it was found and the value,
        and ``"auc_note"``; anything else is listed below.
    stages : sequence of mappings
        One row each; columns are the keys in order of first appearance, e.g. ``stage``, ``seconds``,
        ``tasks``.
    softness : Softness or None
        Instead of `scores`, `activation`, `spectrum` and `slice`, of a glass that was not deformed.
    activation, spectrum, slice : Dataset or None
        From ``finalise`` of the modules of `qsdask.analysis`; None leaves the pictures out.
    packing, contrast : Dataset or None
        Of `qsdask.packing` and `qsdask.contrast`; likewise.
    warnings : sequence
        Shown at the top.
    provenance : mapping
        Names and values to list.
    next_commands : sequence of str
        Commands to type next.
    making : mapping
        How the glass was made: names and values to list.
    """

    title: str
    specimen: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[Mapping[str, object]] = ()
    softness: Softness | None = None
    activation: xr.Dataset | None = None
    spectrum: xr.Dataset | None = None
    slice: xr.Dataset | None = None
    packing: xr.Dataset | None = None
    contrast: xr.Dataset | None = None
    warnings: Sequence[object] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    next_commands: Sequence[str] = ()
    making: Mapping[str, object] = field(default_factory=dict)


def render(report: Report) -> str:
    """The text of a page, whole: it opens without a network.

    It holds no time, no host and no version but those it is given: the same input gives the same bytes.
    """
    spectrum, excluded = report.spectrum, _excluded(report.specimen.get("excluded") or {})
    parts = [
        _opening(report),
        template.bullets("Warnings", report.warnings),
        *undeformed.sections(report.softness),
        template.section("Test on the held-out glass", *parts_of_test(report.scores)),
        template.section("Where plasticity happens", template.gallery(_response_pictures(report.slice, spectrum))),
        template.section(
            "Spectrum of softness", template.gallery(_spectrum_pictures(spectrum)), _spectrum_table(spectrum)
        ),
        template.section("How hard and soft atoms pack", *_packing(report.packing)),
        template.section("What sets soft atoms apart", _contrast(report.contrast)),
        template.section(
            "Activation with strain",
            template.gallery(_activation_pictures(report.activation)),
            template.columns(_avalanches(report.activation), _crossover_table(report.activation)),
        ),
        template.section(
            "Model",
            template.gallery(_ranking_pictures(spectrum, report.scores)),
            template.columns(_calibration(spectrum), _without(report.model, "importance", "importance is the")),
            _importance(report.model),
        ),
        template.section("Specimen", template.columns(_without(report.specimen, "excluded"), excluded)),
        template.section("How the glass was made", template.facts(report.making)),
        template.section("Stages", _stages(report.stages)),
        template.section("What to type next", template.commands(report.next_commands)),
        template.section("Provenance", template.facts(report.provenance)),
    ]
    return template.document(report.title, _LEAD, parts, f"Made by qsdask. Method and published values: {_PAPER}.")


def refuse_other_page(path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Refuse a place where something is that is no page of qsdask; its own pages are written again and again.

    Parameters
    ----------
    path : path-like
        File to be written.
    overwrite : bool
        Whether another file may be replaced.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS``, ``E-IN-STORE``.
    """
    refuse_taken(Path(path), overwrite=overwrite, ours=_is_page)


def _is_page(path: Path) -> bool:
    """Whether the first and the last words of a file are those of our pages; every version wrote them."""
    with storage_errors(path), path.open("rb") as file:
        first = file.read(len(template.FIRST))
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
        return first == template.FIRST.encode() and b"<footer>Made by qsdask. " in file.read()


def write_page(path: str | os.PathLike, page: str) -> Path:
    """Write a page in one step, or not at all.

    Parameters
    ----------
    path : path-like
        File; an existing one is replaced, see `refuse_other_page`.
    page : str
        Its text.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CannotCreateError
        ``E-REPORT-WRITE``.
    """
    path = Path(path)
    try:
        write_durable(path, page.encode("utf-8"))
    except OSError as error:
        raise CannotCreateError(
            f"the report cannot be written: {error.strerror or error}",
            code="E-REPORT-WRITE",
            file=path,
            hint="choose a file in a folder that exists and is writable, with --out",
        ) from error
    return path


def _opening(report: Report) -> Markup:
    """The first screen: a slice of the glass beside the chief numbers."""
    softness = report.softness
    slab = report.slice if softness is None else softness.slice
    picture = Markup()
    if slab is not None:
        name = "softness-map" if softness is not None else "softness-and-d2"
        where, strained = place_of(slab), at_strain(slab).removeprefix(" at ")
        how = f". Loaded by {slab.attrs.get('loading') or 'an unknown deformation'}, to {strained}" if strained else ""
        picture = template.captioned(name, softness_map(slab), "png", more=f"{where[0].upper()}{where[1:]}{how}.")
    return template.opening(picture, template.tiles(_tiles(report)))


def _tiles(report: Report) -> list[tuple[str, object, str]]:
    scores, spectrum = report.scores, report.spectrum
    items: list[tuple[str, object, str]] = []
    if is_known(report.specimen.get("atoms")):
        items.append(("Atoms", report.specimen["atoms"], "in this glass"))
    for name, title, what in (
        ("auc_roc", "AUC-ROC of QS", "chance that a plastic atom is softer than another"),
        ("recall", "Recall", "plastic atoms with QS > 0.5"),
    ):
        if is_known(scores.get(name)):
            form = SCORES[name].form
            interval = form.between((scores.get("intervals") or {}).get(name))
            sure = f"95 %: {interval}; " if interval else ""
            items.append((title, form(scores[name]), f"{what}; {sure}published {form(PUBLISHED[name])}"))
    if spectrum is not None:
        where = f"D² > {threshold_of(spectrum):g}{SPACE}{square(spectrum)}{at_strain(spectrum)}"
        items.append(("Plastic atoms", PERCENT_FINE(spectrum["p_plastic_all"].item()), where))
        items += undeformed.spread_tiles(spectrum)
    if report.softness is not None:
        items += undeformed.tiles(report.softness)
    return items


def _excluded(excluded: Mapping[str, object]) -> Markup:
    return template.table(["Atoms left out", "Number"], list(excluded.items())) if excluded else Markup()


def _without(pairs: Mapping[str, object], *left_out: str) -> Markup:
    return template.facts({name: value for name, value in pairs.items() if name not in left_out})


def _stages(stages: Sequence[Mapping[str, object]]) -> Markup:
    columns = list(dict.fromkeys(key for stage in stages for key in stage))
    if not columns:
        return Markup()
    head = [str(name).replace("_", " ") for name in columns]
    return template.table(head, [[_seconds(key, stage.get(key)) for key in columns] for stage in stages])


def _seconds(name: str, value: object) -> object:
    return Form(".1f")(value) if name == "seconds" else value


def _response_pictures(slab, spectrum) -> list[Markup]:
    shown = []
    if slab is not None:
        shown.append(template.captioned("slice", figures.slice_map(slab), "png"))
    if spectrum is not None:
        shown.append(template.captioned("predicted-given-d2", figures.predicted_given_d2(spectrum)))
    return shown


def _spectrum_pictures(spectrum) -> list[Markup]:
    if spectrum is None:
        return []
    return [
        template.captioned("softness-distribution", figures.softness_distribution(spectrum)),
        template.captioned("plastic-given-softness", figures.plastic_given_softness(spectrum)),
    ]


def _activation_pictures(activation) -> list[Markup]:
    if activation is None:
        return []
    shown = [
        template.captioned("activation-softness", figures.activation_softness(activation)),
        template.captioned("activation-auc", figures.activation_auc(activation)),
        template.captioned("activation-deciles", figures.activation_deciles(activation)),
    ]
    if "crossover" in activation:
        shown.append(template.captioned("localisation", crossover_figures.localisation(activation)))
    return shown


def _avalanches(activation) -> Markup:
    if activation is None or "crossover" not in activation:
        return Markup()
    return template.captioned("avalanches", crossover_figures.avalanche_sizes(activation))


def _packing(packing) -> tuple[Markup, ...]:
    if packing is None:
        return ()
    (heads, rows), told = cluster_rows(packing), classes_told(packing)
    sampled = f" From a sample of {COUNT(packing.attrs['sample'])} centres." if packing.attrs["sample"] else ""
    return (
        template.gallery([template.captioned(name, draw(None)) for name, draw in packing_panels(packing)]),
        template.table(
            HEADS, packing_rows(packing), caption=f"{told[0].upper()}{told[1:]}. Published: {GLASS}.{sampled}"
        ),
        template.table(heads, rows, caption=CLUSTERS),
    )


def _contrast(contrast) -> Markup:
    if contrast is None:
        return Markup()
    # Two pictures side by side are large enough to be read.
    halves = [contrast.isel(column=slice(first, first + 4)) for first in (0, 4)]
    return template.gallery(
        [template.captioned("contrast", contrast_sheet(of, across=2)) for of in halves if of.sizes["column"]]
    )


def _crossover_table(activation) -> Markup:
    if activation is None or "crossover" not in activation:
        return Markup()
    return template.table(HEADS, crossover_rows(activation), caption=f"Along the first loading. Published: {GLASS}.")


def _ranking_pictures(spectrum, scores) -> list[Markup]:
    shown = []
    if spectrum is not None:
        interval = (scores.get("intervals") or {}).get("auc_roc")
        shown.append(template.captioned("roc", model_figures.roc(spectrum, interval)))
    if curve := scores.get("precision_recall"):
        shown.append(template.captioned("precision-recall", model_figures.precision_recall(curve)))
    return shown


def _calibration(spectrum) -> Markup:
    return Markup() if spectrum is None else template.captioned("calibration", model_figures.calibration(spectrum))


def _importance(model: Mapping[str, Any]) -> Markup:
    """The columns that the model looks at most, by their meaning, with bars."""
    ranking = list(model.get("importance") or ())[:_MOST]
    if not ranking:
        return Markup()
    longest = max(share for _, _, share in ranking) or 1.0
    rows = [
        (
            template.titled(meaning, name),
            "mro" if str(name).startswith("mro") else "sro",
            PERCENT(share),
            100 * share / longest,
        )
        for name, meaning, share in ranking
    ]
    measure = model.get("importance is the", "share")
    caption = (
        f"The {len(rows)} most important columns, mean over the fold models. Blue: short range, an atom and its neighbours; orange: "
        "medium range, statistics of these over the neighbours. Below each, its name in the store."
    )
    return template.bars(["What the column is", str(measure)[:1].upper() + str(measure)[1:]], rows, caption=caption)


def _spectrum_table(spectrum) -> Markup:
    if spectrum is None:
        return Markup()
    caption = f"Published: {GLASS}, at 4{SPACE}% strain. Confidence by draws of blocks of space."
    return template.table(HEADS, spectrum_rows(spectrum), caption=caption)
