"""What an array must be before anything is computed from it."""

import numpy as np

from ae_multi.errors import InputError

_VALUES_AT_ONCE = 2**17  # whose extremes are found at once: 512 KiB of float32


def check_array(x, where, shape=None, value_range=None):
    """Return ``x`` as a float32 array, or say what is wrong with it.

    Args:
        x: array-like of numbers, first axis the samples.
        where: what it is, for the message ("x", "x_train of the data set 'mnist'").
        shape: the shape that one sample must have, or None for any.
        value_range: (lowest, highest) value allowed, or None for any finite one.

    Raises:
        InputError: no samples, another shape, no numbers, NaN, infinity, or out of range.
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
            f"Expected {where} of shape ({expected}), as the model takes it. "
            f"Received: shape {array.shape}.{_reshape_hint(array.shape[1:], tuple(shape))}"
        )
    _check_values(array, where, value_range)
    return array.astype(np.float32, copy=False)


def faulty_value(x):
    """The first value in a table that is no finite number, and its column and row, as text.

    Args:
        x: a data frame of pandas or Polars, an array (n, columns), or a list of rows.

    Returns:
        Text such as "nan in the column 'age', row 3", or None where all values are finite numbers
        or ``x`` is no table.
    """
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
        return None  # no table after all; the caller has an error of its own to report
    return None


def _as_objects(x):
    """Rows of Python values, which NumPy would otherwise turn into text of one type."""
    rows = [list(row) for row in x]
    array = np.empty((len(rows), len(rows[0])), object)
    for number, row in enumerate(rows):
        array[number] = row
    return array


def _first_fault(values):
    """The row of the first value that is no finite number, or None."""
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


def _shown(value):
    if isinstance(value, float | np.floating):
        return f"{value:g}"
    return f"{value!s:.60} ({type(value).__name__})"


def _check_values(array, where, value_range):
    low, high = _extremes(array)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"Expected {where} to be finite. Received: {_first(array, ~np.isfinite(array))}."
        )
    largest = np.finfo(np.float32).max
    if low < -largest or high > largest:
        raise InputError(
            f"Expected {where} of numbers that float32 can hold, up to {largest:.3g}. "
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


def _extremes(array):
    """(lowest, highest) value; a NaN anywhere makes both NaN, so that they find every fault."""
    # What both look at stays in a processor's cache from one to the other.
    at_once = max(1, _VALUES_AT_ONCE * len(array) // array.size)
    parts = [array[begin : begin + at_once] for begin in range(0, len(array), at_once)]
    lows, highs = zip(*((part.min(), part.max()) for part in parts), strict=True)
    return np.min(lows), np.max(highs)


def _first(array, bad):
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
    return f"{array[index]:g} at index {list(index)}"


def _describe(x):
    dtype = getattr(x, "dtype", None)
    return f"{type(x).__name__}{f' of {dtype}' if dtype is not None else ''}"


def channels_hint(received, expected):
    """What to do about images whose channels come first, or "" where they do not."""
    if len(expected) == 3 and received == (expected[-1], *expected[:-1]) != expected:
        return " The channels come first; move them to the end: np.moveaxis(x, 1, -1)."
    return ""


def _reshape_hint(received, expected):
    if hint := channels_hint(received, expected):
        return hint
    if received != expected and np.prod(received) == np.prod(expected):
        return f" The sizes fit: x.reshape({', '.join(['-1', *map(str, expected)])}) would do."
    return ""
