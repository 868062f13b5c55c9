"""Conversion and validation of the arrays that `fit`, `evaluate` and `predict` take.

Data are nested arrays, or a tuple (x, y, sample_weight) of nested arrays and None. Every array
has n samples along its first axis and the dtype that Keras would convert it to.
"""

from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import (
    can_convert_arrays,
    class_weight_to_sample_weights,
    is_sparse_or_ragged,
    to_numpy,
)
from ae_multi.data.source import has_sources, is_source
from ae_multi.errors import InputError


class NotArraysError(InputError):
    """Data that are not dense arrays of numbers, so that Keras has to process them.

    Attributes:
        reason: what the data are, for messages.
    """

    def __init__(self, reason: str):
        super().__init__(f"Expected dense arrays of numbers. Received: {reason}.")
        self.reason = reason


def is_stream(x: Any) -> bool:
    """Return whether ``x`` is a stream (a data set, loader or generator) instead of arrays."""
    return not keras.tree.flatten(x) or not can_convert_arrays(_without_sources(x))


def _without_sources(x: Any) -> Any:
    """Return nested data with an array in place of each source."""
    return keras.tree.map_structure(lambda leaf: np.empty(0) if is_source(leaf) else leaf, x)


def as_data(
    x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None
) -> tuple[Any, Any, Any]:
    """Convert (x, y, sample_weight) to nested arrays of n samples each, each object once.

    Floating-point numbers are cast to `keras.config.floatx()`, as in Keras. Integers keep their
    dtype, so that a model can take bytes and scale them itself. Without ``y`` the weights are
    ignored, as in Keras.

    Args:
        x: array, tensor, data frame or `Source`, or nested such.
        y: targets of the same kinds, or None.
        sample_weight: weights of the samples, one array or in the structure of ``y``, or None.
        class_weight: dict of class to weight, or None; needs ``y`` to be one array of labels.

    Returns:
        (x, y, sample_weight) as NumPy arrays, or unread sources, in the given structures.

    Raises:
        NotArraysError: data that Keras has to process: a stream, text, sparse or ragged tensors.
        InputError: arrays of different lengths, weights in a different structure than ``y``, or
            class weights without one array of labels.
    """
    if is_stream(x) or not can_convert_arrays(_without_sources((y, sample_weight))):
        raise NotArraysError("the data are a stream")
    converted: dict = {}

    def convert(leaf):
        if leaf is None or is_source(leaf):
            return leaf
        if id(leaf) not in converted:
            # The reference to `leaf` keeps its id from being reused.
            converted[id(leaf)] = (leaf, as_array(leaf))
        return converted[id(leaf)][1]

    if class_weight is not None:
        if sample_weight is not None:
            raise InputError("Expected class_weight or sample_weight. Received: both.")
        if y is None or keras.tree.is_nested(y) or is_source(y):
            raise InputError(
                "Expected class_weight with one array of labels. "
                f"Received: y of {type(y).__name__}."
            )
    x, y, sample_weight = keras.tree.map_structure(convert, (x, y, sample_weight))
    if class_weight is not None:
        sample_weight = class_weight_to_sample_weights(y, class_weight)
    data = (x, y, None if y is None else _weights_for(y, sample_weight))
    lengths = _lengths(data)
    if len(lengths) != 1 or lengths == [0]:
        received = ", ".join(
            f"{name} with {' or '.join(map(str, _lengths(arrays)))} samples"
            for name, arrays in _named(data)
        )
        raise InputError(
            "Expected x, y and sample_weight with the same number of samples, at least one. "
            f"Received: {received or 'no array'}."
        )
    return data


def _named(data: tuple) -> list[tuple[str, Any]]:
    """Return (name, arrays) of those of (x, y, sample_weight) that are not None."""
    pairs = zip(("x", "y", "sample_weight"), data, strict=True)
    return [(name, arrays) for name, arrays in pairs if arrays is not None]


def _lengths(data: Any) -> list[int]:
    """Return the distinct numbers of samples of nested arrays, in ascending order."""
    return sorted({len(array) if array.ndim else 0 for array in flat_arrays(data)})


def flat_arrays(data: Any) -> list[Any]:
    """Return the arrays in nested ``data``, without None."""
    return [array for array in keras.tree.flatten(data) if array is not None]


