"""Feature sets of other packages: how they are loaded, and which source their numbers come from."""

from __future__ import annotations

import hashlib
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import machinery, metadata
from pathlib import Path

from qsdask.errors import UsageError

__all__ = ["SOURCE", "entries", "is_outside", "loaded", "package_of", "prints_told", "source_of"]

_log = logging.getLogger(__name__)

#: Group of the entry points by which they are found.
GROUP = "qsdask.features"

#: What tells one version of a set from another: kept among its settings.
SOURCE = ("set_package", "set_version", "set_source")

#: Endings of files with code; compiled caches come and go.
_CODE = (*machinery.SOURCE_SUFFIXES, *machinery.EXTENSION_SUFFIXES)


def is_outside(kind: type) -> bool:
    """Whether a class is of another package."""
    return not kind.__module__.startswith("qsdask.")


def entries() -> list[metadata.EntryPoint]:
    """Entry points of all installed feature sets."""
    return list(metadata.entry_points(group=GROUP))


def package_of(entry: metadata.EntryPoint) -> str:
    """Name of the package that an entry point belongs to."""
    return entry.dist.name if entry.dist else entry.value


def loaded(entry: metadata.EntryPoint) -> object:
    """What an entry point names.

    Parameters
    ----------
    entry : EntryPoint
        Of a package that anybody may have written.

    Returns
    -------
    object
        Not yet looked at.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET``, by the name of the package: one that is broken stops every command on features.
    """
    try:
        with prints_told(f"the package {package_of(entry)}", "was loaded"):
            return entry.load()
    except (Exception, SystemExit) as error:  # whatever stands in it, a call of sys.exit too
        raise UsageError(
            f"the feature set {entry.name!r} of the package {package_of(entry)!r} cannot be loaded: "
            f"{type(error).__name__}: {error}",
            code="E-FEATURE-SET",
            hint=f"mend or remove {package_of(entry)}",
        ) from None


@contextmanager
def prints_told(who: str, did: str) -> Iterator[None]:
    """What somebody else's code prints inside the ``with`` becomes a warning that says whose it is.

    Standard output is for what the command itself has to say.

    Parameters
    ----------
    who, did : str
        Such as ``"the package misfit"``, and ``"was loaded"``.
    """
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        if text := printed.getvalue().strip():
            _log.warning("%s printed while it %s: %.200r", who, did, text)


def source_of(kind: type, entry: metadata.EntryPoint) -> dict[str, str]:
    """What tells one version of an outside set from another.

    Parameters
    ----------
    kind : type
        The set.
    entry : EntryPoint
        Where it was found.

    Returns
    -------
    dict of str to str
        The names of `SOURCE`. The last is a 128-bit BLAKE2b hash of the code of the packages that the set
        and its bases are defined in, without those of qsdask and Python.
    """
    modules = {base.__module__ for base in kind.__mro__ if is_outside(base) and base is not object}
    roots = {_root(name) for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    found = hashlib.blake2b(digest_size=16)
    for file, name in sorted((f, n) for root in roots if root for f, n in _code_below(root).items()):
        data = file.read_bytes()
        found.update(f"{name} {len(data)}\n".encode())
        found.update(data)
    version = entry.dist.version if entry.dist else "unknown"
    return dict(zip(SOURCE, (package_of(entry), version, found.hexdigest()), strict=True))


def _root(module: str) -> Path | None:
    """File of a module, or of the outermost package that it is in; none of a folder that packages share has one."""
    parts = module.split(".")
    for n in range(1, len(parts) + 1):
        if file := getattr(sys.modules.get(".".join(parts[:n])), "__file__", None):
            return Path(file)
    return None


def _code_below(root: Path) -> dict[Path, str]:
    """Files of a package or of a module, with their names from there."""
    if root.stem != "__init__":
        return {root: root.name} if root.is_file() else {}
    folder = root.parent
    files = (file for file in folder.rglob("*") if file.name.endswith(_CODE) and file.is_file())
    return {file: file.relative_to(folder.parent).as_posix() for file in files}
