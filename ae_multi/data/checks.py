"""Validation of arrays before anything is computed from them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi.errors import InputError

_VALUES_AT_ONCE = 2**17  # values per chunk in `_extremes`: 512 KiB of float32


def check_array(
    x: ArrayLike,
    where: str,
    shape: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Validate an array and convert it to float32.

    Args:
        x: array-like of numbers, with the samples along the first axis.
        where: name of the array in messages ("x", "x_train of the data set 'mnist'").
        shape: required shape of one sample, or None for any.
        value_range: (lowest, highest) valid value, or None for any finite value.

    Returns:
        float32 array; ``x`` itself if it is one.

    Raises:
        InputError: no samples, a wrong shape, values that are not numbers, NaN, infinity, or a
            value out of range.
    """
    try:
        array = np.asarray(x)
        if array.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError):
        raise InputError(
            f"Expected {where} to be an array of numbers. Received: "
            f"{faulty_value(x) or _describe(x)}."
        ) from None
    if array.ndim == 0 or array.size == 0:
        raise InputError(
            f"Expected {where} to hold at least one sample. Received: shape {array.shape}."
        )
    if shape is not None and array.shape[1:] != tuple(shape):
        expected = ", ".join(["n", *map(str, shape)])
        raise InputError(
            f"Expected {where} of shape ({expected}), the input shape of the model. "
            f"Received: shape {array.shape}.{_reshape_hint(array.shape[1:], tuple(shape))}"
        )
    _check_values(array, where, value_range)
    return array.astype(np.float32, copy=False)


def faulty_value(x: Any) -> str | None:
    """Describe the first value in a table that is not a finite number, with column and row.

    Args:
        x: a data frame of pandas or Polars, an array (n, columns), or a list of rows.

    Returns:
        Text such as "nan in the column 'age', row 3", or None if all values are finite numbers or
        ``x`` is not a table.
    """
    columns: Iterable[tuple[Any, Any]]
    names = getattr(x, "columns", None)
    try:
        if names is None:
            array = _as_objects(x) if isinstance(x, list | tuple) else np.asarray(x.__array__())
            if array.ndim != 2:
                return None
            columns = ((number, array[:, number]) for number in range(array.shape[1]))
        elif hasattr(x, "iloc"):
            columns = ((name, x.iloc[:, number]) for number, name in enumerate(names))
        else:
            columns = ((name, x[name]) for name in names)
        for name, values in columns:
            row = _first_fault(np.asarray(values))
            if row is not None:
                value = np.asarray(values)[row]
                return f"{_shown(value)} in the column {name!r}, row {row}"
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None  # not a table; the caller raises its own error
    return None


def _as_objects(x: Sequence) -> np.ndarray:
    """Convert rows to an array of Python objects; NumPy would convert mixed values to text."""
    rows = [list(row) for row in x]
    array = np.empty((len(rows), len(rows[0])), object)
    for number, row in enumerate(rows):
        array[number] = row
    return array


def _first_fault(values: np.ndarray) -> int | None:
    """Return the row of the first value that is not a finite number, or None."""
    if values.dtype.kind in "biuc":
        return None
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        return int(np.argmax(bad)) if bad.any() else None
    if values.dtype.kind in "mM":
        return 0
    for row, value in enumerate(values):
        try:
            if isinstance(value, np.complexfloating) or not np.isfinite(float(value)):
                return row
        except (TypeError, ValueError):
            return row
    return None


def _shown(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:g}"
    return f"{value!s:.60} ({type(value).__name__})"


def _check_values(array: np.ndarray, where: str, value_range: tuple[float, float] | None) -> None:
    low, high = _extremes(array)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"Expected {where} to be finite. Received: {_first(array, ~np.isfinite(array))}."
        )
    largest = np.finfo(np.float32).max
    if low < -largest or high > largest:
        raise InputError(
            f"Expected {where} of numbers in the range of float32, up to {largest:.3g}. "
            f"Received: {_first(array, np.abs(array) > largest)}. Scale them first."
        )
    if value_range is not None and not (value_range[0] <= low and high <= value_range[1]):
        bad = (array < value_range[0]) | (array > value_range[1])
        hint = " Divide by 255 first." if value_range == (0.0, 1.0) and 1 < high <= 255 else ""
        raise InputError(
            f"Expected {where} within [{value_range[0]:g}, {value_range[1]:g}]. "
            f"Received: values from {low:g} to {high:g}, the first outside {_first(array, bad)}."
            f"{hint}"
        )


def _extremes(array: np.ndarray) -> tuple[Any, Any]:
    """Return (lowest, highest) value; a NaN anywhere makes both NaN."""
    # A chunk fits in the processor's cache, so that the second pass over it reads no memory.
    at_once = max(1, _VALUES_AT_ONCE * len(array) // array.size)
    chunks = [array[begin : begin + at_once] for begin in range(0, len(array), at_once)]
    lows, highs = zip(*((chunk.min(), chunk.max()) for chunk in chunks), strict=True)
    return np.min(lows), np.max(highs)


def _first(array: np.ndarray, bad: np.ndarray) -> str:
    """Describe the first value for which ``bad`` is true."""
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
    return f"{array[index]:g} at index {list(index)}"


def _describe(x: Any) -> str:
    dtype = getattr(x, "dtype", None)
    return f"{type(x).__name__}{f' of {dtype}' if dtype is not None else ''}"


def channels_hint(received: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Return advice for images in channels-first order, or "" for other shapes.

    Args:
        received: shape of one image.
        expected: expected shape of one image, channels last.
    """
    if len(expected) == 3 and received == (expected[-1], *expected[:-1]) != expected:
        return " The channels come first; move them to the end: np.moveaxis(x, 1, -1)."
    return ""


def _reshape_hint(received: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if hint := channels_hint(received, expected):
        return hint
    if received != expected and np.prod(received) == np.prod(expected):
        return f" The sizes match: use x.reshape({', '.join(['-1', *map(str, expected)])})."
    return ""
