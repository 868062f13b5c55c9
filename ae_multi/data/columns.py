"""Columns of a data frame or array as NumPy arrays of one of four types.

Data frames are those of pandas and Polars; neither library is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ae_multi.data.cells import PARSERS, boolean_text, cell_text, date_text, number_text
from ae_multi.errors import InputError

# Names of the types of categories in pandas and Polars.
_CATEGORIES = ("category", "Categorical", "Enum")


class Column(NamedTuple):
    """Values of one column.

    Attributes:
        type: "number", "boolean", "date" or "text".
        values: array (n,). Numbers and booleans (0 and 1) are float64 with NaN for missing values,
            dates datetime64[us] in UTC with NaT, text strings with None.
        is_category: whether the data frame declares the column as categories.
    """

    type: Literal["number", "boolean", "date", "text"]
    values: np.ndarray
    is_category: bool = False

    def take(self, rows: np.ndarray) -> Column:
        """Return the column of the given rows."""
        return self._replace(values=self.values[rows])

    @property
    def missing(self) -> np.ndarray:
        """Which values are missing, booleans (n,)."""
        if self.type == "text":
            return np.array([value is None for value in self.values], bool)
        return np.isnat(self.values) if self.type == "date" else np.isnan(self.values)


class CellError(InputError):
    """A value that its column cannot hold.

    Args:
        expected: what the column holds ("a number").
        received: the value.
        column: name of the column.
        row: index of the row, from 0.
        where: place of the row in a file, which replaces the index in the message.
        series: index of the series, if the table is one of a list of series.
    """

    def __init__(
        self,
        expected: str,
        received: Any,
        column: str,
        row: int,
        where: str | None = None,
        series: int | None = None,
    ):
        self.expected, self.received, self.column, self.row = expected, received, column, row
        self.series = series
        if where is None and series is not None:
            where = f"row {row} of the series {series}"
        super().__init__(
            f"Expected {expected} in the column {column!r}, {where or f'row {row}'}. "
            f"Received: {received!r:.60}."
        )

    def moved(self, row: int, where: str | None = None, series: int | None = None) -> CellError:
        """Return the error for the same value at another place."""
        return CellError(self.expected, self.received, self.column, row, where, series)


def columns_of(x: Any) -> dict[str, Column]:
    """Return the columns of a table by name.

    Args:
        x: data frame of pandas or Polars, or an array (n, columns), whose columns are named "x0",
            "x1" and so on.

    Raises:
        InputError: another object, two columns of one name, or values that are not numbers,
            booleans, dates, times or text.
    """
    categories: set[str] = set()
    if hasattr(x, "columns") and hasattr(x, "dtypes"):
        names = [str(name) for name in x.columns]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InputError(
                f"Expected columns of different names. Received: {repeated[0]!r} more than once."
            )
        types = [str(dtype) for dtype in x.dtypes]
        categories = {n for n, t in zip(names, types, strict=True) if t.startswith(_CATEGORIES)}
        if hasattr(x, "iloc"):
            arrays = [_pandas_values(x.iloc[:, number]) for number in range(len(names))]
        else:
            arrays = [x.get_column(name).to_numpy() for name in x.columns]
    else:
        array = np.asarray(x)
        if array.ndim != 2:
            raise InputError(
                "Expected a data frame or an array of shape (n, columns). "
                f"Received: {type(x).__name__} of shape {array.shape}."
            )
        names = [f"x{number}" for number in range(array.shape[1])]
        arrays = [array[:, number] for number in range(array.shape[1])]
    columns = {name: _column(values, name) for name, values in zip(names, arrays, strict=True)}
    return {
        name: column._replace(is_category=name in categories) for name, column in columns.items()
    }


def concatenate(tables: Sequence[Mapping[str, Column]]) -> dict[str, Column]:
    """Return the rows of tables one after another, with the columns of the first table.

    Columns whose type differs become text.

    Raises:
        InputError: a table without one of the columns.
    """
    if len(tables) == 1:
        return dict(tables[0])
    joined = {}
    for name, first in tables[0].items():
        absent = next((place for place, each in enumerate(tables) if name not in each), None)
        if absent is not None:
            raise InputError(
                f"Expected the columns of the first table in all tables. Received: {name!r} "
                f"missing in the one with the index {absent}."
            )
        columns = [table[name] for table in tables]
        is_text = any(column.type != first.type for column in columns)
        values = [as_text(column) if is_text else column.values for column in columns]
        kind = "text" if is_text else first.type
        joined[name] = Column(kind, np.concatenate(values), any(c.is_category for c in columns))
    return joined


def convert(column: Column, type: str, name: str) -> np.ndarray:
    """Return the values of a column as another type.

    Text is read as a number, as a boolean (true, false, 1 or 0) or as a date of ISO 8601; numbers 0
    and 1 are booleans, booleans are numbers, and everything is text.

    Args:
        column: the column.
        type: "number", "boolean", "date" or "text".
        name: name of the column, for the message.

    Raises:
        CellError: a value that is not of this type, or an infinite number.
    """
    values = column.values
    if type == "text":
        return as_text(column)
    if column.type == "text":
        return _parsed(values, type, name)
    if type == "date" or column.type == "date":
        if type != column.type:
            row = int(np.argmax(~column.missing))
            raise CellError(_EXPECTED[type], as_text(column)[row], name, row)
        return values
    wrong = np.isinf(values)
    if type == "boolean":
        wrong = ~(np.isnan(values) | (values == 0) | (values == 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise CellError(_EXPECTED[type], float(values[row]), name, row)
    return values


def as_text(column: Column) -> np.ndarray:
    """Return the values of a column as text, None where a value is missing."""
    if column.type == "text":
        return column.values
    write: Callable[[Any], str]
    if column.type == "date":
        write = date_text
        values = column.values.astype(object)
    else:
        write = number_text if column.type == "number" else lambda value: boolean_text(value > 0)
        values = column.values
    texts = np.empty(len(values), object)
    for row in np.flatnonzero(~column.missing):
        texts[row] = write(values[row])
    return texts


def fraction_of_type(texts: np.ndarray, type: str) -> tuple[float, int | None]:
    """Return the fraction of texts that are of a type, and the first row of another type.

    Args:
        texts: text, None where it is missing.
        type: "number", "boolean" or "date".

    Returns:
        (fraction of the texts that are not missing, index of the first other one or None).
    """
    parse, total, wrong, first = PARSERS[type], 0, 0, None
    for row, text in enumerate(texts):
        if text is not None:
            total += 1
            try:
                parse(text)
            except (OverflowError, ValueError):
                first = row if first is None else first
                wrong += 1
    return (1 - wrong / total if total else 0.0), first


def _pandas_values(series: Any) -> np.ndarray:
    """Return the values of a pandas Series; objects are None where they are missing."""
    dtype = series.dtype
    if getattr(dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    if dtype.name == "category":
        series = series.astype(object)
    values = series.to_numpy()
    if values.dtype == object:
        values = values.copy()
        values[series.isna().to_numpy()] = None
    return values


def _column(values: np.ndarray, name: str) -> Column:
    kind = values.dtype.kind
    if kind == "b":
        return Column("boolean", values.astype(np.float64))
    if kind in "iuf":
        return Column("number", values.astype(np.float64))
    if kind == "M":
        return Column("date", values.astype("datetime64[us]"))
    if kind == "m":
        seconds = values / np.timedelta64(1, "s")
        return Column("number", np.asarray(seconds, np.float64))
    texts = np.empty(len(values), object)
    for row, value in enumerate(values):
        try:
            texts[row] = cell_text(value)
        except ValueError:
            expected = "a number, boolean, date, time or text"
            raise CellError(expected, value, name, row) from None
    return Column("text", texts)


_EXPECTED = {
    "number": "a finite number",
    "boolean": "true or false",
    "date": "a date or time as in ISO 8601, such as 2026-01-31 or 2026-01-31T08:30:00",
}
_MISSING = {"number": math.nan, "boolean": math.nan, "date": np.datetime64("NaT", "us")}


def _parsed(texts: np.ndarray, type: str, name: str) -> np.ndarray:
    parse, missing = PARSERS[type], _MISSING[type]
    values = np.empty(len(texts), "datetime64[us]" if type == "date" else np.float64)
    for row, text in enumerate(texts):
        try:
            values[row] = missing if text is None else parse(text)
        except (OverflowError, ValueError):
            raise CellError(_EXPECTED[type], text, name, row) from None
    return values
