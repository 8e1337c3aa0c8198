"""Files in TOML, as users write them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from qsdask.errors import BadDataError

__all__ = ["read_toml"]


def read_toml(file: Path) -> dict[str, Any]:
    """Content of a file in TOML that is there.

    Raises
    ------
    BadDataError
        ``E-RECIPE`` when it is not TOML.
    """
    try:
        return tomllib.loads(file.read_bytes().decode())
    except tomllib.TOMLDecodeError as error:
        raise BadDataError(f"the recipe is not TOML: {error}", code="E-RECIPE", file=file) from None
    except UnicodeDecodeError:
        raise BadDataError(
            "a recipe is a text file in TOML, and this is binary",
            code="E-RECIPE",
            file=file,
            hint="'qsdask run --settings' prints what stands in a recipe; 'qsdask ingest' takes a trajectory",
        ) from None
