"""Answers as the page reads them: JSON without NaN, and arrays behind a JSON head."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["json_of", "packed"]

#: Arrays start at multiples of this many bytes, as typed arrays of JavaScript must.
_ALIGNED = 8


def json_of(values: object) -> bytes:
    """JSON; what is not finite is null."""
    return json.dumps(_plain(values), allow_nan=False).encode()


def packed(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as little-endian bytes behind a head that tells where they are.

    Parameters
    ----------
    head : mapping
        What else is told.
    arrays : mapping of str to array
        Of types that JavaScript has: uint8, uint32, float32, float64.

    Returns
    -------
    bytes
        Length of the head in bytes, uint32; the head, JSON with ``arrays``: name -> dtype, offset from the end of the head,
        number of elements; the arrays. Head and arrays are filled up to multiples of 8 bytes.
    """
    told, parts, offset = {}, [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        told[name] = {"dtype": array.dtype.name, "offset": offset, "size": int(array.size)}
        parts.append(data + bytes(-len(data) % _ALIGNED))
        offset += len(parts[-1])
    text = json_of({**head, "arrays": told})
    text += b" " * (-(len(text) + 4) % _ALIGNED)
    return b"".join([len(text).to_bytes(4, "little"), text, *parts])


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
