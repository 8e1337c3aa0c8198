"""The model folder: text models and one JSON file; no pickle, nothing is executed on loading."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from qsdask.errors import BadDataError, CannotCreateError, NoInputError, StoreIOError
from qsdask.files.durable import sync, write_durable
from qsdask.files.taken import refuse_bucket, refuse_in_store
from qsdask.learn.definition import TREE_NAME, canonical, nan_for_null, parse
from qsdask.learn.forest import by_draw_and_fold
from qsdask.learn.linear import LinearPart
from qsdask.learn.model import Model
from qsdask.learn.shipped import ALIASES, CARD, folder_of
from qsdask.learn.table import Specimen
from qsdask.learn.tree_text import read_trees
from qsdask.learn.validity import clouds_read

__all__ = ["load_model", "loaded", "refuse_other_content", "save_model"]

_JSON = "model.json"
#: Of a thousand columns the clouds alone take 10 MB a species.
_LARGEST_JSON = 256 * 2**20
_LARGEST_TREE = 256 * 2**20


def save_model(model: Model, path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Write the model folder: all of it, or nothing.

    Parameters
    ----------
    model : Model
        What to write.
    path : path-like
        Folder to make, ``NAME.qs``.
    overwrite : bool
        Replace a model folder of that name.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS``: there is something already, or something that is no model folder. ``E-BUCKET``.
        ``E-MODEL-WRITE``: the folder cannot be written.
    """
    refuse_other_content(Path(path))
    path = Path(os.path.abspath(path))
    if path.exists() and not overwrite:
        raise CannotCreateError(
            "the model folder exists", code="E-EXISTS", file=path, hint="another name, or --overwrite"
        )
    record = model.record()
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    content = {name: model.trees[name].encode() for name in model.trees}
    content[_JSON] = json.dumps(record, indent=1, allow_nan=False, sort_keys=True).encode() + b"\n"
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        for name, data in content.items():
            write_durable(fresh / name, data)
        if path.exists():
            os.rename(path, old)
        try:
            os.rename(fresh, path)
        except OSError:
            if old.exists():
                os.rename(old, path)
            raise
        sync(path.parent)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise CannotCreateError(
            f"the model folder cannot be written: {error.strerror or error}", code="E-MODEL-WRITE", file=path
        ) from error
    shutil.rmtree(old, ignore_errors=True)


def refuse_other_content(path: Path) -> None:
    """Refuse a place where something is that is no model folder, and one inside of a store.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS``; ``E-IN-STORE``; ``E-BUCKET``.
    """
    refuse_bucket(path)
    refuse_in_store(path)
    is_model = path.is_dir() and not path.is_symlink() and (path / _JSON).is_file()
    if is_model:  # all of it is replaced, and other programs have files of that name too
        is_model = all(name in (_JSON, CARD) or TREE_NAME.fullmatch(name) for name in os.listdir(path))
    if (path.is_symlink() or path.exists()) and not is_model:
        raise CannotCreateError(
            "something that is no model folder is there", code="E-EXISTS", file=path, hint="another name"
        )


