"""The byte parser against Python's own float, int and split."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qsdask.kernels import text
from qsdask.kernels.identity import repeated_id
from qsdask.kernels.lines import skip_lines
from qsdask.kernels.text import FLOAT, INT, NAME, SKIP, RowReader, parse_rows
from qsdask.kernels.words import PADDING


def buffer_of(data: bytes) -> np.ndarray:
    return np.frombuffer(bytearray(data + b"\0" * PADDING), np.uint8)


def parse(data: bytes, n_line: int, action, slot=None):
    slot = np.zeros(len(action), np.int64) if slot is None else np.array(slot)
    return parse_rows(buffer_of(data), 0, len(data), n_line, np.array(action), slot)


def floats(tokens: list[str]):
    data = "".join(token + "\n" for token in tokens).encode()
    return parse(data, len(tokens), [FLOAT])


decimals = st.builds(
    lambda sign, whole, point, fraction, exponent: sign + whole + point + fraction + exponent,
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", min_size=1, max_size=24),
    st.just("."),
    st.text("0123456789", max_size=24),
    st.one_of(st.just(""), st.integers(-330, 300).map("e{}".format), st.integers(-9, 9).map("E{:+03d}".format)),
)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e4, 1e4).map("{:.5f}".format),
    st.floats(-1e4, 1e4).map("{:g}".format),
    st.floats(-1e4, 1e4).map("{:.16e}".format),
    st.integers(-(10**30), 10**30).map(str),
    decimals,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=30))
@example(["0", "-0", "-0.0", ".5", "5.", "+1.5", "00000000000000000000001.5", "0.00000000000000000000001"])
@example(["9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000000000001"])  # half way
@example(["2.2250738585072011e-308", "4.9e-324", "2.4703282292062327e-324", "1e-400", "1.7976931348623157e308"])
@example(["1e22", "1e23", "123456789012345678e-4", "18446744073709551615", "9999999999999999999e-5"])
@example(["12345678", "1234567.8", "123456789.12345678", "1.12345678", "12345678.1", "999999.99", "7205759403792793e1"])
def test_floats_are_bitwise_those_of_python(tokens):
    tokens = [token for token in tokens if np.isfinite(float(token))]
    rows = floats(tokens)
    assert rows.kind == text.DONE
    expected = np.array([float(token) for token in tokens])
    np.testing.assert_array_equal(rows.floating[:, 0].view(np.int64), expected.view(np.int64))


def test_many_floats_left_to_python():
    tokens = [f"0.{k:022d}1" for k in range(1, 60001)]
    rows = floats(tokens)
    assert rows.floating[:, 0].tolist() == [float(token) for token in tokens]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=20))
def test_integers(values):
    rows = parse("".join(f"{v}\n" for v in values).encode(), len(values), [INT])
    assert rows.kind == text.DONE
    assert rows.integer[0].tolist() == values


@pytest.mark.parametrize("token", ["9223372036854775808", "-9223372036854775808", "1" * 30, "18446744073709551617"])
def test_integers_beyond_int64(token):
    rows = parse(f"1\n{token}\n".encode(), 2, [INT])
    assert (rows.kind, rows.line, rows.column) == (text.INT_RANGE, 1, 0)


@pytest.mark.parametrize("token", ["1.0", "1e3", "-", "+", "x", "1x", "--1", "12345678x", "1_0", "0x10"])
def test_not_an_integer(token):
    rows = parse(f"7\n7\n{token}\n".encode(), 3, [INT])
    assert (rows.kind, rows.line, rows.end) == (text.BAD_INT, 2, 4)


@pytest.mark.parametrize(
    "token",
    [
        "nan",
        "NaN",
        "inf",
        "-inf",
        "infinity",
        "********",
        "1.2D+01",
        "1,5",
        "1.#IND",
        "1.#QNAN",
        "1e",
        "1e+",
        "e5",
        ".",
        "-",
        "+",
        "-.",
        "1.2.3",
        "1..2",
        "1.5x",
        "x1.5",
        "1_000.0",
        "0x1p3",
        "1e5.5",
        "--1.0",
        "1e400",
        "-1e309",
        "1-2",
    ],
)
def test_not_a_finite_decimal_number(token):
    """Every line before it is long enough for the fast path, and it stands where the fast path looks."""
    data = f"1 12.34567 3.5\n2 12.34567 3.5\n3 {token} 3.5\n4 1.0 1.0\n".encode()
    rows = parse(data, 4, [INT, FLOAT, FLOAT], [0, 0, 1])
    assert (rows.kind, rows.line, rows.column) == (text.BAD_FLOAT, 2, 1)
    assert data[rows.end :].split()[0].decode() == token


@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n", "\t \r\n"])
@pytest.mark.parametrize("gap", [" ", "\t", "   ", " \t "])
def test_blanks_and_line_ends(gap, ending):
    lines = [["1", "Cu", "-1.5", "skipped"], ["2", "Zr", "2.25e1", "€"]]
    data = "".join(gap + gap.join(line) + ending for line in lines).encode()
    rows = parse(data, 2, [INT, NAME, FLOAT, SKIP])
    assert rows.kind == text.DONE
    assert rows.end == len(data)
    assert rows.integer.tolist() == [[1, 2]]
    assert rows.floating.tolist() == [[-1.5], [22.5]]
    assert rows.names == (b"Cu", b"Zr")


@pytest.mark.parametrize(
    ("bad", "kind", "column"),
    [
        ("1 2.0", text.FEW_TOKENS, 2),
        ("1 2.0 ", text.FEW_TOKENS, 2),
        ("", text.FEW_TOKENS, 0),
        ("  ", text.FEW_TOKENS, 0),
        ("1 2.0 3.0 4.0", text.MANY_TOKENS, 3),
        ("1 2.0 3.0 \x00", text.BAD_TOKEN, 3),
        ("1 2.0\x003.0 1", text.BAD_TOKEN, 2),
        ("1 \x00\x00\x00 3.0", text.BAD_TOKEN, 1),
        ("1 2.0\r3.0", text.BAD_TOKEN, 2),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("before", [0, 5, 2000])
def test_wrong_lines(bad, kind, column, ending, before):
    """In the first block and in a later one."""
    data = ("1 2.0 3.0" + ending) * before + bad + ending + ("1 2.0 3.0" + ending) * 3
    rows = parse(data.encode(), before + 4, [INT, FLOAT, FLOAT], [0, 0, 1])
    assert (rows.kind, rows.line, rows.column) == (kind, before, column)


def test_the_first_fault_of_a_block_is_reported():
    data = b"1 1.0 1\n2 x 1\n3 1.0 y\nz 1.0 1\n4 1.0\n"
    rows = parse(data, 5, [INT, FLOAT, INT], [0, 0, 1])
    assert (rows.kind, rows.line, rows.column) == (text.BAD_FLOAT, 1, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=6), st.sampled_from([1, 37, 400]))
def test_text_in_stretches_reads_as_one(cuts, n_line):
    """Names too: they are sorted over all stretches."""
    lines = [f"{k} {'ZBQ'[k * k % 3]}x {k * 0.37!r} 1e-{k % 400}\n".encode() for k in range(400)]
    action, slot = np.array([INT, NAME, FLOAT, FLOAT]), np.array([0, 0, 0, 1])
    whole = parse(b"".join(lines[:n_line]), n_line, action, slot)
    reader = RowReader(n_line, action, slot)
    edges = sorted({0, *cuts, 400})
    for first, last in pairwise(edges):
        data = b"".join(lines[first:last])
        end, _, kind = reader.read(buffer_of(data), 0, len(data))
        assert kind == text.DONE
        assert end == sum(map(len, lines[first : min(last, max(n_line, first))]))
    assert reader.full
    names, code = reader.names()
    assert names == whole.names
    np.testing.assert_array_equal(code, whole.code)
    np.testing.assert_array_equal(reader.integer, whole.integer)
    np.testing.assert_array_equal(reader.floating, whole.floating)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (["1 1", "x 1", "1 1e999", "1 1"], (1, 0)),  # the number is left to Python, and met first
        (["1 1", "1 1e999", "x 1", "1 1"], (1, 1)),
        (["1 1", "1 x", "1e999 1", "1 1"], (1, 1)),
        (["1 1", "1 1e999", "1e999 1", "1 1"], (1, 1)),
        (["1 1", "1e999 1e999", "1 1", "1 1"], (1, 0)),
        (["1 1", "1e999 x", "1 1", "1 1"], (1, 0)),
        (["1 1", "x 1e999", "1 1", "1 1"], (1, 0)),
        (["1e999 1", "1 1", "1", "1 1"], (0, 0)),
        (["1 1", "1", "1e999 1", "1 1"], (1, 1)),
    ],
)
def test_of_numbers_left_to_python_and_other_faults_the_first_is_reported(rows, fault):
    data = "".join(row + "\n" for row in rows).encode()
    found = parse(data, len(rows), [FLOAT, FLOAT], [0, 1])
    assert (found.line, found.column) == fault
    line = data.splitlines()[fault[0]]
    if found.kind == text.BAD_FLOAT:
        assert data[found.end :].split()[0] == line.split()[fault[1]]


def test_too_few_lines():
    rows = parse(b"1\n2\n", 3, [INT])
    assert (rows.kind, rows.line) == (text.FEW_LINES, 2)


def test_line_longer_than_a_block():
    rows = parse(b"1 1\n" + b"1" + b" " * 40000 + b"1\n", 2, [INT, INT], [0, 1])
    assert (rows.kind, rows.line) == (text.LONG_LINE, 1)


def test_text_must_end_with_a_newline_and_padding():
    with pytest.raises(ValueError, match="newline"):
        parse(b"1\n2", 2, [INT])
    with pytest.raises(ValueError, match="must follow"):
        parse_rows(np.frombuffer(b"1\n", np.uint8), 0, 2, 1, np.array([INT]), np.array([0]))


def test_names_are_sorted_whatever_their_order():
    names = ["Zr", "Cu", "Al", "Cu", "Zr", "Abcdefgh"]
    rows = parse("".join(f"{n}\n" for n in names).encode(), 6, [NAME])
    assert rows.names == (b"Abcdefgh", b"Al", b"Cu", b"Zr")
    assert [rows.names[k].decode() for k in rows.code] == names


def test_names_too_long_or_too_many():
    rows = parse(b"Cu\nAbcdefghi\n", 2, [NAME])
    assert (rows.kind, rows.line) == (text.BAD_TOKEN, 1)
    rows = parse("".join(f"N{k}\n" for k in range(200)).encode(), 200, [NAME])
    assert (rows.kind, rows.line) == (text.MANY_NAMES, 128)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ITEM: x\t", max_size=20), max_size=40), st.integers(0, 45), st.integers(0, 3))
def test_skip_lines(lines, n_line, first):
    lead = b"a" * first
    data = lead + "".join(line + "\n" for line in lines).encode()
    at, passed, item = skip_lines(buffer_of(data), first, len(data), n_line)
    expected, stopped = 0, False
    for line in lines[:n_line]:
        if line.startswith("ITEM:"):
            stopped = True
            break
        expected += 1
    # A line ITEM: that comes right after the last line asked for may be named as well.
    assert passed == expected
    assert at == first + sum(len(line) + 1 for line in lines[:expected])
    assert item == stopped


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-20, 20), max_size=12), st.sampled_from([1, 10**15]))
def test_repeated_id(values, spread):
    identity = np.array(values, np.int64) * spread
    seen, expected = {}, None
    for row, value in enumerate(values):
        if value in seen:
            expected = (seen[value], row)
            break
        seen[value] = row
    assert repeated_id(identity) == expected
