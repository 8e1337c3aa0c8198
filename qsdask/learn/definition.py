"""The record of a model, ``model.json``: plain values, digest, checks, and how two definitions differ."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from qsdask import __version__
from qsdask.errors import BadDataError
from qsdask.learn.linear import LinearPart
from qsdask.learn.own_label import is_own, rule_fault
from qsdask.learn.table import Specimen
from qsdask.learn.validity import clouds_read
from qsdask.units import ANGSTROM, SIGMA, renamed

__all__ = [
    "FORMAT_VERSION",
    "TREE_NAME",
    "canonical",
    "definition_digest",
    "differences",
    "features_of_definition",
    "nan_for_null",
    "parse",
    "plain",
]

#: Version of the model folder; one with a higher version is refused. The first knows trees from one feature set
#: that learned a response.
FORMAT_VERSION = 2

#: Files of a model folder beside its record.
TREE_NAME = re.compile(r"fold-(0|[1-9][0-9]{0,3})-(0|[1-9][0-9]{0,3})\.txt")
#: What a model keeps of the softness of its training atoms.
_TRAINED = {"mean", "std", "hard", "soft", "times_likelier"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 1000


def definition_digest(definition: Mapping[str, Any]) -> str:
    """SHA-256 of a feature definition; the order of its keys and ``4`` or ``4.0`` make no difference.

    Parameters
    ----------
    definition : mapping
        JSON values.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(canonical(plain(definition))).hexdigest()


