"""Errors of plain float32 summation, measured on the terms of a float64 run.

A float32 sum of n terms in random order has an error of about √n · 2⁻²⁴. If the terms are equal,
or nearly equal, each addition rounds in the same direction and the error grows with n (Higham,
"Accuracy and Stability of Numerical Algorithms", section 4.2: at most (n - 1) · 2⁻²⁴ · Σ|terms|).
The terms determine which of the two applies. So this module takes the terms from the float64 run,
adds them one after another in float32, and measures the error.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi._keras import keras
from ae_multi.parity.term_counts import DEPTHWISE, TRANSPOSED

# The error of a sum of equal terms depends on their last bits and may be 0 by chance. Scaling the
# terms changes these bits, so the largest error over several scales is used.
_SCALES = (1.0, 1.07, 1.19, 1.31, 1.43, 1.57, 1.73, 1.87)
_FEW_SCALES = (1.0, 1.31)
_MAX_TERMS_FOR_ALL_SCALES = 10**7
# Largest relative error of a variance by cancellation that counts as rounding.
_MOST_CANCELLED = 1e-4


def plain_sum_errors(terms: ArrayLike) -> np.ndarray:
    """Return the absolute error of each column's sum if float32 terms are added in order.

    It is the largest error over several scales of the terms.

    Args:
        terms: float64 array of shape (n, k): k sums of n terms.

    Returns:
        Float64 array of shape (k,).
    """
    terms = np.asarray(terms, np.float64)
    worst = np.zeros(terms.shape[1])
    for scale in _SCALES if terms.size <= _MAX_TERMS_FOR_ALL_SCALES else _FEW_SCALES:
        scaled = terms * scale
        # NumPy adds two or more columns row by row in order, but a single column pairwise.
        rounded = np.column_stack([scaled, np.zeros(len(scaled))]).astype(np.float32)
        sums = np.add.reduce(rounded, axis=0)[:-1].astype(np.float64)
        worst = np.maximum(worst, np.abs(sums - scaled.sum(axis=0)) / scale)
    return worst


def forward_sums(
    layer: keras.layers.Layer,
    inputs: Sequence[np.ndarray],
    outputs: np.ndarray,
    training: bool,
) -> dict[str, float]:
    """Return the size and the summation error of the sums in a layer's output.

    They are known for sums and means of layers, global average pooling, normalisation, dense layers
    and convolutions.

    Args:
        layer: a Keras layer.
        inputs: float64 arrays, the inputs of the layer.
        outputs: float64 array, the output of the layer.
        training: whether the layer ran in training mode.

    Returns:
        Dict of items of a `Trace`'s entry: ``scale``, the size of the terms of each output, and
        ``summation``, the error of plain summation in float32; each only if it is known.
    """
    layers = keras.layers
    if not inputs or any(array.dtype.kind != "f" for array in [*inputs, outputs]):
        return {}
    largest = max((float(np.max(np.abs(array), initial=0.0)) for array in inputs), default=0.0)
    if isinstance(layer, layers.Add | layers.Subtract | layers.Average):
        return {"scale": largest}
    if isinstance(layer, _POOLS):
        axis = 1 if layer.data_format == "channels_first" else -1
        x = np.moveaxis(inputs[0], axis, -1)
        terms = np.moveaxis(x.reshape(len(x), -1, x.shape[-1]), 1, 0).reshape(
            math.prod(x.shape[1:-1]), -1
        )
        error = float(np.max(plain_sum_errors(terms), initial=0.0)) / max(len(terms), 1)
        return {"scale": largest, "summation": error}
    moments = isinstance(layer, layers.BatchNormalization) and training and layer.trainable
    if moments or isinstance(layer, layers.GroupNormalization):
        mean_error, variance_error, x, deviation = _moment_errors(layer, inputs[0])
        gamma = np.abs(weight_or(layer, "gamma", 1.0))
        if isinstance(layer, layers.GroupNormalization):  # a group has a gamma for each channel
            gamma = np.max(gamma)
        normal = np.max(np.abs(x - x.mean(axis=0)), axis=0) / deviation
        errors = gamma * (mean_error / deviation + normal * variance_error / (2 * deviation**2))
        return {"summation": float(np.max(errors, initial=0.0))}
    if isinstance(layer, layers.Dense | _CONVOLUTIONS | DEPTHWISE | TRANSPOSED):
        kernel = np.abs(keras.ops.convert_to_numpy(layer.kernel))
        if isinstance(layer, TRANSPOSED):
            kernel = np.moveaxis(kernel, -2, -1)
        channels = kernel.shape[-1] * (kernel.shape[-2] if isinstance(layer, DEPTHWISE) else 1)
        return {"scale": largest * float(np.max(kernel.reshape(-1, channels).sum(axis=0)))}
    return {}


_POOLS = (
    keras.layers.GlobalAveragePooling1D
    | keras.layers.GlobalAveragePooling2D
    | keras.layers.GlobalAveragePooling3D
)
_CONVOLUTIONS = keras.layers.Conv1D | keras.layers.Conv2D | keras.layers.Conv3D


def statistic_sums(
    layer: keras.layers.Layer, inputs: Sequence[np.ndarray]
) -> dict[int, dict[str, float]]:
    """Return the size and the summation error of the statistics of a `BatchNormalization`.

    The exact mean of values that an earlier layer has normalised is 0, so only the size of its
    terms bounds its rounding error.

    Args:
        layer: a Keras layer; the result is empty for other layers than `BatchNormalization`.
        inputs: float64 arrays, the inputs of the layer in training.

    Returns:
        Dict of a statistic's id to a dict of ``scale`` and ``summation``, see `forward_sums`.
    """
    if not isinstance(layer, keras.layers.BatchNormalization) or not (layer.trainable and inputs):
        return {}
    mean_error, variance_error, x, _ = _moment_errors(layer, inputs[0])
    sizes = np.mean(np.abs(x), axis=0), np.var(x, axis=0)
    result, share = {}, 1.0 - layer.momentum
    for variable, size, error in (
        (layer.moving_mean, sizes[0], mean_error),
        (layer.moving_variance, sizes[1], variance_error),
    ):
        previous = layer.momentum * np.abs(keras.ops.convert_to_numpy(variable))
        result[id(variable)] = {
            "scale": float(np.max(previous + share * size, initial=0.0)),
            "summation": float(share * np.max(error, initial=0.0)),
        }
    return result


def weight_or(layer: keras.layers.Layer, name: str, default: float) -> Any:
    """Return a layer's weight ``name`` as a NumPy array, or ``default`` if it does not exist."""
    weight = getattr(layer, name, None)
    return default if weight is None else keras.ops.convert_to_numpy(weight)


