"""Untrusted JSON is read or refused with an `InputError`."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from tests.reference.damage import STEADY, damaged, outcome

TEXT = st.text(st.characters(codec="utf-8"))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def assert_is_json(value):
    """Assert that the value is unchanged by being written and read again."""
    assert json.loads(json.dumps(value, allow_nan=False)) == value


@STEADY
@given(VALUES)
def test_json_values_round_trip(value):
    assert safe_json.parse(json.dumps(value), "it") == value
    assert safe_json.parse(json.dumps(value, ensure_ascii=False).encode(), "it") == value


@STEADY
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    assert_is_json(outcome(safe_json.parse, text, "it"))


@STEADY
@given(st.data(), VALUES)
def test_damaged_json_is_read_or_refused(data, value):
    content = damaged(data.draw, json.dumps(value).encode())
    assert_is_json(outcome(safe_json.parse, content, "it"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ("[NaN]", "NaN, which is not a finite"),
        ("[-Infinity]", "not a finite number"),
        ("1e999", "1e999, which is not a finite"),
        ("9" * 5000, "an integer of 5,000 digits"),
        ("[" * 101 + "]" * 101, "more than 100 levels"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (r'"\ud800"', "surrogates not allowed"),
        (r'{"\ud800": 1}', "surrogates not allowed"),
        (b"\xff", "decode byte 0xff"),
        (" " * (safe_json.MAX_BYTES + 1), "at most 16,777,216 bytes of JSON"),
    ],
    ids=["twice", "nan", "infinity", "overflow", "digits", "deep", "deeper", "open", "half",
         "half key", "bytes", "long"],
)  # fmt: skip
def test_malformed_json_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        safe_json.parse(text, "it")


def test_json_numbers_have_python_types():
    found = safe_json.parse("[1, -2.5, 1e3, true, null]", "it")
    assert list(map(type, found)) == [int, float, float, bool, type(None)]


def test_json_file_is_read_up_to_the_size_limit(tmp_path):
    (tmp_path / "one.json").write_text('{"a": [1]}')
    assert safe_json.read(tmp_path / "one.json", "the settings") == {"a": [1]}
    with open(tmp_path / "huge.json", "wb") as file:
        file.truncate(1 << 40)  # a sparse file
    tracemalloc.start()
    with pytest.raises(InputError, match="at most"):
        safe_json.read(tmp_path / "huge.json", "the settings")
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()
    with pytest.raises(InputError, match="which is not a file"):
        safe_json.read(tmp_path, "the settings")
