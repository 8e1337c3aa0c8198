"""What `qsdask docs` prints."""

from __future__ import annotations

import re

from rich.console import Console
from rich.markdown import Markdown

from qsdask.guide.pages import pages, readmes

__all__ = ["print_contents", "print_page"]


def print_contents() -> None:
    """Print the names and titles of all pages."""
    for title, there in (("to read", pages()), ("to read more of", readmes())):
        rows = [f"| `qsdask docs {page.name}` | {page.title} |" for page in there]
        Console().print(Markdown("\n".join([f"| type | {title} |", "|---|---|", *rows])))


def print_page(text: str) -> None:
    """Print Markdown: prose as wide as the terminal; commands and code as they are, to be copied."""
    console = Console()
    for number, part in enumerate(re.split(r"^```\w*\n(.*?)^```$", text, flags=re.S | re.M)):
        if number % 2:
            console.print(f"\n{part}", markup=False, highlight=False, soft_wrap=True, style="cyan")
        else:
            console.print(Markdown(part))
