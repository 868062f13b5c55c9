"""What an array must be before anything is computed from it."""

import numpy as np

from ae_multi.errors import InputError

_VALUES = 2**17  # whose extremes are found at once: 512 KiB of float32


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
            f"Expected {where} to be an array of numbers. Received: {_describe(x)}."
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


def _check_values(array, where, value_range):
    low, high = _extremes(array)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"Expected {where} to be finite. Received: {_first(array, ~np.isfinite(array))}."
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
    at_once = max(1, _VALUES * len(array) // array.size)
    parts = [array[begin : begin + at_once] for begin in range(0, len(array), at_once)]
    lows, highs = zip(*((part.min(), part.max()) for part in parts), strict=True)
    return np.min(lows), np.max(highs)


def _first(array, bad):
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
    return f"{array[index]:g} at index {list(index)}"


def _describe(x):
    dtype = getattr(x, "dtype", None)
    return f"{type(x).__name__}{f' of {dtype}' if dtype is not None else ''}"


def _reshape_hint(received, expected):
    if received != expected and np.prod(received) == np.prod(expected):
        return f" The sizes fit: x.reshape({', '.join(['-1', *map(str, expected)])}) would do."
    return ""
