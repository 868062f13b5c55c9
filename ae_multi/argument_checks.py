"""Validation of sizes and shapes, and conversion of NumPy values."""

import contextlib
import operator
from typing import Any

import numpy as np

from ae_multi.errors import InputError


def as_plain(value: Any) -> Any:
    """Convert NumPy values to Python values.

    NumPy scalars and 0-d arrays become Python numbers, booleans or text; other arrays become
    tuples; the entries of lists and tuples are converted. Other values are returned unchanged.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, np.ndarray):
        return tuple(as_plain(each) for each in value.tolist())
    if type(value) in (list, tuple):
        return type(value)(as_plain(each) for each in value)
    return value


def check_positive(**sizes: Any) -> None:
    """Raise `InputError` unless each size is an integer of at least 1, or None."""
    for name, size in sizes.items():
        if size is not None:
            check_size(name, size)


def check_shape(shape: Any, name: str = "input_shape") -> tuple[int, ...]:
    """Return the shape of one sample as a tuple; an integer is the length of a vector.

    Args:
        shape: integer or sequence of integers, at least 1.
        name: name of the parameter, for the message.

    Raises:
        InputError: another value.
    """
    with contextlib.suppress(TypeError):
        shape = (operator.index(shape),)
    try:
        shape = tuple(shape)
    except TypeError:
        shape = ()
    if not shape:
        raise InputError(
            f"Expected {name} to be the sizes of one sample, such as (28, 28, 1) or 784. "
            f"Received: {shape!r}."
        )
    return tuple(check_size(name, size) for size in shape)


def check_size(name: str, size: Any) -> int:
    """Return ``size`` as an int.

    Args:
        name: name of the parameter, for the message.
        size: integer of at least 1.

    Raises:
        InputError: another value.
    """
    try:
        value = operator.index(size)
    except TypeError:
        value = 0
    if value < 1 or isinstance(size, bool):
        raise InputError(f"Expected {name} to be an integer of at least 1. Received: {size!r}.")
    return value
