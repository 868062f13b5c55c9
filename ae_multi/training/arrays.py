"""What `fit` and `evaluate` are given, as arrays of the types that Keras would make of them."""

import numpy as np
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.errors import InputError


def is_stream(x):
    """Whether ``x`` feeds itself (a data set, loader or generator) rather than being arrays."""
    leaves = keras.tree.flatten(x)
    return not leaves or not all(_is_array(leaf) for leaf in leaves if leaf is not None)


def as_data(x, y=None, sample_weight=None, class_weight=None):
    """(x, y, sample_weight) as nested arrays with n samples each, every array converted once.

    Floating-point numbers become `keras.config.floatx()`, as in Keras; integers stay what they
    are, so that a model may be fed bytes and scale them itself.

    Raises:
        InputError: parts of different lengths, or class weights for what are no classes.
    """
    converted = {}

    def convert(part):
        if part is None:
            return None
        if id(part) not in converted:
            converted[id(part)] = (part, _as_array(part))  # with `part`, to keep its id taken
        return converted[id(part)][1]

    if class_weight is not None:
        if sample_weight is not None:
            raise InputError("Expected class_weight or sample_weight. Received: both.")
        if y is None or not _is_array(y):
            raise InputError("Expected class_weight with one array of labels. Received: no such y.")
        sample_weight = class_weight_to_sample_weights(np.asarray(y), class_weight)
    data = keras.tree.map_structure(convert, (x, y, sample_weight))
    lengths = {len(part) for part in keras.tree.flatten(data) if part is not None}
    if len(lengths) != 1 or lengths == {0}:
        raise InputError(
            "Expected x, y and sample_weight with the same number of samples, at least one. "
            f"Received: {sorted(lengths)} samples."
        )
    return _spread_weights(data)


def length(data):
    """The number of samples."""
    return len(next(part for part in keras.tree.flatten(data) if part is not None))


def first(data, count):
    """The first ``count`` samples."""
    return rows(data, slice(count))


def rows(data, some):
    """The samples in a slice; what is one array in ``data`` is one array here."""
    taken = {id(part): part[some] for part in keras.tree.flatten(data) if part is not None}
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


def hold(data):
    """The data on the device, or an `InputError` that says how large they are."""
    try:
        return backends.current().hold(data)
    except Exception as error:  # each framework has its own, and they share only the words
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(
            words in text for words in ("out of memory", "resource_exhausted", "oom")
        ):
            raise
        unique = {id(part): part for part in keras.tree.flatten(data) if part is not None}
        size = sum(part.nbytes for part in unique.values())
        raise InputError(
            f"Expected data that fit on the device. Received: {size / 2**30:.1f} GiB. Keep bytes "
            "as uint8 and scale them in the model, or feed batches: a keras.utils.PyDataset."
        ) from error


def _spread_weights(data):
    """One array of weights counts for each output."""
    x, y, weights = data
    if weights is not None and _is_array(weights) and keras.tree.is_nested(y):
        weights = keras.tree.map_structure(lambda _: weights, y)
    return x, y, weights


def _is_array(x):
    return isinstance(x, np.ndarray) or hasattr(x, "__array__")


def _as_array(part):
    array = part if isinstance(part, np.ndarray) else keras.ops.convert_to_numpy(part)
    if array.dtype.kind == "f":
        return array.astype(keras.config.floatx(), copy=False)
    if array.dtype.kind not in "iub":
        raise InputError(f"Expected arrays of numbers. Received: an array of {array.dtype}.")
    return array