def _moment_errors(
    layer: keras.layers.Layer, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the errors of a normalisation's moments by plain summation.

    Keras computes the variance on PyTorch as E[x²] - E[x]², in which digits cancel if the mean is
    larger than the spread. The variance's error includes that of this formula up to the relative
    size `_MOST_CANCELLED`. A larger error is not rounding, but a difference to report.

    Returns:
        (errors of the means, errors of the variances, ``x`` as a row for each term and a column
        for each mean, standard deviations).
    """
    x = np.moveaxis(np.asarray(x, np.float64), layer.axis, -1)
    if isinstance(layer, keras.layers.GroupNormalization):
        groups = x.reshape(len(x), -1, layer.groups, x.shape[-1] // layer.groups)
        x = groups.transpose(1, 3, 0, 2).reshape(-1, len(x) * layer.groups)
    else:
        x = x.reshape(-1, x.shape[-1])
    mean, variance = x.mean(axis=0), x.var(axis=0) + layer.epsilon
    mean_error = plain_sum_errors(x) / len(x)
    variance_error = plain_sum_errors((x - mean) ** 2) / len(x)
    cancelled = plain_sum_errors(x**2) / len(x) + 2 * np.abs(mean) * mean_error
    is_small = cancelled <= _MOST_CANCELLED * variance
    variance_error = np.where(is_small, np.maximum(cancelled, variance_error), variance_error)
    return mean_error, variance_error, x, np.sqrt(variance)
