"""What the commands of the learning study print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import fmean, pstdev

from qsdask.cli.tables import print_legend, print_table

__all__ = ["print_benchmark", "print_search", "print_selection", "print_transfer"]


def print_benchmark(found: Mapping) -> None:
    """Print what `qsdask.benchmark` found, a row for each candidate."""
    heads = ("set", "columns of", "n", "folds left out", *(Path(store).stem for store in found["test"]))
    rows = [
        (
            row["set"],
            found["kinds"][row["kind"]],
            row["columns"],
            spread(row["folds"]),
            *(f"{one['auc']:.3f} ({spread(one['auc_models'])})" for one in row["held_out"]),
        )
        for row in found["rows"]
    ]
    print_table(f"AUC-ROC, learned from {found['usable']:,} atoms, {found['plastic']:,} of them plastic", heads, rows)
    print_legend("Held-out glasses: of QS, in brackets mean ± standard deviation over the fold models.")
    costs = [(name, cost) for name, cost in found["cost"].items()]
    print_table("cost", ("set", "µs/atom"), costs)
    print_legend("Time of the short range on one core.")
    for note in found["notes"]:
        print_legend(note)


def print_transfer(found: Mapping) -> None:
    """Print what `qsdask.transfer` found: the AUC of all pairs for each set, then the losses by category."""
    numbers = range(len(found["conditions"]))
    rows = [(str(k), c["name"], c["loading"], len(c["stores"])) for k, c in enumerate(found["conditions"])]
    print_table("conditions", ("", "condition", "loading", "glasses"), rows)
    for name in found["sets"]:
        cells = {(p["source"], p["target"]): p for p in found["pairs"] if p["set"] == name}
        lines = [
            (str(k), *(_with_error(cells[k, t]["auc"], cells[k, t]["auc_error"]) for t in numbers)) for k in numbers
        ]
        print_table(f"{name}: AUC-ROC, learned from the row, judged on the column", ("", *map(str, numbers)), lines)
    summary = [
        (
            text,
            name,
            part["n"],
            f"{part['mean']:+.3f} ± {part['std']:.3f}",
            f"{part['least']:+.3f}",
            f"{part['most']:+.3f}",
        )
        for kind, text in found["categories"].items()
        for name in found["sets"]
        if (part := found["summary"].get(name, {}).get(kind))
    ]
    print_table(
        "loss of AUC against the target's own model",
        ("", "set", "pairs", "mean ± spread of pairs", "least", "most"),
        summary,
    )
    print_legend(
        "± in the matrices: standard error over the glasses of the column. Spread of pairs: their standard deviation; how sure a "
        "pair is, its bar in the picture says. Same composition, same rate: AUC on the folds left out less AUC on the glass left out."
    )
    for note in found["notes"]:
        print_legend(note)


def print_selection(found: Mapping) -> None:
    """Print what `qsdask.select` found: the columns, then the course of the scores."""
    if "search" in found:
        print_search(found["search"])
    rows = [(c["name"], f"{c['importance']:.3f}", f"{c['chosen_by']:.0%}") for c in found["columns"]]
    print_table(f"{len(rows)} of {found['path'][0]['n']} columns", ("column", "importance", "chosen by"), rows)
    print_legend(
        f"importance: share of the gain. chosen by: fold models that choose it when each goes its own way; two of these have "
        f"{found['overlap']:.0%} of their columns in common. {len(found['pruned'])} columns repeat others."
    )
    heads = ("columns", "folds left out", *(Path(store).stem for store in found["test"]))
    shown = [step for step in found["path"] if step["held_out"] or not found["test"]]
    steps = [
        (
            str(step["n"]),
            f"{step['auc']:.3f} ± {step['auc_error']:.3f}",
            *(f"{step['held_out'][store]:.3f}" for store in found["test"]),
        )
        for step in shown
    ]
    print_table("AUC-ROC", heads, steps)
    print_legend(
        "The columns were chosen on these very folds, which flatters their score; held-out glasses took no part."
    )


def print_search(found: Mapping) -> None:
    """Print what `qsdask train --search` tried, the best first."""
    names = [name for name in found["tried"][0] if not name.startswith("auc")]
    order = sorted(found["tried"], key=lambda one: -one["auc"])
    rows = [(f"{one['auc']:.4f} ± {one['auc_std']:.4f}", *(one[name] for name in names)) for one in order[:10]]
    print_table(f"best of {len(order)} settings, AUC-ROC on blocks of space left out", ("AUC-ROC", *names), rows)
    chosen, given = found["tried"][found["chosen"]], found["tried"][0]
    print_legend(
        f"taken: {', '.join(f'{name} {chosen[name]:g}' for name in names)}; as given: {given['auc']:.4f}. ±: standard deviation "
        "over folds and draws."
    )


def _with_error(value: float, error: float) -> str:
    known = f"{value:.3f}" if isfinite(value) else "–"
    return f"{known} ± {error:.3f}" if isfinite(error) else known


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    known = [value for value in values if isfinite(value)]
    return f"{fmean(known):.3f} ± {pstdev(known):.3f}" if known else "–"
