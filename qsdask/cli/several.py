"""Options that take all the words behind them: ``--train A B --test C``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click
from click.parser import _OptionParser

__all__ = ["SeveralWords"]


class SeveralWords(click.Command):
    """A command whose repeated options may be typed once, before several words; it takes no other arguments."""

    def make_parser(self, ctx: click.Context) -> _OptionParser:
        """The parser of click, which is given every word with its option."""
        parser = super().make_parser(ctx)
        names = {name for parameter in self.params if getattr(parameter, "multiple", False) for name in parameter.opts}
        plain = parser.parse_args
        parser.parse_args = lambda args: plain(_repeated(args, names))  # type: ignore[method-assign]
        return parser


def _repeated(words: Sequence[str], names: Collection[str]) -> list[str]:
    found: list[str] = []
    option = ""
    first = False
    for word in words:
        if word.startswith("-") and word != "-":
            option, first = (word, True) if word in names else ("", False)
            found.append(word)
            continue
        if option and not first:
            found.append(option)
        found.append(word)
        first = False
    return found
