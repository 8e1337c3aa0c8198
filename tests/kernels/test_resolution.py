"""Where the last digit of a table stands, against exact decimals."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qsdask.kernels.resolution import NO_DIGIT, written_digits

tokens = st.one_of(
    st.floats(-1e4, 1e4).map("{:.5f}".format),
    st.floats(-1e4, 1e4).map("{:g}".format),
    st.floats(-1e4, 1e4).map("{:.12E}".format),
    st.integers(-1000, 1000).map(str),
    st.sampled_from(["0", "-0.000", ".5", "+5.", "0e5", "1e-300", "-0.0012E+10"]),
)


def naive(numbers):
    """First digit of the largest, and most significant digits, zeros before the first one not counted."""
    decimals = [Decimal(token) for token in numbers if Decimal(token) != 0]
    if not decimals:
        return NO_DIGIT, 0
    return max(d.adjusted() for d in decimals), max(len(d.as_tuple().digits) for d in decimals)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=20), st.sampled_from([" ", "\t "]))
@example([("0.00120", "5"), ("1.5e3", "0")], " ")
def test_all_lines_against_decimals(rows, gap):
    data = "".join(f"7{gap}{x}{gap}name{gap}{y}{gap}\r\n" for x, y in rows).encode()
    buffer = np.frombuffer(data + bytes(8), np.uint8)
    wanted = np.array([False, True, False, True])
    assert written_digits(buffer, 0, len(data), wanted, 1, 100) == naive([t for row in rows for t in row])


@pytest.mark.parametrize("n_place", [1, 2, 7, 50])
def test_places_are_spread_over_the_text(n_place):
    """The largest number stands at the end of a long table and is seen when there are places enough."""
    lines = [f"{k} {k / 100:.2f}\n" for k in range(1000)]
    data = "".join(lines).encode()
    buffer = np.frombuffer(data + bytes(8), np.uint8)
    first, most = written_digits(buffer, 0, len(data), np.array([False, True]), n_place, 5)
    assert first - most + 1 == -2
    assert (first, most) == ((0, 3) if n_place > 1 else (-2, 1))
