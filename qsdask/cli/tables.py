"""What the commands print: tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qsdask.cli.feature_options import settings_of
from qsdask.quantity import IteratedQuantity, medium_range
from qsdask.settings import FeatureSettings, first_line, validated
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.stages.features import quantity_of, set_names
from qsdask.units import symbol
from qsdask.views.compare import ensemble_rows, has_replicas
from qsdask.views.info import state_of, surface_text
from qsdask.views.own_scores import rows_of_label

if TYPE_CHECKING:
    from qsdask.care.check import Findings

#: Columns of text of a file or a pipe: nothing is folded there.
_UNLIMITED = 10_000

__all__ = [
    "duration",
    "print_comparison",
    "print_estimate",
    "print_feature_sets",
    "print_findings",
    "print_info",
    "print_legend",
    "print_run",
    "print_scores",
    "print_soft_spots",
    "print_specimens",
    "print_table",
    "print_written",
    "size",
]


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers to the right.

    Parameters
    ----------
    title : str
        Heading.
    columns : sequence of str
        Column heads.
    rows : sequence of sequences
        Cells; floats are shown with four digits.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="", show_header=any(columns))
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        # Names stand first, and may be copied: they stay in one piece as long as there is room.
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console = Console()
    if not console.is_terminal:
        console.width = _UNLIMITED
    console.print(table)


def print_info(found: Mapping) -> None:
    """Print what `qsdask.info` found."""
    specimen = found["specimen"]
    if specimen:
        rows = [
            ("name", specimen["name"]),
            ("atoms", f"{specimen['atoms']:,}"),
            ("frames", specimen["steps"]),
            ("strain", f"{specimen['strain'][0]:g} to {specimen['strain'][1]:g}"),
            *([("loading", specimen["loading"])] if specimen["loading"] else []),
            ("lengths", specimen["units"]),
            ("species", ", ".join(f"{k} {v:.1%}" for k, v in specimen["species"].items())),
            ("domains", specimen["domains"]),
            ("periodic", ", ".join("yes" if p else "no" for p in specimen["periodic"])),
            ("free surfaces", surface_text(specimen["surface"])),
        ]
        print_table(found["store"], ("", ""), rows)
    stages = [
        (s["stage"], state_of(s) + to_replace * (not s["complete"]), size(s["bytes"]), _settings(s["settings"]))
        for kind, to_replace in (("stages", ""), ("overwriting", ", to replace it"))
        for s in found[kind]
    ]
    print_table("stages", ("stage", "state", "size", "settings"), stages)
    console = Console()
    for stage in found["stages"]:
        for warning in stage["provenance"].get("warnings", []):
            console.print(f"warning {warning['code']}: {warning['text']}", markup=False)


def print_scores(scores: Mapping) -> None:
    """Print what `qsdask.evaluate` found."""
    from qsdask.views.scores import confidence_of, scores_in_words

    rows = [
        ("atoms", f"{scores['atoms']:,} ({scores['usable']:,} usable)"),
        *rows_of_label(scores),
        *scores_in_words(scores).items(),
        ("AUC-ROC of single models", f"{scores['auc_models_mean']:.3f} ± {scores['auc_models_std']:.3f}"),
        *(
            (f"baseline: {name.replace('_', ' ')}", f"AUC {row['auc']:.3f}, recall {row['recall']:.3f}")
            for name, row in scores["baselines"].items()
        ),
    ]
    print_table(f"{scores['model']} on {scores['store']}", ("", ""), rows)
    print_legend(
        f"In brackets: {confidence_of(scores)}. Chance has an average precision of {scores['plastic_fraction']:.3f}, and a "
        "lift of 1: how many times more often the softest atoms are plastic than all. AUC does not see how rare plastic atoms are."
    )
    print_legend(
        "Baselines do not look at the structure: random calls every second atom plastic, most frequent calls none, "
        "minority calls all."
    )
    for note in scores["notes"]:
        Console().print(note, markup=False)


def print_feature_sets(text: str | None = None, settings: Mapping | None = None) -> None:
    """Print meaning, size, settings and cost of the feature sets; of some of them all columns first.

    Parameters
    ----------
    text : str, optional
        Names of sets joined by commas, or ``"all"``: every column of these is printed, with unit and meaning.
    settings : mapping, optional
        Conventions as of `qsdask.features`; they change columns.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for an unknown set, ``E-SETTING`` for a setting that does not fit.
    """
    chosen = validated(FeatureSettings, **(settings or {}))
    names = set_names(text or "all")
    known = {name: quantity_of(name, chosen) for name in names}
    for name, quantity in known.items() if text else ():
        columns = (*quantity.columns, *medium_range(quantity))
        meanings = [(c.name, c.unit, c.meaning) for c in columns]
        print_table(f"{name}: {first_line(quantity)}", ("column", "unit", "meaning"), meanings)
    if not text:
        print_table("feature sets", ("set", "meaning"), [(name, first_line(q)) for name, q in known.items()])
    rows = []
    for name, quantity in known.items():
        short = sum(c.name.startswith("sro") for c in quantity.columns)
        n_column = len(quantity.columns) + len(medium_range(quantity))
        where = ", ".join(quantity.shells) or f"atoms within {quantity.reach:.1f} angstrom"
        where += f", {quantity.n_step} times" if isinstance(quantity, IteratedQuantity) else ""
        own = ", ".join(s for s in settings_of(name) if not s.startswith("coarsen"))
        rows.append((name, short, n_column - short, where, own, quantity.cost))
    heads = ("set", "short", "medium", "needs", "settings", "µs/atom")
    print_table("number of columns for a binary alloy; time of the short range on one core", heads, rows)
    if not text:
        hint = "columns, units and meaning: qsdask features --list --set interstice, or --set all"
        Console().print(hint, markup=False, highlight=False, soft_wrap=True)


def print_findings(found: Findings) -> None:
    """Print what `qsdask.check` found: every error as it would be refused, then the warnings, then a line."""
    console = Console(soft_wrap=True, highlight=False)
    for error in found.errors:
        console.print(error.render(), markup=False)
    for warning in found.warnings:
        console.print(f"warning {warning.code}: {warning.text}", markup=False)
    console.print(
        f"{_count(found.frames, 'frame')} of {_count(found.atoms, 'atom')}: {_count(len(found.errors), 'error')}, "
        f"{_count(len(found.warnings), 'warning')}",
        markup=False,
    )


def print_written(found: Sequence[tuple[str, Path, bool]]) -> None:
    """Print what `qsdask.jobs.plan.written` found."""
    rows = [(str(path), what, "there already" if there else "") for what, path, there in found]
    print_table("what would be written", ("place", "what", "now"), rows)


def print_estimate(found: Mapping) -> None:
    """Print what `qsdask.jobs.simulate.estimate` found."""
    rows = [
        (
            row["specimen"],
            row["atoms"],
            f"{row['steps']:,}",
            f"{row['steps_per_second']:,.0f}",
            f"{row['core_hours']:.3g}",
            row["status"],
        )
        for row in found["rows"]
    ]
    heads = ("specimen", "atoms", "MD steps left", "steps/s", "core-hours", "so far")
    print_table(f"specimens in {found['folder']}: cost, estimated from a short timing here", heads, rows)
    counted = (
        "counted: MD steps from melt to the last strain, in processor time; not counted: start of LAMMPS and of the "
        "workers, setup of each piece, checkpoints, files"
    )
    Console().print(counted, soft_wrap=True)
    at_once = f"{found['at_once']} at once" if found["at_once"] > 1 else "one after another"
    Console().print(
        f"{found['core_hours']:.3g} core-hours; {duration(3600 * found['hours'])} with {at_once}", highlight=False
    )


def print_specimens(done: Mapping) -> None:
    """Print what `qsdask.simulate` made, and what to type next."""
    rows = [(row["specimen"], row["atoms"], row["loading"], row["run"], row["status"]) for row in done["rows"]]
    print_table(str(done["folder"]), ("specimen", "atoms", "loading", "run", "status"), rows)
    console = Console(highlight=False)
    console.print(f"physics checks: {done['folder'] / 'glasses.html'}", markup=False, soft_wrap=True)
    console.print("next:", markup=False)
    for row in [row for row in done["rows"] if row["status"] == "done"][:1]:
        dump = done["folder"] / row["dump"]
        console.print(f"  qsdask ingest {dump} {row['specimen']}.zarr", markup=False, soft_wrap=True)


def print_run(done: Mapping) -> None:
    """Print what `qsdask.run` did: scores, times, and what to type next."""
    from qsdask.views.report import next_commands

    for name, scores in done["scores"].items():
        print_scores({**scores, "store": name})
    total = sum(row["seconds"] for row in done["stages"])
    rows = [(row["stage"], f"{row['seconds']:.1f}") for row in done["stages"]] + [("total", f"{total:.1f}")]
    print_table("time", ("stage", "seconds"), rows)
    console = Console()
    for note in done["notes"]:
        console.print(note, markup=False, soft_wrap=True)
    for name, page in done["reports"].items():
        store = done["stores"][name]
        console.print(f"report: {page}", markup=False, soft_wrap=True)
        console.print("next:", markup=False)
        for command in next_commands(store, done["model"]):
            console.print(f"  {command}", markup=False, soft_wrap=True)


def print_comparison(found: xr.Dataset) -> None:
    """Print what `qsdask.compare` found, a row per glass, and of those with the same atoms what changed."""
    rows = []
    for k, name in enumerate(found["glass"].values.tolist()):
        glass = found.isel(glass=k)
        value, error, chance = (glass[key].item() for key in ("distance", "distance_error", "distance_chance"))
        known = (glass[key].item() for key in ("qs_mean", "qs_std"))
        shares = (f"{glass[f'fraction_{part}'].item():.1%}" for part in ("hard", "soft"))
        apart = (f"{value:.4f} ± {error:.4f}", f"{chance:.4f}") if k else (None, None)
        rows.append((Path(name).name, glass["n_usable"].item(), *(f"{x:.3f}" for x in known), *shares, *apart))
    columns = ("glass", "atoms", "mean", "std", "hard", "soft", "distance", "chance")
    print_table(f"softness by {Path(found.attrs['model']).name}", columns, rows)
    print_legend(
        f"hard: QS < {found.attrs['hard_below']:g}; soft: QS > {found.attrs['soft_above']:g}. distance: how far QS is shifted on "
        "average from the first glass (1-Wasserstein), with its standard error; chance: 95 % of random divisions are below it."
    )
    if has_replicas(found):
        heads, *means = ensemble_rows(found)
        print_table("by composition and quench rate: mean ± standard error over replicas", heads, means)
        print_legend(
            "Published: at 5e10 K/s, composition within 2 %; faster quenches there have a smaller std, and fewer hard atoms."
        )
    changed = [
        (
            Path(glass["glass"].item()).name,
            glass["n_common"].item(),
            f"{glass['delta_mean'].item():+.4f}",
            f"{glass['delta_size'].item():.4f}",
            glass["n_softened"].item(),
            glass["n_hardened"].item(),
        )
        for glass in (found.isel(glass=k) for k in range(found.sizes["glass"]))
        if glass["n_common"]
    ]
    if changed:
        print_table(
            "change of QS of the atoms of the first glass",
            ("glass", "same atoms", "mean change", "mean |change|", "became soft", "no longer soft"),
            changed,
        )


def print_soft_spots(found: Mapping) -> None:
    """Print what `qsdask.jobs.soft_spots.softness_of_files` found."""
    trained = found["trained"]
    names = {
        "mean": "mean of QS",
        "std": "standard deviation of QS",
        "hard": f"hard atoms, QS < {HARD_BELOW:g}",
        "soft": f"soft atoms, QS > {SOFT_ABOVE:g}",
    }
    rows = [(text, _digits(name, found[name]), _digits(name, trained.get(name))) for name, text in names.items()]
    title = f"softness of {found['atoms']:,} atoms, frame {found['frame']}, by {found['model']}"
    print_table(title, ("", "this glass", "training glasses"), rows)
    if found["without"]:
        print_legend(
            f"{found['without']:,} atoms have no softness: a feature without a value, or an element the model never saw"
        )
    if "times_likelier" in trained:
        print_legend(
            f"In the training glasses soft atoms were {trained['times_likelier']:.3g} times likelier to rearrange than hard ones."
        )
    clusters = [(row["size"], ", ".join(f"{x:.1f}" for x in row["centre"])) for row in found["clusters"]]
    if clusters:
        print_table(
            f"largest of {found['n_cluster']:,} clusters of neighbouring soft atoms",
            ("atoms", f"centre, {symbol(found['length'])}"),
            clusters,
        )
    print_legend(f"The model: {found['verdict']}.")
    for path in found["written"]:
        print_legend(f"{path}: written.")


def _digits(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if name in ("mean", "std") else f"{value:.1%}"


def print_legend(text: str) -> None:
    """Print what the words of a table mean."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True, style="dim")


def size(n_byte: float) -> str:
    """Bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n_byte < 1000 or unit == "TB":
            return f"{n_byte:.0f} {unit}" if unit == "B" else f"{n_byte:.1f} {unit}"
        n_byte /= 1000
    raise AssertionError


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Time for people: 5 s, 12 min, 3.4 h, 2.3 d."""
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} d"
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _settings(settings: Mapping) -> str:
    shown = {k: v for k, v in settings.items() if isinstance(v, str | int | float) and k not in ("reference_hash",)}
    return ", ".join(f"{k.removesuffix('_angstrom').removesuffix('_sigma')} {v}" for k, v in shown.items())
