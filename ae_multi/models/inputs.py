"""What callers hand to a model, made into arrays that fit it, or refused."""

import numpy as np

from ae_multi._keras import keras
from ae_multi.data.checks import check_array
from ae_multi.errors import InputError
from ae_multi.validation import check_shape

CHANNELS_LAST = "channels_last"  # of all models here, whatever Keras's global setting is
_COLOURS = (1, 3, 4)  # usual numbers of channels


def is_array_like(x):
    """Whether ``x`` is an array, not what feeds itself (a data set, loader or generator)."""
    return isinstance(x, np.ndarray | list) or hasattr(x, "__array__")


def check_image_shape(shape):
    """Return the shape of one image as a tuple, (height, width) or (height, width, channels).

    Raises:
        InputError: another number of axes, or channels first where Keras's setting says so.
    """
    shape = check_shape(shape)
    if len(shape) not in (2, 3):
        raise InputError(
            "Expected input_shape to be an image's, (height, width) or (height, width, "
            f"channels). Received: {shape}."
        )
    first = keras.config.image_data_format() == "channels_first"
    if first and len(shape) == 3 and shape[0] in _COLOURS and shape[2] not in _COLOURS:
        raise InputError(
            "Expected input_shape to have its channels last, (height, width, channels), whatever "
            f"keras.config.image_data_format() is. Received: {shape}, with channels first; use "
            f"{(*shape[1:], shape[0])} and move the axis of images: np.moveaxis(x, 1, -1)."
        )
    return shape


def sample_shape(part):
    """Shape of one input sample of a built Keras model; None where it has no single fixed one."""
    shape = getattr(part, "input_shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape[1:]):
        return None
    return shape[1:]


def as_samples(x, where, shape, value_range):
    r"""``x`` as float32 of shape (n, \*shape) within ``value_range``; a stream is left as it is."""
    if not is_array_like(x):
        return x
    return check_array(_to_numpy(x), where, shape, value_range)


def as_arrays(x, y, sample_weight, check, check_target=None):
    """(inputs, targets) or (inputs, targets, weights), of one length; targets default to inputs.

    Args:
        x: inputs.
        y: targets or None.
        sample_weight: a weight for each sample, or None.
        check: function that makes ``x`` an array or raises.
        check_target: function that raises where ``x`` cannot be its own target, or None.
    """
    x = check(x)
    if y is None and check_target is not None:
        check_target(x)
    arrays = [x, x if y is None else _to_numpy(y)]
    if sample_weight is not None:
        arrays.append(_to_numpy(sample_weight))
        if arrays[2].ndim == 1:
            # Keras weighs each pixel's error, so that a sample's weight has to spread over them.
            arrays[2] = arrays[2].reshape(-1, *[1] * (arrays[1].ndim - 2))
    for name, array in zip(("y", "sample_weight"), arrays[1:], strict=False):
        if len(array) != len(x):
            raise InputError(
                f"Expected {name} to have an entry for each of the {len(x)} samples. "
                f"Received: {len(array)} of them."
            )
    return tuple(arrays)


def as_validation(data, check, check_target=None):
    """``validation_data`` as Keras takes it, with the inputs for targets unless given."""
    parts = data if isinstance(data, tuple | list) else (data,)
    if not is_array_like(parts[0]):
        return data
    x, y, sample_weight = (*parts, None, None)[:3]
    return as_arrays(x, y, sample_weight, check, check_target)


def _to_numpy(x):
    """``x`` as a NumPy array; tensors on an accelerator are fetched by Keras.

    Numbers of types that NumPy does not have itself, bfloat16 say, become float32.
    """
    array = np.asarray(x) if isinstance(x, np.ndarray | list) else keras.ops.convert_to_numpy(x)
    return array.astype(np.float32) if array.dtype.name.startswith("bfloat") else array
