"""`columns_of` and `convert`: the same columns from every kind of table."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ae_multi.data.columns import CellError, Column, as_text, columns_of, convert
from ae_multi.errors import InputError

DAY = datetime.date(2026, 1, 31)
NOON = datetime.datetime(2026, 1, 31, 12)
VALUES = {
    "number": [1.5, None, -2.0],
    "integer": [1, 2, 3],
    "boolean": [True, False, True],
    "boolean with missing": [True, None, False],
    "text": ["a", None, " b "],
    "empty": ["a", "", " "],
    "time": [NOON, None, NOON],
    "day": [DAY, None, DAY],
    "duration": [datetime.timedelta(hours=1), None, datetime.timedelta(seconds=5)],
}
EXPECTED = {
    "number": ("number", [1.5, np.nan, -2]),
    "integer": ("number", [1, 2, 3]),
    "boolean": ("boolean", [1, 0, 1]),
    "boolean with missing": ("boolean", [1, np.nan, 0]),
    "text": ("text", ["a", None, "b"]),
    "empty": ("text", ["a", None, None]),
    "time": ("date", np.array(["2026-01-31T12", "NaT", "2026-01-31T12"], "datetime64[us]")),
    "day": ("date", np.array(["2026-01-31", "NaT", "2026-01-31"], "datetime64[us]")),
    "duration": ("number", [3600, np.nan, 5]),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_frames_of_both_libraries_give_the_same_columns(library, name):
    kind, expected = EXPECTED[name]
    column = columns_of(library.DataFrame({name: VALUES[name]}))[name]
    values = convert(column, kind, name)
    if kind == "text":
        assert values.tolist() == expected
    else:
        np.testing.assert_array_equal(values, expected)
    is_missing = [value is None or not str(value).strip() for value in VALUES[name]]
    assert column.missing.tolist() == is_missing


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.array([1, None, 3], "Int64"), ["1", None, "3"]),
        (pd.array([True, None, False], "boolean"), ["true", None, "false"]),
        (pd.array(["u", None, "v"], "string"), ["u", None, "v"]),
        (pd.Categorical([7, None, 8]), ["7", None, "8"]),
        ([1.0, "x", True], ["1", "x", "true"]),
        (
            pd.to_datetime(["2026-01-01 00:30"] * 3).tz_localize("Europe/Berlin"),
            ["2025-12-31T23:30:00"] * 3,
        ),
    ],
    ids=["Int64", "boolean", "string", "category", "mixed", "time zone"],
)
def test_types_of_pandas_are_converted(values, expected):
    column = columns_of(pd.DataFrame({"a": values}))["a"]
    assert as_text(column).tolist() == expected


def test_declared_categories_are_marked_in_both_libraries():
    frames = [
        pd.DataFrame({"a": pd.Categorical([1, 2])}),
        pl.DataFrame({"a": pl.Series(["1", "2"], dtype=pl.Categorical)}),
    ]
    for frame in frames:
        column = columns_of(frame)["a"]
        assert column.is_category
        assert column.values.tolist() == ["1", "2"]


def test_columns_of_arrays_are_numbered():
    assert [*columns_of(np.zeros((2, 3)))] == ["x0", "x1", "x2"]
    assert columns_of(np.array([["a", 1.0]], dtype=object))["x1"].values.tolist() == ["1"]
    with pytest.raises(InputError, match=r"shape \(n, columns\)\. Received: ndarray of shape"):
        columns_of(np.zeros(3))


def test_repeated_names_are_refused():
    with pytest.raises(InputError, match=r"different names\. Received: 'a' more than once"):
        columns_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize(
    ("kind", "texts", "values"),
    [
        ("number", ["1", " 2.5e3", None], [1, 2500, np.nan]),
        ("boolean", ["true", "FALSE", "0"], [1, 0, 0]),
        (
            "date",
            ["2026-01-31", "2026-01-31T12:00:00+01:00", None],
            np.array(["2026-01-31", "2026-01-31T11", "NaT"], "datetime64[us]"),
        ),
    ],
)
def test_text_is_read_as_other_types(kind, texts, values):
    column = columns_of(pd.DataFrame({"a": texts}))["a"]
    np.testing.assert_array_equal(convert(column, kind, "a"), values)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("number", ["1", "two", "x"], r"finite number in the column 'a', row 1\. Received: 'two'"),
        ("number", ["1_000"], "Received: '1_000'"),
        ("number", ["inf"], "Received: 'inf'"),
        ("number", [1.0, np.inf], r"row 1\. Received: inf"),
        ("number", [NOON], "Received: '2026-01-31T12:00:00'"),
        ("boolean", [0.0, 2.0], r"true or false in the column 'a', row 1\. Received: 2\.0"),
        ("boolean", ["yes"], "Received: 'yes'"),
        ("date", ["31.01.2026"], "ISO 8601.*Received: '31.01.2026'"),
        ("date", [1.0, 2.0], r"row 0\. Received: '1'"),
    ],
)
def test_values_of_another_type_are_refused_with_row_and_column(kind, values, message):
    with pytest.raises(CellError, match=message):
        convert(columns_of(pd.DataFrame({"a": values}))["a"], kind, "a")


def test_objects_are_refused():
    with pytest.raises(CellError, match=r"row 1\. Received: \{\}"):
        columns_of(pd.DataFrame({"a": ["x", {}]}))


def test_numbers_are_written_as_text_without_loss():
    column = Column("number", np.array([3.0, 0.1, -1e-7, np.nan]))
    assert as_text(column).tolist() == ["3", "0.1", "-1e-07", None]
