"""The report: one HTML file that holds everything it shows and opens without a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qsdask.errors import CannotCreateError, storage_errors
from qsdask.files.durable import write_durable
from qsdask.files.taken import refuse_taken
from qsdask.reporting import crossover_figures, figures, model_figures, template, undeformed
from qsdask.reporting.contrast_figures import contrast_sheet
from qsdask.reporting.gallery import captioned, gallery
from qsdask.reporting.physics import packing_panels
from qsdask.reporting.published import GLASS, HEADS, cluster_rows, crossover_rows, packing_rows, spectrum_rows
from qsdask.reporting.style import at_strain, square, threshold_of
from qsdask.reporting.undeformed import Softness

__all__ = ["Report", "refuse_other_page", "render", "write_page"]

_PAPER = "Wang & Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9"
_LEAD = (
    "Quench-in softness (QS): the probability, read from the undeformed structure alone, that an atom will "
    "rearrange plastically under strain."
)

_SCORES = (
    ("auc_roc", "AUC-ROC"),
    ("auc_roc_std", "± over models"),
    ("average_precision", "Average precision"),
    ("recall", "Recall at QS > 0.5"),
)
#: What the paper gives for its held-out glass.
_PUBLISHED_SCORES = {"auc_roc": 0.771, "recall": 0.742}

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
        Names and values to list. The key ``"importance"``, pairs of feature and importance, is drawn.
    scores : mapping
        ``auc_roc``, ``auc_roc_std``, ``average_precision``, ``recall`` of the held-out glass, each optional;
        ``"baselines"``, a mapping from name to a mapping with the same keys; ``"intervals"``, pairs by the same keys;
        ``"precision_recall"``, drawn as `qsdask.reporting.model_figures.precision_recall` takes it; anything else is listed
        below.
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
    spectrum, importance = report.spectrum, list(report.model.get("importance") or ())
    excluded = _excluded(report.specimen.get("excluded") or {})
    parts = [
        _headline(report.specimen, report.scores, spectrum, report.softness),
        template.bullets("Warnings", report.warnings),
        *undeformed.sections(report.softness),
        template.section("Test on the held-out glass", _scores(report.scores), _other_scores(report.scores)),
        template.section("Where plasticity happens", gallery(_response_pictures(report.slice, spectrum))),
        template.section("Spectrum of softness", gallery(_spectrum_pictures(spectrum)), _spectrum_table(spectrum)),
        template.section("How hard and soft atoms pack", *_packing(report.packing)),
        template.section("What sets soft atoms apart", _contrast(report.contrast)),
        template.section(
            "Activation with strain",
            gallery(_activation_pictures(report.activation)),
            _crossover_table(report.activation),
        ),
        template.section(
            "Model",
            gallery(_model_pictures(spectrum, report.scores, importance, report.model)),
            _facts(report.model, "importance"),
        ),
        template.section("Specimen", _columns(_facts(report.specimen, "excluded"), excluded)),
        template.section("How the glass was made", _facts(report.making)),
        template.section("Stages", _stages(report.stages)),
        template.section("What to type next", template.commands(report.next_commands)),
        template.section("Provenance", _facts(report.provenance)),
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


def _known(value: object) -> bool:
    return value is not None and not (isinstance(value, float | np.floating) and np.isnan(value))


def _headline(specimen, scores, spectrum, softness) -> str:
    items = []
    if _known(specimen.get("atoms")):
        items.append(("Atoms", specimen["atoms"], "in this glass"))
    if _known(scores.get("auc_roc")):
        items.append(("AUC-ROC", f"{scores['auc_roc']:.3f}", f"published {_PUBLISHED_SCORES['auc_roc']}"))
    if _known(scores.get("recall")):
        items.append(("Recall", f"{scores['recall']:.3f}", f"published {_PUBLISHED_SCORES['recall']}"))
    if spectrum is not None:
        where = f"D² > {threshold_of(spectrum):g} {square(spectrum)}"
        where += at_strain(spectrum)
        items.append(("Plastic atoms", _percent(spectrum["p_plastic_all"], 2), where))
        items.append(("Spread of QS", f"{spectrum['qs_std'].item():.3f}", "std; published 0.230"))
    if softness is not None:
        items += undeformed.tiles(softness)
    return template.tiles(items) if items else ""


def _percent(fraction: xr.DataArray, digits: int) -> str:
    return f"{100.0 * fraction.item():.{digits}f} %"


def _scores(scores) -> str:
    rows = [("this model", scores), *(dict(scores.get("baselines") or {}).items())]
    columns = [(key, name) for key, name in _SCORES if any(_known(row.get(key)) for _, row in rows)]
    if not columns:
        return ""
    rows.append((f"published: {GLASS}", _PUBLISHED_SCORES))
    cells = [[name, *(_rounded(row.get(key)) for key, _ in columns)] for name, row in rows]
    if intervals := scores.get("intervals"):
        cells.insert(1, ["95 % confidence", *(_ends(intervals.get(key)) for key, _ in columns)])
    caption = (
        "On a glass the model has never seen, without undersampling. Baselines do not look at the structure: "
        "random calls every second atom plastic, most frequent calls none, minority calls all."
    )
    return template.table(["", *(name for _, name in columns)], cells, caption=caption, chief=[0])


def _rounded(value: Any) -> float | None:
    return round(float(value), 4) if _known(value) else None


def _ends(interval: Any) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval and all(map(_known, interval)) else ""


def _other_scores(scores) -> str:
    shown = {key for key, _ in _SCORES} | {"baselines", "intervals", "precision_recall"}
    return _facts({k: v for k, v in scores.items() if k not in shown})


def _facts(pairs, *without) -> str:
    pairs = {k: v for k, v in pairs.items() if k not in without}
    return template.facts(pairs) if pairs else ""


def _columns(*parts: str) -> str:
    body = "\n".join(f"<div>{part}</div>" for part in parts if part)
    return f'<div class="columns">{body}</div>' if body else ""


def _excluded(excluded) -> str:
    return template.table(["Atoms left out", "Number"], list(excluded.items())) if excluded else ""


def _stages(stages) -> str:
    columns = list(dict.fromkeys(key for stage in stages for key in stage))
    if not columns:
        return ""
    head = [str(name).replace("_", " ") for name in columns]
    return template.table(head, [[stage.get(key) for key in columns] for stage in stages])


def _response_pictures(slab, spectrum) -> list[str]:
    shown = []
    if slab is not None:
        shown.append(captioned("slice", figures.slice_map(slab), "png"))
    if spectrum is not None:
        shown.append(captioned("predicted-given-d2", figures.predicted_given_d2(spectrum)))
    return shown


def _spectrum_pictures(spectrum) -> list[str]:
    if spectrum is None:
        return []
    return [
        captioned("softness-distribution", figures.softness_distribution(spectrum)),
        captioned("plastic-given-softness", figures.plastic_given_softness(spectrum)),
    ]


def _activation_pictures(activation) -> list[str]:
    if activation is None:
        return []
    return [
        captioned("activation-softness", figures.activation_softness(activation)),
        captioned("activation-auc", figures.activation_auc(activation)),
        captioned("activation-deciles", figures.activation_deciles(activation)),
        *(
            captioned(name, draw(activation))
            for name, draw in (
                ("localisation", crossover_figures.localisation),
                ("avalanches", crossover_figures.avalanche_sizes),
            )
            if "crossover" in activation
        ),
    ]


def _packing(packing) -> tuple[str, ...]:
    if packing is None:
        return ()
    heads, *rows = cluster_rows(packing)
    sampled = f" From a sample of {packing.attrs['sample']:,} centres." if packing.attrs["sample"] else ""
    return (
        gallery([captioned(name, draw(None)) for name, draw in packing_panels(packing)]),
        template.table(HEADS, packing_rows(packing), caption=f"Published: {GLASS}.{sampled}"),
        template.table(
            heads, rows, caption="Clusters of neighbours of one class, and of as many atoms taken at random."
        ),
    )


def _contrast(contrast) -> str:
    if contrast is None:
        return ""
    # Two pictures side by side are large enough to be read.
    halves = [contrast.isel(column=slice(first, first + 4)) for first in (0, 4)]
    return gallery([captioned("contrast", contrast_sheet(of, across=2)) for of in halves if of.sizes["column"]])


def _crossover_table(activation) -> str:
    if activation is None or "crossover" not in activation:
        return ""
    return template.table(HEADS, crossover_rows(activation), caption=f"Along the first loading. Published: {GLASS}.")


def _model_pictures(spectrum, scores, importance, model) -> list[str]:
    shown = []
    if spectrum is not None:
        shown.append(captioned("roc", model_figures.roc(spectrum)))
    if curve := scores.get("precision_recall"):
        shown.append(captioned("precision-recall", model_figures.precision_recall(curve)))
    if spectrum is not None:
        shown.append(captioned("calibration", model_figures.calibration(spectrum)))
    if importance:
        unit = str(model.get("importance is the", "share"))
        shown.append(captioned("importance", model_figures.importance(importance, unit=unit)))
    return shown


def _spectrum_table(spectrum) -> str:
    if spectrum is None:
        return ""
    caption = f"Published: {GLASS}, at 4 % strain. Confidence by draws of blocks of space."
    return template.table(HEADS, spectrum_rows(spectrum), caption=caption)