def features_of_definition(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of the feature sets of a definition, by name of the set.

    Parameters
    ----------
    definition : mapping
        With ``features``, the settings of the one set, or ``sets``, those of each of several.

    Returns
    -------
    dict of str to dict
        In the order of their names.
    """
    if "sets" in definition:
        return dict(sorted(definition["sets"].items()))
    return {definition["features"]["set"]: definition["features"]}


def parse(data: bytes, path: Path) -> dict[str, Any]:
    """Read the record of a model and check its form and its checksums.

    Parameters
    ----------
    data : bytes
        Content of ``model.json``.
    path : Path
        Name for messages.

    Returns
    -------
    dict
        With the keys, types and ranges that `qsdask.learn.load_model` relies on.

    Raises
    ------
    BadDataError
        ``E-MODEL-VERSION``, ``E-MODEL-JSON``, ``E-MODEL-CHECKSUM``; ``E-MODEL-CONTENT`` when it is what was written, and no
        trained model.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    try:
        record = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=no_constant)
        format_version = record["format_version"]
        if type(format_version) is not int or format_version < 1:
            raise ValueError("format_version is not a positive whole number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadDataError(f"the model record is damaged: {error!r}", code="E-MODEL-JSON", file=path) from None
    if format_version > FORMAT_VERSION:
        raise BadDataError(
            f"the model has format {format_version}; this is qsdask {__version__}, which knows <= {FORMAT_VERSION}",
            code="E-MODEL-VERSION",
            file=path,
            hint="a newer qsdask",
        )
    fault = _fault(record)
    if fault:
        raise BadDataError(f"the model record is damaged: {fault}", code="E-MODEL-JSON", file=path)
    body = {k: v for k, v in record.items() if k != "sha256"}
    try:
        intact = hashlib.sha256(canonical(body)).hexdigest() == record["sha256"]
        intact &= definition_digest(record["definition"]) == record["definition_sha256"]
    except (ValueError, RecursionError):
        # Numbers beyond the range of floats, halves of surrogate pairs, or bottomless nesting: never written.
        intact = False
    if not intact:
        raise BadDataError("the model record was changed: its SHA-256 differs", code="E-MODEL-CHECKSUM", file=path)
    if gap := _gap(record):
        raise BadDataError(f"the model cannot be used: {gap}", code="E-MODEL-CONTENT", file=path, hint="train it again")
    return record


def _gap(record: dict[str, Any]) -> str | None:
    """What an intact record lacks that every trained model has: without it softness would mean nothing."""
    label, mean = record["label"], record["scores"].get("mean")
    length = record["definition"].get("length", ANGSTROM)
    if length not in (ANGSTROM, SIGMA):
        return f"its lengths are in {length!r}"
    margin = renamed("surface_margin_angstrom", length)
    of_response = ("strain", "threshold", *(["frequency"] if "frequency" in label else []))
    if is_own(label) and (fault := rule_fault(label)):
        return fault
    for name in (*(() if is_own(label) else of_response), margin):
        if type(label.get(name)) not in (int, float):
            return f"its label has no {name}"
    try:
        sets = features_of_definition(record["definition"])
        named = bool(sets) and all(isinstance(name, str) and part["set"] == name for name, part in sets.items())
    except (KeyError, TypeError, AttributeError):
        named = False
    if not named:
        return "its definition names no feature set"
    # A score that is not defined is null.
    scored = isinstance(mean, dict) and all(
        type(mean.get(n, "")) in (int, float, type(None)) for n in ("auc", "auc_std")
    )
    if not scored or not isinstance(record["scores"].get("folds"), list):
        return "it has no scores"
    usable, plastic = (sum(each[name] for each in record["specimens"]) for name in ("n_usable", "n_plastic"))
    if plastic in (0, usable):
        return f"the {usable} atoms that it learned from have one label"
    return None


def _fault(record: dict[str, Any]) -> str | None:
    """First thing wrong with the form of a record."""
    kinds: dict[str, type] = dict.fromkeys(("definition", "label", "settings", "scores", "trees", "versions"), dict)
    kinds |= dict.fromkeys(("columns", "specimens", "warnings"), list)
    kinds |= {"format_version": int, "definition_sha256": str, "sha256": str}
    if set(record) - {"clouds", "trained", "linear"} != set(kinds):
        return f"keys differ: {sorted(set(record) ^ set(kinds))[:5]}"
    wrong = [name for name, kind in kinds.items() if type(record[name]) is not kind]
    if wrong:
        return f"{wrong[0]} must be {kinds[wrong[0]].__name__}"
    columns, trees = record["columns"], record["trees"]
    if not columns or len(columns) > 100_000 or not all(isinstance(c, str) for c in columns):
        return "columns must be names"
    if len(set(columns)) != len(columns):
        return "a column stands twice"
    if "linear" in record:
        try:
            LinearPart.read(record["linear"], len(columns))
        except (ValueError, KeyError, TypeError) as error:
            return f"its linear model: {error}"
    if not (len(trees) == 0 if "linear" in record else 1 <= len(trees) <= _MOST_FILES):
        return f"{len(trees)} trees"
    for name, checksum in trees.items():
        if not TREE_NAME.fullmatch(name) or not isinstance(checksum, str) or not _SHA256.fullmatch(checksum):
            return f"tree {name[:40]!r}"
    ratio = record["settings"].get("ratio")
    if type(ratio) not in (int, float) or not ratio >= 1:
        return "settings.ratio"
    if not all(isinstance(w, str) for w in (*record["warnings"], *record["versions"].values())):
        return "warnings and versions must be text"
    trained = record.get("trained", dict.fromkeys(_TRAINED, 0.0))
    if (
        not isinstance(trained, dict)
        or set(trained) != _TRAINED
        or not all(type(x) in (int, float) for x in trained.values())
    ):
        return "what it found its training atoms to be"
    try:
        clouds_read(record.get("clouds", {}), len(columns))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"the clouds of its training atoms: {error}"
    if not record["specimens"] or not all(_is_specimen(s) for s in record["specimens"]):
        return "a specimen"
    return None


def _is_specimen(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {f.name for f in fields(Specimen)}:
        return False
    counts = [entry[name] for name in ("n_atoms", "n_usable", "n_plastic")]
    return (
        isinstance(entry["key"], str)
        and isinstance(entry["name"], str)
        and all(type(n) is int and n >= 0 for n in counts)
        and counts[1] > 0
        and counts[2] <= counts[1]
        and isinstance(entry["fingerprint"], list)
        and all(type(d) in (int, float) for d in entry["fingerprint"])
        and isinstance(entry["species"], list)
        and all(isinstance(s, str) for s in entry["species"])
    )


def canonical(content: Any) -> bytes:
    """One way to write a JSON value, for digests.

    Parameters
    ----------
    content : JSON value
        From `plain`.

    Returns
    -------
    bytes
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def plain(content: Any) -> Any:
    """Reduce a value to JSON values.

    Parameters
    ----------
    content : mapping, sequence, array, number, str, bool or None

    Returns
    -------
    JSON value
        Tuples and arrays as lists, whole floats as int, NaN and infinity as null.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(content, Mapping):
        return {str(k): plain(v) for k, v in content.items()}
    if isinstance(content, np.ndarray | np.generic):
        return plain(content.tolist())
    if isinstance(content, list | tuple):
        return [plain(v) for v in content]
    if isinstance(content, float):
        if not math.isfinite(content):
            return None
        return int(content) if content.is_integer() and abs(content) < 2**53 else content
    if content is None or isinstance(content, str | bool | int):
        return content
    raise TypeError(f"a model record holds JSON values, not {type(content).__name__}")


def nan_for_null(content: Any) -> Any:
    """Turn the nulls of a tree of scores back into NaN.

    Parameters
    ----------
    content : JSON value

    Returns
    -------
    JSON value
    """
    if isinstance(content, dict):
        return {k: nan_for_null(v) for k, v in content.items()}
    if isinstance(content, list):
        return [nan_for_null(v) for v in content]
    return float("nan") if content is None else content


def differences(model: Any, store: Any, path: str) -> list[str]:
    """Where two definitions differ.

    Parameters
    ----------
    model, store : JSON value
        From `plain`. Under a key ``radii`` only the elements that both name are compared.
    path : str
        Where in the definition this is; empty at the top.

    Returns
    -------
    list of str
        One phrase each, such as ``cutoff_angstrom: model 4, store 4.5``.
    """
    if isinstance(model, dict) and isinstance(store, dict):
        both = sorted(set(model) & set(store))
        keys = both if path.rpartition(".")[2] == "radii" else sorted(set(model) | set(store))
        lost = "(not given)"
        return [
            text
            for key in keys
            for text in differences(model.get(key, lost), store.get(key, lost), f"{path}.{key}" if path else key)
        ]
    if type(model) is type(store) and model == store:
        return []
    if isinstance(model, int | float) and not isinstance(model, bool) and model == store and type(store) is not bool:
        return []
    return [f"{path}: model {model!r}, store {store!r}"]
