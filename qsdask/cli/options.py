"""Options that several commands share, and what turns their text into arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.errors import NoInputError, UsageError
from qsdask.files.location import located
from qsdask.settings import ReadingSettings

__all__ = [
    "COUNT",
    "done",
    "listing_settings",
    "reading",
    "running",
    "source_files",
    "steps_of",
    "warn",
    "which_frames",
]


class _Count(click.ParamType):
    """A whole number above zero, which may be typed as 1e9."""

    name = "number"

    def convert(self, value: object, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """The number, or the refusal."""
        try:
            found = float(str(value).replace("_", ""))
        except ValueError:
            found = 0.0
        if not (1 <= found < 1e15 and found == int(found)):
            self.fail(f"{value!r} is not a whole number above zero, such as 200000 or 1e9", parameter, context)
        return int(found)


#: Type of numbers of atoms, frames and cores.
COUNT = _Count()

_WHERE = (
    click.option(
        "--cluster",
        help="local, threads, tcp://HOST:PORT, a scheduler file, FILE.toml with a table [cluster], or its kind, such as "
        "runner (default: as the recipe says, else local).",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        help="Processes, threads or jobs to start; all cores, or one job, by default.",
    ),
    click.option("--memory-limit", help="Memory of each worker process, such as 1.5GB."),
    click.option("--overwrite", is_flag=True, help="Compute again what is there, and what depends on it."),
    click.option("--quiet", is_flag=True, help="No progress bars."),
)

#: Of every command that reads a trajectory: how, and what is tolerated.
reading = settings_options(ReadingSettings)


def running(command: Callable) -> Callable:
    """Options of every command that computes: where it runs, and whether it may replace numbers; it gets `run`."""

    @wraps(command)
    def with_run(*arguments, cluster, workers, memory_limit, overwrite, quiet, **others):
        run = qsdask.Run(cluster, workers, overwrite, not quiet, memory_limit)
        if not run.begins_at_once():
            return command(*arguments, run=run, **others)
        with run.shared() as shared:
            return command(*arguments, run=shared, **others)

    for option in reversed(_WHERE):
        with_run = option(with_run)
    return with_run


def _print_settings(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print what a recipe may hold instead of taking one."""
    from qsdask.jobs.recipe import settings_text

    if value and not context.resilient_parsing:
        click.echo(settings_text(str(context.info_name)), nl=False)
        context.exit()


#: Of every command that takes a recipe: what may stand in it.
listing_settings = click.option(
    "--settings",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_settings,
    help="Print all settings of a recipe with type, default and meaning, as TOML, and stop.",
)


def source_files(patterns: Sequence[str]) -> list[Path]:
    """Files named, or that a quoted pattern stands for."""
    return [path for pattern in patterns for path in _expanded(located(pattern))]


def _expanded(path: Path) -> list[Path]:
    if path.exists() or not any(c in path.name for c in "*?["):
        return [path]
    if found := sorted(path.parent.glob(path.name)):
        return found
    raise NoInputError("no file is called like this pattern", code="E-NO-FILE", file=path)


def done(store: Path, steps: Sequence[int] = (0,), model: str | None = None) -> None:
    """Say that a stage is done, and what comes next in this store."""
    from qsdask.cli.following import following

    click.echo(f"{store}: done. Next: {following(store, steps, model)}")


def which_frames(command: Callable) -> Callable:
    """Options of a stage that describes one frame; the command gets `step` and `strain`."""
    for option in (
        click.option(
            "--strain",
            type=float,
            help="Instead of --frame: the frame in which this strain is first passed, to within 0.0025.",
        ),
        click.option(
            "--frame",
            "--step",
            "step",
            default="0",
            help="Frames, joined by commas, or all; negative numbers count from the end (default 0, the undeformed glass).",
        ),
    ):
        command = option(command)
    return command


def steps_of(store: str, step: str, strain: float | None) -> list[int]:
    """Frames that `which_frames` names, counted from the first; says which one a strain stands for."""
    from qsdask.stages.steps import chosen_steps, label_note, step_near

    if strain is not None:
        if step != "0":
            raise UsageError("give --frame or --strain, not both", code="E-SETTING")
        near, there = step_near(store, strain)
        click.echo(f"frame {near}, at strain {there:g}")
        warn(label_note(located(store), {"strain": strain}))
        return [near]
    try:
        asked = "all" if step.strip().lower() == "all" else [int(text) for text in step.split(",")]
    except ValueError:
        raise UsageError(f"expected frames such as '32,40', or 'all', got {step!r}", code="E-STEP") from None
    return chosen_steps(located(store), asked)


def warn(texts: Iterable[str]) -> None:
    """Say on standard error what was accepted, each once."""
    for text in dict.fromkeys(texts):
        click.echo(f"qsdask: warning {text}", err=True)
