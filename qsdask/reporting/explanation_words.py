"""What separates soft atoms from hard ones in the eyes of a model, in words that are made from the numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

__all__ = ["in_words"]

_RANGES = {"sro": "in the short range", "mro": "in the medium range"}

#: Columns that are named, and the smallest difference in standard deviations that is called one.
_NAMED, _CLEAR = 3, 0.2


def in_words(found: xr.Dataset) -> str:
    """A paragraph.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.importance`.

    Returns
    -------
    str
        Sentences of which every number is one of the Dataset.
    """
    soft, hard = found.attrs["n_soft"], found.attrs["n_hard"]
    limits = f"QS > {found.attrs['soft_above']:g}", f"QS < {found.attrs['hard_below']:g}"
    if not soft or not hard:
        return (
            f"There are {soft:,} soft atoms ({limits[0]}) and {hard:,} hard ones ({limits[1]}): nothing to hold apart."
        )
    whole = float(found["part_apart"].sum())
    told = [
        f"{soft:,} soft atoms ({limits[0]}) and {hard:,} hard ones ({limits[1]}) differ by {whole:.2f} in the mean score, the "
        "logarithm of the odds.",
        _shares(found, whole),
        _columns(found),
        _ranking(found),
    ]
    told.append(
        "Columns that go together share their contributions; these say what the model uses, not what causes plasticity."
    )
    return " ".join(part for part in told if part)


def _shares(found: xr.Dataset, whole: float) -> str:
    """Which kinds of columns make the difference."""
    order = np.argsort(-found["part_apart"].values)
    shares = [
        f"{_part(str(found['part'].values[k]))} {found['part_apart'].values[k] / whole:.0%}" for k in order[:_NAMED]
    ]
    ranges = [
        f"{float(share) / whole:.0%} {_range(str(name))}"
        for name, share in zip(found["range"].values, found["range_apart"].values, strict=True)
    ]
    told = f"Of that, {_and(shares)} come first"
    if len(ranges) > 1:
        told += f"; all in all {_and(ranges)}"
    if found.sizes["set"] > 1:
        sets = zip(found["set"].values, found["set_apart"].values, strict=True)
        told += f". By feature set it is {_and([f'{name} {share / whole:.0%}' for name, share in sets])}"
    return f"{told}."


def _columns(found: xr.Dataset) -> str:
    """The columns that make most of the difference, and in which direction they differ."""
    order = np.argsort(-found["apart"].values)[:_NAMED]
    told = []
    for k in order:
        name, higher = str(found["column"].values[k]), float(found["higher"].values[k])
        direction = "higher" if higher > 0 else "lower"
        size = (
            f"{abs(higher):.1f} standard deviations {direction}" if abs(higher) >= _CLEAR else "no different on average"
        )
        told.append(f"{name} ({found['meaning'].values[k]}) is {size}")
    return f"In soft atoms {_and(told)}."


def _ranking(found: xr.Dataset) -> str:
    """What permutation on the held-out glass says to that."""
    fall, spread = found["part_permutation"].values, found["part_permutation_std"].values
    if np.isnan(fall).all():
        return ""
    k = int(np.argmax(fall))
    name = _part(str(found["part"].values[k]))
    head = (
        f"On {found.attrs['n_permuted']:,} atoms of this glass, which the model has not seen, QS finds {found.attrs['sought']} "
        f"with an AUC-ROC of {found.attrs['auc']:.3f}"
    )
    if fall[k] <= 2.0 * spread[k]:
        return f"{head}; permuting no kind of column lowers it by more than twice the spread of permutations."
    return f"{head}; permuting {name} lowers it most, by {fall[k]:.3f} ± {spread[k]:.3f}."


def _part(name: str) -> str:
    """A part as people say it: ``mro__interstice_area`` is the interstice area in the medium range."""
    reach, _, quantity = name.partition("__")
    return f"{quantity.replace('_', ' ')} {_range(reach)}"


def _range(name: str) -> str:
    return _RANGES.get(name, f"in the medium range {name}")


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
