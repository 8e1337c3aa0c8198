"""What the commands print of the cost of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qsdask.cli.tables import duration, print_legend, print_table, size
from qsdask.engine.cost import StagePlan
from qsdask.engine.rates import StageCost, measured_rates

__all__ = ["print_costs", "print_plan"]


def print_plan(plans: Mapping[str, Sequence[StagePlan]]) -> None:
    """Print what `qsdask.plan` found."""
    for name, stages in plans.items():
        rows = [
            (
                f"{s.stage} {s.part}".strip(),
                f"{s.tasks:,}",
                f"{s.ghosts:,}",
                size(s.bytes_written),
                size(s.bytes_memory),
            )
            for s in stages
        ]
        print_table(
            f"{name}: cost, estimated", ("stage", "tasks", "ghosts per domain", "disk", "memory per worker"), rows
        )
        for note in (f"{s.stage}: {s.note}" for s in stages if s.note):
            print_legend(note)


def print_costs(found: Mapping[str, Sequence[StageCost | None]], cores: Sequence[int]) -> None:
    """Print what `qsdask.jobs.plan.costs` found, and what it rests on."""
    known = [cost for costs in found.values() for cost in costs if cost is not None]
    heads = ("stage", "core-hours", "±", *(_on(n) for n in cores), "read", "written", "files", "memory of the driver")
    for name, costs in found.items():
        print_table(
            f"{name}: time and traffic, estimated", heads, [list(_cells(cost)) for cost in costs if cost is not None]
        )
    total = {n: sum(cost.wall_seconds[n] for cost in known) for n in cores}
    hours = sum(cost.core_seconds for cost in known) / 3600
    print_legend(f"in all: {hours:.3g} core-hours; " + ", ".join(f"{duration(s)} {_on(n)}" for n, s in total.items()))
    print_legend(
        f"from processor seconds measured on {measured_rates()['machine']} by qsdask {measured_rates()['version']}; another machine "
        "is faster or slower by a factor, and disks and networks that cannot carry the bytes take longer. ±: 95 % of the straight "
        "line alone. Learning as if one atom of twelve were plastic."
    )
    if (most := max((cost.extrapolated for cost in known), default=0.0)) > 1:
        print_legend(f"* extrapolated: up to {most:,.0f} times what was measured")
    if any(cost is None for costs in found.values() for cost in costs):
        print_legend("some stages were never measured, and are left out")


def _on(cores: int) -> str:
    return f"on {cores:,} core{'s' * (cores > 1)}"


def _cells(cost: StageCost) -> Iterator[str]:
    yield cost.stage + "*" * (cost.extrapolated > 1)
    yield f"{cost.core_seconds / 3600:.3g}"
    yield "unknown" if cost.error is None else f"{100 * cost.error:.0f} %"
    yield from map(duration, cost.wall_seconds.values())
    yield from map(size, (cost.bytes_read, cost.bytes_written))
    yield f"{cost.files:,.0f}"
    yield size(cost.driver_bytes)
