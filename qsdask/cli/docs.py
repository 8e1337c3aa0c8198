"""The command that shows the guide."""

from __future__ import annotations

import click

from qsdask.cli.group import CONTEXT, cli
from qsdask.errors import NoInputError

#: Sections that are listed for a word; more of them help nobody.
_MOST = 12


@cli.command(context_settings=CONTEXT)
@click.argument("word", required=False)
@click.option("--html", "out", help="Write the whole guide and the reference of all functions as one page, .html.")
def docs(word, out) -> None:
    """Show the guide: its pages, one of them, a README that they name, what an error code means, or where a word stands.

    \b
    qsdask docs
    qsdask docs store
    qsdask docs engine/README
    qsdask docs E-DUP-ID
    qsdask docs --html guide.html
    """
    from qsdask.cli.pages import print_contents, print_page
    from qsdask.guide.pages import page_named, row_of, sections_with

    if out:
        from qsdask.guide.book import write_book

        click.echo(f"{write_book(out)}: written.")
    elif not word:
        print_contents()
    elif row := row_of(word):
        print_page(f"## {row.heading}\n\n{row.text}")
    elif page := page_named(word):
        print_page(page.text)
    else:
        found = sections_with(word)
        if not found:
            raise NoInputError(
                f"the guide says nothing of {word!r}", code="E-NO-PAGE", hint="qsdask docs, or qsdask --help"
            )
        for section in found[:_MOST]:
            click.echo(f"qsdask docs {section.page}: {section.heading}")
        if len(found) == 1:
            print_page(found[0].text)
