"""Conversion and checks of the inputs, targets and weights of models."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.argument_checks import check_shape
from ae_multi.data.checks import check_array
from ae_multi.data.source import is_source
from ae_multi.errors import InputError

CHANNELS_LAST = "channels_last"  # data format of all models, independent of Keras's global setting
_CHANNEL_COUNTS = (1, 3, 4)  # usual numbers of channels


def is_array_like(x: Any) -> bool:
    """Return whether ``x`` is an array, and not a data set, loader or generator."""
    return isinstance(x, np.ndarray | list) or hasattr(x, "__array__")


def check_image_shape(shape: Sequence[int] | int) -> tuple[int, ...]:
    """Return the shape of one image as a tuple, (height, width) or (height, width, channels).

    Raises:
        InputError: the number of axes is not 2 or 3, or the channels seem to come first while
            Keras's global data format is "channels_first".
    """
    shape = check_shape(shape)
    if len(shape) not in (2, 3):
        raise InputError(
            "Expected input_shape to be an image shape, (height, width) or (height, width, "
            f"channels). Received: {shape}."
        )
    is_first = keras.config.image_data_format() == "channels_first" and len(shape) == 3
    if is_first and shape[0] in _CHANNEL_COUNTS and shape[2] not in _CHANNEL_COUNTS:
        raise InputError(
            "Expected input_shape to have its channels last, (height, width, channels), for any "
            f"keras.config.image_data_format(). Received: {shape}, with channels first; use "
            f"{(*shape[1:], shape[0])} and move the axis of images: np.moveaxis(x, 1, -1)."
        )
    return shape


def sample_shape(model: keras.layers.Layer) -> tuple[int, ...] | None:
    """Return the shape of one input sample of a Keras model, or None if it is not fixed."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape[1:]):
        return None
    return shape[1:]


def as_range(value_range: Sequence[float]) -> tuple[float, float]:
    """Return (lowest, highest) as two floats."""
    low, high = value_range
    return float(low), float(high)


def as_samples(
    x: Any,
    where: str,
    shape: Sequence[int] | None,
    value_range: tuple[float, float] | None,
) -> Any:
    r"""Convert an array to float32 and check its shape and range.

    Args:
        x: samples, or a source, whose samples are checked when they are read. Data sets, loaders
            and generators are returned unchanged.
        where: name of ``x`` in error messages.
        shape: shape of one sample, or None for any.
        value_range: (lowest, highest) allowed value, or None for any.

    Returns:
        NumPy float32 array of shape (n, \*shape).

    Raises:
        InputError: as `ae_multi.data.checks.check_array`.
    """
    if is_source(x):
        return x.map(lambda samples: check_array(samples, where, shape, value_range))
    if not is_array_like(x):
        return x
    return check_array(_to_numpy(x), where, shape, value_range)


def as_arrays(
    x: Any,
    y: Any,
    sample_weight: Any,
    check: Callable[[Any], np.ndarray],
    check_target: Callable[[np.ndarray], None] | None = None,
) -> tuple[np.ndarray, ...]:
    """Convert inputs, targets and weights to NumPy arrays of one length.

    Args:
        x: inputs.
        y: targets, or None to use the inputs.
        sample_weight: a weight for each sample, or None.
        check: function that converts ``x`` to an array or raises `InputError`.
        check_target: function that raises `InputError` if ``x`` cannot be its own target, or
            None.

    Returns:
        (inputs, targets) or (inputs, targets, weights).

    Raises:
        InputError: the lengths differ, or from ``check`` or ``check_target``.
    """
    x = check(x)
    if y is None and check_target is not None:
        check_target(x)
    arrays = [x, x if y is None else _to_numpy(y)]
    if sample_weight is not None:
        arrays.append(_to_numpy(sample_weight))
        if arrays[2].ndim == 1:
            # Keras weights the error of each pixel, so that the weight of a sample must broadcast.
            arrays[2] = arrays[2].reshape(-1, *[1] * (arrays[1].ndim - 2))
    for name, array in zip(("y", "sample_weight"), arrays[1:], strict=False):
        if len(array) != len(x):
            raise InputError(
                f"Expected {name} to have an entry for each of the {len(x)} samples. "
                f"Received: {len(array)} of them."
            )
    return tuple(arrays)


def as_validation(
    data: Any,
    check: Callable[[Any], np.ndarray],
    check_target: Callable[[np.ndarray], None] | None = None,
) -> Any:
    """Return ``validation_data`` in the form that Keras expects; targets default to inputs.

    ``data`` is x, (x, y) or (x, y, sample_weight). Data that are not arrays are returned unchanged.
    """
    arrays = data if isinstance(data, tuple | list) else (data,)
    if not is_array_like(arrays[0]):
        return data
    x, y, sample_weight = (*arrays, None, None)[:3]
    return as_arrays(x, y, sample_weight, check, check_target)


def _to_numpy(x: Any) -> np.ndarray:
    """Return ``x`` as a NumPy array on the host; bfloat16, which NumPy lacks, becomes float32."""
    array = np.asarray(x) if isinstance(x, np.ndarray | list) else keras.ops.convert_to_numpy(x)
    return array.astype(np.float32) if array.dtype.name.startswith("bfloat") else array
