"""The `qsdask` command: thin sub-commands over the public functions of the same names."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from qsdask.cli import care, cluster, compute, docs, explain, job, learning, look, physics, softness  # noqa: F401  register their commands
from qsdask.cli.group import cli
from qsdask.cli.output import output_told
from qsdask.errors import InternalError, QSDaskError, UsageError, of_os_error
from qsdask.names import of_encoding

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; every refusal becomes one message and an exit status.

    Parameters
    ----------
    arguments : list of str, optional
        Command line without the program's name.

    Returns
    -------
    int
        Exit status: 0, one of `qsdask.errors`, or 128 and the number of the signal that stopped it.
    """
    from qsdask.engine.stop import Stopped, stopping_cleanly

    typed = sys.argv[1:] if arguments is None else arguments
    again = [word for word in typed if word != "--overwrite"]  # what is done by now is kept

    unsaid = [f"qsdask: stopped; go on from here with\n  {shlex.join(['qsdask', *again])}"]

    def last_words() -> None:
        with suppress(OSError):  # of a terminal that is gone
            while unsaid:  # once, however many signals come
                click.echo(unsaid.pop(), err=True)

    try:
        with output_told(), _said(), stopping_cleanly(last_words):
            status = cli.main(typed, prog_name="qsdask", standalone_mode=False) or 0
            sys.stdout.flush()  # here, where a failure can still be told
            return status
    except (Stopped, click.Abort) as stop:
        last_words()
        return stop.exit_status if isinstance(stop, Stopped) else 130
    except click.ClickException as error:
        error.show()
        return UsageError.exit_status
    except Exception as error:
        if "--debug" in typed:
            raise
        refusal = _refusal(error)
        click.echo(f"qsdask: {refusal.render()}\n  more    qsdask docs {refusal.code}", err=True)
        return refusal.exit_status


@contextmanager
def _said() -> Iterator[None]:
    """What the package logs goes to standard error, in the same form as the other messages."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("qsdask: %(message)s"))
    logger = logging.getLogger("qsdask")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _refusal(error: Exception) -> QSDaskError:
    """What the user is told of an exception."""
    if isinstance(error, QSDaskError):
        return error
    if isinstance(error, OSError):
        return of_os_error(error)
    if isinstance(error, UnicodeEncodeError):
        return of_encoding(error)
    return InternalError(
        f"{type(error).__name__}: {error}",
        code="E-INTERNAL",
        why="a fault of qsdask, not of your data",
        hint="report it with what 'qsdask --debug ...' prints",
    )
