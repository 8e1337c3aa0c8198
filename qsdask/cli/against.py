"""What is printed of two models on one glass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from qsdask.cli.tables import print_legend, print_table
from qsdask.views.scores import compared_in_words, verdict_of

__all__ = ["print_against"]


def print_against(scores: Mapping) -> None:
    """Print how the second model of `qsdask.evaluate` compares with the first."""
    against = scores["against"]
    names = [Path(model).name for model in (scores["model"], against["model"])]
    print_table(
        f"{names[0]} against {names[1]} on the {against['usable']:,} atoms that both can judge",
        ("", *names, "difference", "other sign", ""),
        compared_in_words(against, *names),
    )
    print_legend(
        "Difference: first model minus second, with 95 % confidence by draws of blocks that are the same for both. Other sign: "
        "probability that there is none, or the other way round."
    )
    Console().print(verdict_of(against, *names), markup=False, highlight=False)
