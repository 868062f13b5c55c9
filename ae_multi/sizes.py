"""What sizes and shapes may be, wherever a caller names one."""

import contextlib
import operator

from ae_multi.errors import InputError


def check_positive(**sizes):
    """Raise `InputError` unless each named size is an integer of at least 1, or None."""
    for name, size in sizes.items():
        if size is not None:
            _check_integer(name, size)


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
    return tuple(_check_integer(name, size) for size in shape)


def check_image_shape(shape):
    """Return the shape of one image as a tuple, with or without channels."""
    shape = check_shape(shape)
    if len(shape) not in (2, 3):
        raise InputError(
            "Expected input_shape to be an image's, (height, width) or (height, width, "
            f"channels). Received: {shape}."
        )
    return shape


def _check_integer(name, size):
    try:
        value = operator.index(size)
    except TypeError:
        value = 0
    if value < 1 or isinstance(size, bool):
        raise InputError(f"Expected {name} to be an integer of at least 1. Received: {size!r}.")
    return value
