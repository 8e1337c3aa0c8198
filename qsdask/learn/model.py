"""The model folder: text models and one JSON file; no pickle, nothing is executed on loading."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from qsdask import __version__
from qsdask.errors import BadDataError, CannotCreateError, NoInputError, StoreIOError
from qsdask.learn import gbdt
from qsdask.learn.definition import (
    FORMAT_VERSION,
    canonical,
    definition_digest,
    differences,
    nan_for_null,
    parse,
    plain,
)
from qsdask.learn.table import Specimen, same_glass

__all__ = ["Model", "load_model", "loaded", "refuse_other_content"]

_JSON = "model.json"
_LARGEST_JSON = 16 * 2**20
_LARGEST_TREE = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Model:
    """Trained trees with all that is needed to use them rightly.

    Attributes
    ----------
    columns : tuple of str
        Feature columns in the order of the trees.
    definition : dict
        How the features were made.
    label : dict
        How the atoms were labelled.
    settings : dict
        Settings of the training.
    specimens : tuple of Specimen
        Training specimens.
    scores : dict
        ``folds``: scores of each model on the rows left out; ``mean``: their means. NaN: not defined.
    warnings : tuple of str
        What a reader of the scores should know, each beginning with a code.
    trees : dict of str to str
        LightGBM text of each model by file name ``fold-<draw>-<k>.txt``.
    versions : dict of str to str
        Of qsdask, lightgbm and numpy at training.
    """

    columns: tuple[str, ...]
    definition: dict[str, Any]
    label: dict[str, Any]
    settings: dict[str, Any]
    specimens: tuple[Specimen, ...]
    scores: dict[str, Any]
    warnings: tuple[str, ...]
    trees: dict[str, str]
    versions: dict[str, str] = field(
        default_factory=lambda: {"qsdask": __version__, "lightgbm": version("lightgbm"), "numpy": version("numpy")}
    )

    @property
    def prior(self) -> float:
        """Plastic fraction of the usable training atoms."""
        return sum(s.n_plastic for s in self.specimens) / sum(s.n_usable for s in self.specimens)

    @property
    def trained_prior(self) -> float:
        """Plastic fraction after undersampling."""
        few = min(self.prior, 1 - self.prior)
        share = few / (few + min(1 - few, self.settings["ratio"] * few))
        return share if self.prior <= 0.5 else 1 - share

    def names(self) -> list[str]:
        """File names of the trees by draw, then fold."""
        return sorted(self.trees, key=_draw_and_fold)

    @cached_property
    def _boosters(self) -> list:
        return [gbdt.load(self.trees[name], self.columns, file=name) for name in self.names()]

    def boosters(self) -> list:
        """LightGBM models by draw, then fold, made on first use; their texts are checked before."""
        return self._boosters

    def __getstate__(self) -> dict[str, Any]:
        """Travel between Dask processes as text; the models are made anew there."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def digest(self) -> str:
        """SHA-256 of the whole model: the same for the same training data and settings.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        return hashlib.sha256(canonical(self._record())).hexdigest()

    def check_features(self, columns: Sequence[str], definition: Mapping[str, Any]) -> np.ndarray:
        """Refuse features that were made in another way; find the model's columns by name.

        Parameters
        ----------
        columns : sequence of str
            Feature columns of the store, in any order; there may be more than the model needs.
        definition : mapping
            How they were made. Under the key ``radii`` only elements that both sides name are compared: a
            model may be applied to another alloy.

        Returns
        -------
        int64 array, shape (n_feature,)
            Where each column of the model stands: ``X[:, index]`` is what `quench_in_softness` wants.

        Raises
        ------
        BadDataError
            ``E-FEATURES-DIFFER``, listing the differences.
        """
        found = differences(plain(self.definition), plain(definition), "")
        place = {name: k for k, name in enumerate(columns)}
        missing = [name for name in self.columns if name not in place]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            found.insert(0, f"columns missing: {shown}")
        if len(place) != len(columns):
            found.insert(0, "the store names a column twice")
        if found:
            more = f"; and {len(found) - 20} more" if len(found) > 20 else ""
            raise BadDataError(
                "the features of the store are not those the model was trained on: " + "; ".join(found[:20]) + more,
                code="E-FEATURES-DIFFER",
                hint="compute the features with the model's settings, or train a model on these features",
            )
        return np.array([place[name] for name in self.columns], dtype=np.int64)

    def check_specimen(self, key: str, fingerprint: Sequence[float] = ()) -> None:
        """Refuse to be judged on a specimen it was trained on.

        Parameters
        ----------
        key : str
            Key of the specimen.
        fingerprint : sequence of float
            Interatomic distances as in `Specimen`; see `qsdask.learn.same_glass`. Unit: angstrom.

        Raises
        ------
        BadDataError
            ``E-SPECIMEN-BOTH-SIDES``.
        """
        for specimen in self.specimens:
            if same_glass(key, fingerprint, specimen.key, specimen.fingerprint):
                raise BadDataError(
                    f"the specimen is training specimen {specimen.name!r} of the model",
                    code="E-SPECIMEN-BOTH-SIDES",
                    why="scores on atoms that were trained on say nothing about other glasses",
                    hint="evaluate on a held-out specimen, or train without this one",
                )

    def outside_domain(self, species: Sequence[str]) -> list[str]:
        """Elements of a store that no training specimen holds.

        Parameters
        ----------
        species : sequence of str
            Chemical symbols.

        Returns
        -------
        list of str
            Sorted; empty when all are known, or the training specimens do not name theirs. Softness is then
            a transfer to another alloy: to be flagged, not refused.
        """
        known = {s for specimen in self.specimens for s in specimen.species}
        return sorted(set(species) - known) if known else []

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the model folder: all of it, or nothing.

        Parameters
        ----------
        path : path-like
            Folder to make, ``NAME.qs``.
        overwrite : bool
            Replace a model folder of that name.

        Raises
        ------
        CannotCreateError
            ``E-EXISTS``: there is something already, or something that is no model folder.
            ``E-MODEL-WRITE``: the folder cannot be written.
        """
        path = Path(os.path.abspath(path))
        refuse_other_content(path)
        if path.exists() and not overwrite:
            raise CannotCreateError(
                "the model folder exists", code="E-EXISTS", file=path, hint="another name, or --overwrite"
            )
        record = self._record()
        record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
        content = {name: self.trees[name].encode() for name in self.names()}
        content[_JSON] = json.dumps(record, indent=1, allow_nan=False, sort_keys=True).encode() + b"\n"
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            for name, data in content.items():
                with open(fresh / name, "xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            _sync_folder(fresh)
            if path.exists():
                os.rename(path, old)
            try:
                os.rename(fresh, path)
            except OSError:
                if old.exists():
                    os.rename(old, path)
                raise
            _sync_folder(path.parent)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise CannotCreateError(
                f"the model folder cannot be written: {error.strerror or error}", code="E-MODEL-WRITE", file=path
            ) from error
        shutil.rmtree(old, ignore_errors=True)

    def _record(self) -> dict[str, Any]:
        definition = plain(self.definition)
        return plain(
            {
                "format_version": FORMAT_VERSION,
                "columns": self.columns,
                "definition": definition,
                "definition_sha256": definition_digest(definition),
                "label": self.label,
                "settings": self.settings,
                "specimens": [asdict(s) for s in self.specimens],
                "scores": self.scores,
                "warnings": self.warnings,
                "trees": {name: hashlib.sha256(self.trees[name].encode()).hexdigest() for name in self.names()},
                "versions": self.versions,
            }
        )


def refuse_other_content(path: Path) -> None:
    """Refuse a place where something is that is no model folder.

    Raises
    ------
    CannotCreateError
        ``E-EXISTS``.
    """
    is_model = path.is_dir() and not path.is_symlink() and (path / _JSON).is_file()
    if (path.is_symlink() or path.exists()) and not is_model:
        raise CannotCreateError(
            "something that is no model folder is there", code="E-EXISTS", file=path, hint="another name"
        )


def load_model(path: str | os.PathLike) -> Model:
    """Read a model folder, checking all of it before LightGBM sees any of it.

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
        ``E-MODEL-CHECKSUM``: a file is not what was written. ``E-MODEL-TREE``: see `gbdt.check_text`.

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
            hint=f"make one with 'qsdask train STORE ... --model {path.stem}.qs'",
        )
    try:
        present = sorted(os.listdir(path))
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
    trees = {}
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
        gbdt.check_text(trees[name], record["columns"], file=path / name)
    return Model(
        columns=tuple(record["columns"]),
        definition=record["definition"],
        label=record["label"],
        settings=record["settings"],
        specimens=tuple(
            Specimen(**{k: tuple(v) if isinstance(v, list) else v for k, v in s.items()}) for s in record["specimens"]
        ),
        scores=nan_for_null(record["scores"]),
        warnings=tuple(record["warnings"]),
        trees=trees,
        versions=record["versions"],
    )


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


def _draw_and_fold(name: str) -> tuple[int, ...]:
    return tuple(int(k) for k in re.findall(r"\d+", name))


def _sync_folder(path: Path) -> None:
    """Make the entries of a folder durable; not every system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def loaded(path: str | Path) -> Model:
    """Model of a folder, validated once per process and per change of its JSON; see `load_model`."""
    file = Path(path) / _JSON
    return _cached(str(path), file.stat().st_mtime_ns if file.is_file() else 0)


@lru_cache(maxsize=4)
def _cached(path: str, stamp: int) -> Model:
    return load_model(path)
