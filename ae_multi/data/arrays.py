"""The data of `fit`, `evaluate` and `predict`, as arrays of the types that Keras makes of them."""

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import (
    can_convert_arrays,
    class_weight_to_sample_weights,
    is_sparse_or_ragged,
    to_numpy,
)
from ae_multi.errors import InputError


class NotArraysError(InputError):
    """Data that are no dense arrays of numbers, with the ``reason`` to leave them to Keras."""

    def __init__(self, reason):
        super().__init__(f"Expected dense arrays of numbers. Received: {reason}.")
        self.reason = reason


def is_stream(x):
    """Whether ``x`` feeds itself (a data set, loader or generator) rather than being arrays."""
    return not keras.tree.flatten(x) or not can_convert_arrays(x)


def as_data(x, y=None, sample_weight=None, class_weight=None):
    """(x, y, sample_weight) as nested arrays with n samples each, every array converted once.

    Floating-point numbers become `keras.config.floatx()`, as in Keras; integers stay what they
    are, so that a model may be fed bytes and scale them itself. Without targets weights are left
    out, as in Keras.

    Raises:
        NotArraysError: what Keras has to feed itself: a stream, text, sparse or ragged tensors.
        InputError: arrays of different lengths, weights in another structure than ``y``, or class
            weights for what are no classes.
    """
    if is_stream(x) or not can_convert_arrays((y, sample_weight)):
        raise NotArraysError("the data feed themselves")
    converted = {}

    def convert(part):
        if part is None:
            return None
        if id(part) not in converted:
            converted[id(part)] = (part, as_array(part))  # with `part`, to keep its id taken
        return converted[id(part)][1]

    if class_weight is not None:
        if sample_weight is not None:
            raise InputError("Expected class_weight or sample_weight. Received: both.")
        if y is None or keras.tree.is_nested(y):
            raise InputError("Expected class_weight with one array of labels. Received: no such y.")
    x, y, sample_weight = keras.tree.map_structure(convert, (x, y, sample_weight))
    if class_weight is not None:
        sample_weight = class_weight_to_sample_weights(y, class_weight)
    data = (x, y, None if y is None else _weights_for(y, sample_weight))
    lengths = _lengths(data)
    if len(lengths) != 1 or lengths == [0]:
        found = ", ".join(
            f"{name} with {' or '.join(map(str, _lengths(part)))} samples"
            for name, part in _named(data)
        )
        raise InputError(
            "Expected x, y and sample_weight with the same number of samples, at least one. "
            f"Received: {found or 'no array'}."
        )
    return data


def _named(data):
    """(name, arrays) of those of (x, y, sample_weight) that are there."""
    pairs = zip(("x", "y", "sample_weight"), data, strict=True)
    return [(name, part) for name, part in pairs if part is not None]


def _lengths(data):
    """The numbers of samples of nested arrays, each once, the smallest first."""
    return sorted({len(array) if array.ndim else 0 for array in flat_arrays(data)})


def flat_arrays(data):
    """The arrays in nested ``data``, without what is None."""
    return [array for array in keras.tree.flatten(data) if array is not None]


def unique_arrays(data):
    """The arrays in nested ``data``, each once."""
    return list({id(array): array for array in flat_arrays(data)}.values())


def first_not_finite(data):
    """The first sample of (x, y, sample_weight) that is NaN or infinite, in words, or None."""
    for name, part in _named(data):
        for array in flat_arrays(part):
            if array.dtype.kind in "iub":
                continue
            finite = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
            if not finite.all():
                count = int((~finite).sum())
                others = f" and {count - 1} more" if count > 1 else ""
                return f"NaN or infinity in {name}, sample {int(np.argmin(finite))}{others}"
    return None


def length(data):
    """The number of samples."""
    return len(flat_arrays(data)[0])


def first(data, count):
    """The first ``count`` samples."""
    return rows(data, slice(count))


def rows(data, some):
    """The samples in a slice; what is one array in ``data`` is one array here."""
    taken = {id(array): array[some] for array in flat_arrays(data)}
    return keras.tree.map_structure(lambda part: None if part is None else taken[id(part)], data)


def split(data, share):
    """Training data and validation data, the last ``share`` of the samples, as Keras splits."""
    samples = length(data)
    count = int(samples * (1 - share)) if 0 < share < 1 else 0
    if not 0 < count < samples:
        raise InputError(
            "Expected validation_split to be a share between 0 and 1 that leaves samples on both "
            f"sides. Received: {share!r} of {samples} samples."
        )
    return first(data, count), rows(data, slice(count, None))


def to_device(data):
    """The data on the device, or an `InputError` that says how large they are."""
    try:
        return backends.current().to_device(data)
    except Exception as error:  # each framework has its own, and they share only the words
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(
            words in text for words in ("out of memory", "resource_exhausted", "oom")
        ):
            raise
        size = sum(array.nbytes for array in unique_arrays(data))
        raise InputError(
            f"Expected data that fit on the device. Received: {size / 2**30:.1f} GiB. Keep bytes "
            "as uint8 and scale them in the model, or feed batches: a keras.utils.PyDataset."
        ) from error


def _weights_for(y, weights):
    """Weights in the structure of ``y``: one array of them counts for each output, as in Keras."""
    if weights is None or not keras.tree.is_nested(y):
        return weights
    if keras.tree.is_nested(weights):
        try:
            keras.tree.assert_same_structure(y, weights)
        except ValueError:
            raise InputError(
                "Expected sample_weight in the structure of y, an array for each output. "
                f"Received: y as {_structure(y)}, sample_weight as {_structure(weights)}."
            ) from None
        return weights
    if weights.ndim != 1 and weights.shape[1:] != (1,):
        raise InputError(
            "Expected one sample_weight for several outputs to be of shape (n,), or sample_weight "
            f"in the structure of y. Received: shape {weights.shape}."
        )
    return keras.tree.map_structure(lambda _: weights, y)


def _structure(nested):
    return keras.tree.map_structure(lambda part: getattr(part, "shape", None), nested)


def as_array(part):
    """An array or tensor as an array of the type that Keras makes of it.

    Raises:
        NotArraysError: text, objects, sparse or ragged tensors.
    """
    if isinstance(part, np.ndarray):
        array = part
    elif is_sparse_or_ragged(part) or getattr(part, "is_sparse", False) is True:
        raise NotArraysError(f"{type(part).__name__}, which is sparse or ragged")
    else:
        # As Keras reads it: a `pandas.Series` becomes one column.
        array = to_numpy(part)
    if array.dtype.name.startswith(("float", "bfloat")):
        return array.astype(keras.config.floatx(), copy=False)
    if array.dtype.kind not in "iub":
        raise NotArraysError(f"an array of {array.dtype}")
    return array
