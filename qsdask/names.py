"""The one rule for names that users choose: of models, feature sets and specimens.

A name becomes a part of files and folders, and that of a model or a set a part of the keys by which Zarr finds arrays.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

from qsdask.errors import UsageError

__all__ = ["checked_name", "name_of_model"]

#: Bytes that a name may take: file systems give 255, and what is half written has a longer one.
LONGEST = 200

#: What Zarr and the manifests call their own files and folders.
_OF_ZARR = {"c", "zarr.json", "manifest.json"}

#: Unicode categories of what steers a terminal, ends a line, or stands for a byte that is no text.
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}

_HINT = "letters of any script, digits, and signs such as - _ . + inside of it"

_UTF8 = "export LC_ALL=C.UTF-8, or PYTHONUTF8=1"


def checked_name(name: str, of: str, *, key: bool = False) -> str:
    """The name, if it can be one.

    Parameters
    ----------
    name : str
        As chosen by the user.
    of : str
        What it names, for the message.
    key : bool
        Whether it becomes a part of the keys of a store: some names are taken there.

    Returns
    -------
    str
        The same.

    Raises
    ------
    UsageError
        ``E-NAMING`` with what is wrong with it; ``E-LOCALE`` when only the locale forbids it.
    """
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8" and not name.isascii():
        # Its bytes on the disk would not be those that the store remembers.
        raise UsageError(f"{name!r}: names of files are in {encoding} here", code="E-LOCALE", hint=_UTF8)
    if fault := _fault(name, key):
        raise UsageError(f"{name!r} cannot be the name of a {of}: {fault}", code="E-NAMING", hint=_HINT)
    return name


def name_of_model(path: str | os.PathLike) -> str:
    """Name of the softness of a model, from that of its folder; not yet checked."""
    return Path(path).stem


def of_encoding(error: UnicodeEncodeError) -> UsageError:
    """The refusal for text that the locale cannot hold, as file name or as output."""
    return UsageError(
        f"the locale of this process has no {error.object[error.start : error.end]!r}: its encoding is {error.encoding}",
        code="E-LOCALE",
        hint=_UTF8,
    )


def _fault(name: str, key: bool) -> str | None:
    if not name:
        return "it is empty"
    if strange := next((c for c in name if unicodedata.category(c) in _NO_TEXT), None):
        if unicodedata.category(strange) == "Cs":
            return "it is no text in UTF-8"
        return "it holds a control character"
    if "/" in name or "\\" in name:
        return "a slash divides folders"
    if name.startswith("."):
        return "what begins with a dot is hidden, or another folder"
    if name != name.strip():
        return "there is a blank before or after it"
    if len(name.encode()) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if key and (name in _OF_ZARR or name.startswith("__")):
        return "Zarr has a use of its own for this name"
    return None
