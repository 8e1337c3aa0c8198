"""Models that come with the package: by name or alias, each with a card that says what it is and what it is not."""

from __future__ import annotations

import os
from pathlib import Path

from qsdask.errors import NoInputError

__all__ = ["ALIASES", "card_of", "folder_of", "shipped_models"]

#: Folder of the shipped models.
PLACE = Path(__file__).resolve().parents[1] / "models"

#: Short names, and the model that each stands for now.
ALIASES = {"cuzr": "CuZr-MM2007-response-2026-12", "cuzr-fast": "CuZr-MM2007-fast-2026-12"}

#: What every folder of a shipped model has besides the model.
CARD = "CARD.md"


def shipped_models() -> dict[str, Path]:
    """Folders of all shipped models by name."""
    return {card.parent.name: card.parent for card in sorted(PLACE.glob(f"*/{CARD}"))}


def folder_of(model: str | os.PathLike) -> Path:
    """Folder of a model: the one at a path, or a shipped one of that name.

    Parameters
    ----------
    model : str or path-like
        What the user typed. What is there under this name in the file system comes first.

    Returns
    -------
    Path
        Whether or not there is a model in it.
    """
    path, name = Path(model), os.fspath(model)
    return path if path.exists() else shipped_models().get(ALIASES.get(name, name), path)


def card_of(model: str) -> str:
    """Card of a shipped model, Markdown.

    Raises
    ------
    NoInputError
        ``E-NO-MODEL``.
    """
    folder = shipped_models().get(ALIASES.get(model, model))
    if folder is None:
        raise NoInputError(
            f"no shipped model is called {model!r}",
            code="E-NO-MODEL",
            hint=f"choose among {', '.join([*ALIASES, *shipped_models()])}",
        )
    return (folder / CARD).read_text(encoding="utf-8")
