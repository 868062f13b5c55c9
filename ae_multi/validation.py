"""What sizes and shapes may be, wherever a caller names one."""

import contextlib
import operator

import numpy as np

from ae_multi.errors import InputError


def as_plain(value):
    """A NumPy number, boolean or text, or a 0-d array of one, as Python's own; others unchanged.

    Arrays of more dimensions become tuples, and the entries of lists and tuples are converted.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, np.ndarray):
        return tuple(as_plain(each) for each in value.tolist())
    if type(value) in (list, tuple):
        return type(value)(as_plain(each) for each in value)
    return value


def check_positive(**sizes):
    """Raise `InputError` unless each named size is an integer of at least 1, or None."""
    for name, size in sizes.items():
        if size is not None:
            check_size(name, size)


def check_shape(shape, name="input_shape"):
    """Return the shape of one sample as a tuple; a single integer is a vector's length."""
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


def check_size(name, size):
    """Return a size as an int, or raise `InputError` unless it is an integer of at least 1."""
    try:
        value = operator.index(size)
    except TypeError:
        value = 0
    if value < 1 or isinstance(size, bool):
        raise InputError(f"Expected {name} to be an integer of at least 1. Received: {size!r}.")
    return value
