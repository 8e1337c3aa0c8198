"""What a set gives is looked at before it is stored: NumPy would repeat a row and drop an imaginary part in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from qsdask.errors import BadDataError, UsageError
from qsdask.outside import loaded
from qsdask.quantity import AtomQuantity, Column
from qsdask.stages.toy import toy_block

COLUMN = Column("sro__made_up__cutoff", "1", "made up", "never", "cutoff")


@dataclass(frozen=True)
class MadeUp(AtomQuantity):
    """Gives what it is told to give."""

    name: ClassVar[str] = "made_up"
    columns: ClassVar[tuple[Column, ...]] = (COLUMN,)
    shells: ClassVar[tuple[str, ...]] = ("cutoff",)

    def compute(self, block):
        """Whatever stands in `given`."""
        return self.given(block.n_owned)  # type: ignore[attr-defined]


def giving(what) -> MadeUp:
    return type("Given", (MadeUp,), {"given": staticmethod(what), "__module__": __name__})()


BLOCK = toy_block(4.0, shells=("cutoff",))


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda n: np.zeros((1, 1)), r"shape \(27, 1\), got shape \(1, 1\)"),
        (lambda n: np.zeros(n), r"got shape \(27,\)"),
        (lambda n: np.zeros((n, 2)), r"got shape \(27, 2\)"),
        (lambda n: np.zeros((n, 1), complex), "of complex128"),
        (lambda n: np.zeros((n, 1), object), "of object"),
        (lambda n: [[0.0]] * n, "got list"),
        (lambda n: None, "got NoneType"),
        (lambda n: np.full((n, 1), np.inf), "infinite values in sro__made_up__cutoff"),
        (lambda n: 1 / 0, "failed with ZeroDivisionError"),
        (lambda n: (_ for _ in ()).throw(SystemExit(0)), "failed with SystemExit"),
    ],
)
def test_what_is_not_declared_is_refused_by_name(what, why):
    with pytest.raises(BadDataError, match=rf"(?s)E-FEATURE-OUTPUT.*'made_up' of .*test_outputs.*{why}"):
        giving(what)(BLOCK)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, bool])
def test_real_numbers_and_nan_are_taken(kind):
    value = giving(lambda n: np.ones((n, 1), kind))(BLOCK)
    assert value.shape == (27, 1)
    assert np.isnan(giving(lambda n: np.full((n, 1), np.nan))(BLOCK)).all()


@pytest.mark.parametrize("fault", [SystemExit(0), SyntaxError("invalid syntax"), ValueError("no"), ImportError("lost")])
def test_a_package_that_cannot_be_loaded_is_named(fault):
    class Entry:
        name, value, dist = "broken", "broken_package:Set", None

        def load(self):
            raise fault

    with pytest.raises(UsageError, match=rf"(?s)E-FEATURE-SET.*'broken'.*{type(fault).__name__}"):
        loaded(Entry())