def load_model(path: str | os.PathLike) -> Model:
    """Read a model folder, checking all of it.

    Parameters
    ----------
    path : path-like
        Folder ``NAME.qs``.

    Returns
    -------
    Model

    Raises
    ------
    NoInputError
        ``E-NO-MODEL``: there is no model folder.
    StoreIOError
        ``E-MODEL-READ``: a file cannot be read.
    BadDataError
        ``E-MODEL-FILES``: a file is missing, unexpected, no plain file, or too large.
        ``E-MODEL-VERSION``: written by a newer qsdask. ``E-MODEL-JSON``: the JSON file is damaged.
        ``E-MODEL-CONTENT``: it is intact, and lacks what every trained model has.
        ``E-MODEL-CHECKSUM``: a file is not what was written. ``E-MODEL-TREE``: see `read_trees`.

    Notes
    -----
    The bytes that are checked are the bytes that are used: every file is read once. A checksum tells damage
    from data; it does not tell who wrote the model, which is why the texts are checked in structure too.
    """
    path = Path(path)
    if not (path / _JSON).is_file():
        raise NoInputError(
            "there is no model folder with a model.json",
            code="E-NO-MODEL",
            file=path,
            hint=f"make one with 'qsdask train STORE ... --model {path.stem}.qs', or name one that is shipped: "
            f"{', '.join(ALIASES)}",
        )
    try:
        present = sorted(set(os.listdir(path)) - {CARD})
    except OSError as error:
        raise StoreIOError(f"cannot be read: {error.strerror}", code="E-MODEL-READ", file=path) from error
    record = parse(_read(path / _JSON, _LARGEST_JSON), path / _JSON)
    wanted = sorted([_JSON, *record["trees"]])
    if present != wanted:
        missing, extra = sorted(set(wanted) - set(present)), sorted(set(present) - set(wanted))
        raise BadDataError(
            f"the model folder is not complete: {len(missing)} files missing {missing[:3]}, "
            f"{len(extra)} unexpected {extra[:3]}",
            code="E-MODEL-FILES",
            file=path,
        )
    trees, read = {}, {}
    for name, checksum in record["trees"].items():
        data = _read(path / name, _LARGEST_TREE)
        if hashlib.sha256(data).hexdigest() != checksum:
            raise BadDataError(
                "the file is not what was written: its SHA-256 differs",
                code="E-MODEL-CHECKSUM",
                file=path / name,
                hint="copy the model folder again from its source, or train again",
            )
        trees[name] = data.decode("ascii", errors="replace")
        read[name] = read_trees(trees[name], record["columns"], file=path / name)
    model = Model(
        columns=tuple(record["columns"]),
        definition=record["definition"],
        label=record["label"],
        settings=record["settings"],
        specimens=tuple(_specimen(fields) for fields in record["specimens"]),
        scores=nan_for_null(record["scores"]),
        warnings=tuple(record["warnings"]),
        trees=trees,
        versions=record["versions"],
        clouds=clouds_read(record.get("clouds", {}), len(record["columns"])),
        trained=record.get("trained", {}),
        linear=LinearPart.read(record["linear"], len(record["columns"])) if "linear" in record else None,
    )
    # As `ForestPart.read` would, which takes as long again and does not know the folder.
    if trees:
        vars(model.part)["read"] = tuple(read[name] for name in by_draw_and_fold(read))
    return model


def _specimen(fields: dict[str, Any]) -> Specimen:
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return Specimen(**plain)


def _read(path: Path, largest: int) -> bytes:
    """Bytes of a plain file that is no link; the size is that of the open file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size <= largest and not path.is_symlink():
                with open(descriptor, "rb", closefd=False) as file:
                    return file.read(status.st_size)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise BadDataError("a file of the model is missing", code="E-MODEL-FILES", file=path) from None
    except OSError as error:
        if not path.is_symlink():
            raise StoreIOError(f"cannot be read: {error.strerror}", code="E-MODEL-READ", file=path) from error
    raise BadDataError(
        f"a file of a model must be a plain file of at most {largest} bytes, no link", code="E-MODEL-FILES", file=path
    )


def loaded(path: str | Path, digest: str | None = None) -> Model:
    """Model of a folder, validated once per process and per change of its JSON; see `load_model`.

    Parameters
    ----------
    path : str or Path
        Folder, or name of a shipped model.
    digest : str, optional
        What `Model.digest` gave when the work began.

    Raises
    ------
    BadDataError
        ``E-MODEL-CHANGED`` when the model has been trained again since: parts of one answer must come from one model.
    """
    folder = folder_of(path)
    file = folder / _JSON
    found = _cached(str(folder), file.stat().st_mtime_ns if file.is_file() else 0)
    if digest is not None and found.digest() != digest:
        raise BadDataError(
            "the model was trained again while it was used",
            code="E-MODEL-CHANGED",
            file=path,
            why="some atoms would have the softness of the old model, others that of the new one",
            hint="run the same command again, with --overwrite where the old model's softness is there",
        )
    return found


@lru_cache(maxsize=4)
def _cached(path: str, stamp: int) -> Model:
    return load_model(path)
