"""The specimens of a simulation: how far each is, the table of all, and the bars that follow them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

from qsdask.files.durable import write_durable
from qsdask.settings import SimulateRecipe
from qsdask.simulation.crystal import sites
from qsdask.simulation.output import write_json
from qsdask.simulation.schedule import cost, schedule, track_name
from qsdask.simulation.specimen import SpecimenPlan

__all__ = ["Board", "atoms_of", "progress_of", "steps_left", "where_it_is", "write_tables"]


def progress_of(place: Path) -> dict:
    """What a specimen's ``progress.json`` says; nothing when nothing was done.

    Parameters
    ----------
    place : Path
        Folder of the specimen.

    Returns
    -------
    dict
        Fields of `qsdask.simulation.progress.Ledger`.
    """
    try:
        return json.loads((place / "progress.json").read_bytes())
    except FileNotFoundError:
        return {}


def steps_left(plan: SpecimenPlan, place: Path) -> int:
    """MD steps that a specimen still needs; 0 when all of its files are there, 1 when they only must be joined."""
    found = progress_of(place)
    return 0 if found.get("finished") else max(1, cost(plan) - found.get("steps_done", 0))


def where_it_is(plan: SpecimenPlan, place: Path) -> str:
    """Where a specimen goes on, such as ``"quench, 34 %"``; empty when nothing was done."""
    found = progress_of(place)
    if not found.get("segments_done"):
        return ""
    segments = schedule(plan)
    following = segments[min(found["segments_done"], len(segments) - 1)]
    return f"{following.phase}, {100 * found['steps_done'] // found['steps']} %"


def atoms_of(plan: SpecimenPlan) -> int:
    """Atoms of a specimen: sites of the box of whole unit cells."""
    return len(sites(plan)[0])


def write_tables(
    recipe: SimulateRecipe, plans: Sequence[SpecimenPlan], home: Path, failed: Mapping[str, str]
) -> list[dict]:
    """Write ``specimens.csv``, a row for each deformation, and ``ensemble.json`` with the recipe beside it.

    Parameters
    ----------
    recipe : SimulateRecipe
        The recipe.
    plans : sequence of SpecimenPlan
        All of its specimens.
    home : Path
        Their folder.
    failed : mapping of str to str
        Codes of the errors that ended specimens, by name.

    Returns
    -------
    list of dict
        The rows.
    """
    rows = [row for plan in plans for row in _rows(plan, home / plan.name, failed.get(plan.name))]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_durable(home / "specimens.csv", text.getvalue().encode())
    write_json(home / "ensemble.json", {"recipe": recipe.model_dump(mode="json"), "specimens": rows})
    return rows


def _rows(plan: SpecimenPlan, place: Path, failed: str | None) -> list[dict]:
    found = progress_of(place)
    begun = f"{where_it_is(plan, place)}" or "planned"
    return [
        {
            "specimen": plan.name,
            **plan.composition,
            "rate_kelvin_per_second": plan.rate_kelvin_per_second,
            "replica": plan.replica,
            "loading": loading,
            "run": run,
            "atoms": atoms_of(plan),
            "seed": plan.seed,
            "status": "done" if found.get("finished") else f"failed: {failed}" if failed else begun,
            "resumed": len(found.get("resumed_at", [])),
            "dump": f"{plan.name}/{track_name(loading, run)}.dump.zst",
        }
        for loading in plan.loadings
        for run in range(1, plan.deform.runs + 1)
    ]


class Board(Progress):
    """Bars of all specimens that are under way, read from what they write; the first one is that of all together.

    Parameters
    ----------
    plans : sequence of SpecimenPlan
        What is to be made.
    home : Path
        Folder of the specimens.
    console : rich.console.Console
        Where the bars stand.
    show : bool
        Whether they do.
    """

    def __init__(self, plans: Sequence[SpecimenPlan], home: Path, console: Console, *, show: bool) -> None:
        self._places = {plan.name: home / plan.name for plan in plans}
        self._steps = {plan.name: cost(plan) for plan in plans}
        self._phases = {plan.name: [segment.phase for segment in schedule(plan)] for plan in plans}
        columns = (
            TextColumn("{task.description}"),
            TextColumn("{task.fields[phase]}"),
            BarColumn(),
            TaskProgressColumn(),
            _Speed(),
        )
        super().__init__(*columns, console=console, disable=not show, refresh_per_second=1)
        done = {name: progress_of(place).get("steps_done", 0) for name, place in self._places.items()}
        title = f"{len(plans)} specimens"
        begin = sum(done.values())
        self._all = self.add_task(title, total=sum(self._steps.values()), begin=begin, phase="")
        self._bars = {
            name: self.add_task(name, total=steps, begin=done[name], phase="", visible=False, start=False)
            for name, steps in self._steps.items()
        }
        self._look()

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, after a look at the specimens; rich asks for them once a second."""
        if hasattr(self, "_bars"):  # rich asks once before there are any
            self._look()
        yield from super().get_renderables()

    def _look(self) -> None:
        together = 0
        for name, place in self._places.items():
            found = progress_of(place)
            done = self._steps[name] if found.get("finished") else found.get("steps_done", 0)
            together += done
            begun = bool(found) and not found["finished"]
            bar = self._bars[name]
            if begun and not self._tasks[bar].visible:
                self.start_task(bar)
            phase = self._phases[name][min(found.get("segments_done", 0), len(self._phases[name]) - 1)]
            self.update(bar, completed=done, phase=phase, visible=begun)
        self.update(self._all, completed=together)


class _Speed(ProgressColumn):
    """Steps per second since the bar began, and the time to go; rich's own count the last checkpoints only."""

    def render(self, task: Task) -> Text:
        """Nothing before the first checkpoint."""
        made = task.completed - task.fields["begin"]
        if made <= 0 or not task.elapsed or task.total is None:
            return Text("")
        speed = made / task.elapsed
        left = timedelta(seconds=round((task.total - task.completed) / speed))
        return Text(f"{speed:,.0f} steps/s, {left} to go")