def unique_arrays(data: Any) -> list[Any]:
    """Return the arrays in nested ``data``, each once."""
    return list({id(array): array for array in flat_arrays(data)}.values())


def first_not_finite(data: tuple) -> str | None:
    """Describe the first sample of (x, y, sample_weight) with NaN or infinity, or return None."""
    for name, arrays in _named(data):
        for array in flat_arrays(arrays):
            bad = rows_not_finite(array)
            if len(bad):
                others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
                return f"NaN or infinity in {name}, sample {bad[0]}{others}"
    return None


def rows_not_finite(array: np.ndarray) -> np.ndarray:
    """Return the indices of the samples of ``array`` with NaN or infinity."""
    if array.dtype.kind in "iub":
        return np.empty(0, np.int64)
    return np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))


def length(data: Any) -> int:
    """Return the number of samples."""
    return len(flat_arrays(data)[0])


def first(data: Any, count: int) -> Any:
    """Return the first ``count`` samples."""
    return rows(data, slice(count))


def rows(data: Any, some: slice | np.ndarray) -> Any:
    """Return the samples that the slice or index array ``some`` selects.

    An array that occurs several times in ``data`` is sliced once and stays one object.
    """
    sliced = {id(array): array[some] for array in flat_arrays(data)}
    return keras.tree.map_structure(lambda leaf: None if leaf is None else sliced[id(leaf)], data)


def split(data: Any, share: float) -> tuple[Any, Any]:
    """Split samples into training data and validation data, as Keras does.

    Args:
        data: nested arrays.
        share: fraction of the samples for validation, taken from the end.

    Returns:
        (training data, validation data) in the structure of ``data``.

    Raises:
        InputError: a fraction that leaves one side without samples.
    """
    if has_sources(data):
        raise InputError(
            "Expected validation_data with sources. Received: validation_split, which would read "
            "a part of the sources into memory."
        )
    samples = length(data)
    count = int(samples * (1 - share)) if 0 < share < 1 else 0
    if not 0 < count < samples:
        raise InputError(
            "Expected validation_split to be a fraction between 0 and 1 that leaves samples on "
            f"both sides. Received: {share!r} of {samples} samples."
        )
    return first(data, count), rows(data, slice(count, None))


def to_device(data: Any) -> Any:
    """Copy data to the device and return the backend's `DeviceData`.

    Raises:
        InputError: the device has too little memory; the message states the size of the data.
    """
    try:
        return backends.current().to_device(data)
    except Exception as error:  # each framework has its own class; only the words are common
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(
            words in text for words in ("out of memory", "resource_exhausted", "oom")
        ):
            raise
        size = sum(array.nbytes for array in unique_arrays(data))
        raise InputError(
            f"Expected data that fit on the device. Received: {size / 2**30:.1f} GiB. Keep bytes "
            "as uint8 and scale them in the model, or pass batches as a keras.utils.PyDataset."
        ) from error


def _weights_for(y: Any, weights: Any) -> Any:
    """Return weights in the structure of ``y``; one array applies to every output, as in Keras."""
    if weights is None or not keras.tree.is_nested(y):
        return weights
    if keras.tree.is_nested(weights):
        try:
            keras.tree.assert_same_structure(y, weights)
        except ValueError:
            raise InputError(
                "Expected sample_weight in the structure of y, one array per output. "
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
    return keras.tree.map_structure(lambda leaf: getattr(leaf, "shape", None), nested)


def as_array(part: Any) -> np.ndarray:
    """Convert an array or tensor to a NumPy array of the dtype that Keras would use.

    Raises:
        NotArraysError: text, objects, sparse or ragged tensors.
    """
    if isinstance(part, np.ndarray):
        array = part
    elif is_sparse_or_ragged(part) or getattr(part, "is_sparse", False) is True:
        raise NotArraysError(f"{type(part).__name__}, which is sparse or ragged")
    else:
        # Keras's own conversion, by which a `pandas.Series` becomes one column.
        array = to_numpy(part)
    if array.dtype.name.startswith(("float", "bfloat")):
        return array.astype(keras.config.floatx(), copy=False)
    if array.dtype.kind not in "iub":
        raise NotArraysError(f"an array of {array.dtype}")
    return array
