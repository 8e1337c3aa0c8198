"""Options that several commands share, and what turns their text into arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

import qsdask
from qsdask.errors import NoInputError, UsageError

__all__ = ["done", "listing_settings", "pairs", "radii", "reading", "running", "source_files", "where_to_run"]


def _with(options: Sequence[Callable]) -> Callable[[Callable], Callable]:
    """Decorator that adds options in the order given."""

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


#: Of every command that computes: where it runs, and whether it may replace numbers.
running = _with(
    (
        click.option("--cluster", default="local", help="local, threads, tcp://HOST:PORT, or a scheduler file."),
        click.option("--workers", type=click.IntRange(1), help="Processes or threads to start; all cores by default."),
        click.option("--memory-limit", help="Memory of each worker process, such as 1.5GB."),
        click.option("--overwrite", is_flag=True, help="Compute again what is there, and what depends on it."),
        click.option("--quiet", is_flag=True, help="No progress bars."),
    )
)

#: Of every command that reads a trajectory: what is accepted.
reading = _with(
    (
        click.option("--species", help="Element of each atom type, such as 1=Cu,2=Zr."),
        click.option("--boundary", help="ppp, spp, ...; for dumps that do not tell."),
        click.option("--topology", help="File with the atoms' names, for DCD, XTC, NetCDF."),
        click.option("--columns", help="Columns of a binary dump that does not name them: 'id type x y z'."),
        click.option("--strict", is_flag=True, help="Refuse a cut last frame instead of leaving it out."),
        click.option("--skip-bad-frames", is_flag=True, help="Leave damaged frames out, with a warning."),
        click.option("--assume-order", is_flag=True, help="Without ids: the atoms stand in one order."),
        click.option(
            "--restart-overlap",
            type=click.Choice(["error", "last"]),
            default="error",
            help="When a restart wrote steps again: refuse, or take what was written last.",
        ),
        click.option(
            "--lost-atoms",
            type=click.Choice(["error", "mask"]),
            default="error",
            help="When atoms vanish: refuse, or keep the frame with NaN for them.",
        ),
    )
)


def _print_settings(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print what a recipe may hold instead of taking one."""
    from qsdask.jobs.recipe import settings_text

    if value and not context.resilient_parsing:
        click.echo(settings_text(context.info_name), nl=False)
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


def where_to_run(cluster: str, workers: int | None, memory_limit: str | None, overwrite: bool, quiet: bool) -> object:
    """The `Run` that the options of `running` describe."""
    return qsdask.Run(cluster, workers, overwrite, not quiet, memory_limit)


def source_files(patterns: Sequence[str]) -> list[Path]:
    """Files named, or that a quoted pattern stands for."""
    return [path for pattern in patterns for path in _expanded(Path(pattern))]


def _expanded(path: Path) -> list[Path]:
    if path.exists() or not any(c in path.name for c in "*?["):
        return [path]
    if found := sorted(path.parent.glob(path.name)):
        return found
    raise NoInputError("no file is called like this pattern", code="E-NO-FILE", file=path)


def pairs(text: str | None, kind: type = str) -> dict | None:
    """Read 'a=1,b=2'."""
    if text is None:
        return None
    try:
        parts = [part.split("=") for part in text.split(",") if part.strip()]
        return {kind(key.strip()): value.strip() for key, value in parts}
    except ValueError:
        raise UsageError(f"expected pairs such as '1=Cu,2=Zr', got {text!r}", code="E-SETTING") from None


def radii(text: str | None) -> dict[str, float] | None:
    """Read 'Cu=1.28,Zr=1.60'."""
    found = pairs(text)
    try:
        return None if found is None else {name: float(value) for name, value in found.items()}
    except ValueError:
        raise UsageError(f"expected pairs such as 'Cu=1.28,Zr=1.60', got {text!r}", code="E-SETTING") from None


def done(store: Path, steps: Sequence[int] = (0,), model: str | None = None) -> None:
    """Say that a stage is done, and what comes next in this store."""
    from qsdask.cli.following import following

    click.echo(f"{store}: done. Next: {following(store, steps, model)}")
