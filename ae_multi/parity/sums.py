"""Errors of plain float32 summation, measured on the terms of a float64 run.

A float32 sum of n terms in random order has an error of about √n · 2⁻²⁴. If the terms are equal,
or nearly equal, each addition rounds in the same direction and the error grows with n (Higham,
"Accuracy and Stability of Numerical Algorithms", section 4.2: at most (n - 1) · 2⁻²⁴ · Σ|terms|).
The terms determine which of the two applies. So this module takes the terms from the float64 run,
adds them one after another in float32, and measures the error.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import own_trainable_variables
from ae_multi.parity.bounds import REASONED, UNIT_ROUNDOFF
from ae_multi.parity.term_counts import DEPTHWISE, TRANSPOSED

# The error of a sum of equal terms depends on their last bits and may be 0 by chance. Scaling the
# terms changes the bits; the largest error over several scales is used.
_SCALES = (1.0, 1.07, 1.19, 1.31, 1.43, 1.57, 1.73, 1.87)
_FEW_SCALES = (1.0, 1.31)
_MAX_TERMS_FOR_ALL_SCALES = 10**7


def plain_sum_errors(terms: ArrayLike) -> np.ndarray:
    """Return the absolute error of each column's sum if float32 terms are added in order.

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
    if isinstance(layer, layers.BatchNormalization) and training and layer.trainable:
        mean_error, variance_error, x, deviation = _moment_errors(layer, inputs[0])
        gamma = np.abs(_values(layer, "gamma", 1.0))
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

    The mean of values that an earlier layer has normalised is exactly 0, so only the size of the
    terms shows how far rounding can move it.

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


def _values(layer: keras.layers.Layer, name: str, default: float) -> Any:
    """Return a layer's weight ``name`` as an array, or ``default`` if it does not exist."""
    weight = getattr(layer, name, None)
    return default if weight is None else keras.ops.convert_to_numpy(weight)


def _moment_errors(
    layer: keras.layers.Layer, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the errors of a normalisation's moments by plain summation.

    Returns:
        (errors of the means, errors of the variances, ``x`` as rows of channels, standard
        deviations).
    """
    x = np.moveaxis(np.asarray(x, np.float64), layer.axis, -1)
    x = x.reshape(-1, x.shape[-1])
    mean_error = plain_sum_errors(x) / len(x)
    variance_error = plain_sum_errors((x - x.mean(axis=0)) ** 2) / len(x)
    return mean_error, variance_error, x, np.sqrt(x.var(axis=0) + layer.epsilon)


def gradient_terms(calls: Sequence[Any]) -> dict[int, int]:
    """Return the number of terms of each weight's gradient: one per position of each sample.

    Args:
        calls: list of (layer, inputs, outputs) from `watched_layers`.

    Returns:
        Dict of a weight's id to the number of terms.
    """
    counts: dict[int, int] = {}
    fallback: dict[int, int] = {}
    for layer, inputs, outputs in calls:
        rows = inputs if isinstance(layer, keras.layers.RNN) else outputs
        places = max((array.size // max(_channels(layer, array), 1) for array in rows), default=0)
        for variable in own_trainable_variables(layer):
            counts[id(variable)] = counts.get(id(variable), 0) + places
        # Calls inside a loop are not recorded, so the layer that contains the loop counts.
        fallback |= {id(variable): places for variable in layer.trainable_variables}
    return {**fallback, **counts}


def _channels(layer: keras.layers.Layer, array: np.ndarray) -> int:
    return array.shape[_axis(layer, array.ndim)] if array.ndim > 1 else 1


def _axis(layer: keras.layers.Layer, rank: int) -> int:
    """Return the axis of the channels in a layer's output."""
    axis = getattr(layer, "axis", -1)
    if isinstance(axis, int) and -rank <= axis < rank:
        return axis
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def gradient_sums(
    loss: Callable[[], Any], calls: Sequence[Any], terms: float
) -> dict[int, dict[str, float]]:
    """Return the size and the summation error of the sums in the gradients of a model.

    The terms are the derivatives of the loss with respect to each layer's output, or to the input
    of its activation. They are computed by adding a variable of zeros there.

    The backward pass through a batch normalisation also contains such sums. Their errors propagate
    to the layers before it, up to the next normalisation.

    Args:
        loss: function that returns the loss of one batch.
        calls: list of (layer, inputs, outputs) from `watched_layers` in training mode.
        terms: number of terms of each gradient in addition to those of `gradient_terms`.

    Returns:
        Dict of a weight's id to a dict of ``scale`` and ``summation``, see `forward_sums`.
    """
    counts = gradient_terms(calls)
    # For fewer terms, the bound from ``terms`` already exceeds the worst summation error.
    min_terms = max(_MIN_TERMS, terms**0.5)
    summed = [
        (layer, inputs, outputs[0])
        for layer, inputs, outputs in calls
        if len(outputs) == 1
        and outputs[0].dtype.kind == "f"
        # An activation that is a layer cannot be replaced by the function that adds the variable.
        and not isinstance(getattr(layer, "activation", None), keras.Layer)
        and any(counts[id(variable)] > min_terms for variable in _weights(layer).values())
    ]
    derivatives = _derivatives(loss, [(layer, output) for layer, _, output in summed])
    terms_of: dict[int, list[np.ndarray]] = {}
    gains: dict[int, float] = {}
    for (layer, inputs, output), derivative in zip(summed, derivatives, strict=True):
        for role, variable in _weights(layer).items():
            key = id(variable)
            if role == "kernel":
                # An estimate of the size of the products, without computing them.
                size = max((_largest_mean(layer, array) for array in inputs), default=0.0)
                gain = size * _largest_mean(layer, derivative) * counts[key]
                gains[key] = gains.get(key, 0.0) + gain
                continue
            rows = _rows(layer, role, variable, derivative, output)
            if rows is not None:
                terms_of.setdefault(key, []).append(rows)
    result = {key: _of_terms(np.concatenate(rows)) for key, rows in terms_of.items()}
    gains |= {key: known["scale"] for key, known in result.items()}
    shares = {key: _share(known) for key, known in result.items()}
    carried = 0.0
    for layer, _, _ in reversed(summed):
        keys = [id(variable) for variable in _weights(layer).values()]
        for key in keys if carried else ():
            known = result.setdefault(key, {"summation": 0.0})
            known["summation"] += _PROPAGATION_FACTOR * carried * gains.get(key, 0.0)
        if isinstance(layer, keras.layers.BatchNormalization):
            # It removes the mean from the gradient of later layers and adds errors of its own.
            carried = max((shares.get(key, 0.0) for key in keys), default=0.0)
    return result


# Safety factor: the error that a normalisation passes on is estimated from the size of terms only.
_PROPAGATION_FACTOR = 2
# With fewer terms, the error of plain summation is below that of other rounding.
_MIN_TERMS = 256


def _largest_mean(layer: keras.layers.Layer, array: np.ndarray) -> float:
    """Return the largest mean absolute value over the channels of an array."""
    rows = np.moveaxis(array, _axis(layer, array.ndim), -1)
    return float(np.max(np.mean(np.abs(rows.reshape(-1, rows.shape[-1])), axis=0), initial=0.0))


def _of_terms(terms: np.ndarray) -> dict[str, float]:
    return {
        "scale": float(np.max(np.sum(np.abs(terms), axis=0), initial=0.0)),
        "summation": float(np.max(plain_sum_errors(terms), initial=0.0)),
    }


def _share(known: Mapping[str, float]) -> float:
    """Return the error of a sum over the size of its terms; 0 if it is that of random rounding."""
    share = known["summation"] / (known["scale"] or 1.0)
    return share if share > REASONED * UNIT_ROUNDOFF else 0.0


def _derivatives(loss: Callable[[], Any], outputs: Sequence[Any]) -> list[np.ndarray]:
    """Return the derivatives of the loss with respect to layers' outputs, in the order of calls.

    Args:
        loss: function that returns a loss.
        outputs: list of (layer, its output), one for each call.
    """
    if not outputs:
        return []
    zeros = [
        keras.Variable(np.zeros(output.shape), dtype=keras.config.floatx()) for _, output in outputs
    ]
    shifts: dict[int, list[Any]] = {}
    for (layer, _), zero in zip(outputs, zeros, strict=True):
        shifts.setdefault(id(layer), []).append(zero)
    with _shifted({id(layer): layer for layer, _ in outputs}, shifts):
        _, derivatives = backends.current().gradients(loss, zeros)
    return [np.asarray(array, np.float64) for array in derivatives]


def _weights(layer: keras.layers.Layer) -> dict[str, Any]:
    """Return the weights whose gradient is a sum over samples and positions, by their role."""
    trainable = {id(variable) for variable in own_trainable_variables(layer)}
    roles = ("kernel", "bias", "beta", "gamma")
    weights = {role: getattr(layer, role, None) for role in roles}
    return {role: value for role, value in weights.items() if id(value) in trainable}


def _rows(
    layer: keras.layers.Layer,
    role: str,
    variable: Any,
    derivative: np.ndarray,
    output: np.ndarray,
) -> np.ndarray | None:
    """Return the terms of a weight's gradient, shape (n, k), or None if they are unknown."""
    shape = tuple(variable.shape)
    if len(shape) == 1:
        axis = _axis(layer, derivative.ndim)
        derivative, output = (np.moveaxis(array, axis, -1) for array in (derivative, output))
    if role == "gamma":
        # gamma · normal + beta is the output, and the terms are derivative · normal.
        beta, gamma = _values(layer, "beta", 0.0), _values(layer, "gamma", 1.0)
        if gamma.ndim != 1 or not np.all(gamma):
            return None
        derivative = derivative * (output - beta) / gamma
    sizes = (1,) * (derivative.ndim - len(shape)) + shape
    summed = [axis for axis, size in enumerate(sizes) if size == 1]
    remaining = [axis for axis, size in enumerate(sizes) if size != 1]
    if any(derivative.shape[axis] != sizes[axis] for axis in remaining):
        return None
    count = math.prod(derivative.shape[axis] for axis in summed)
    return derivative.transpose([*summed, *remaining]).reshape(count, -1)


@contextlib.contextmanager
def _shifted(
    layers: Mapping[int, keras.layers.Layer], shifts: Mapping[int, Sequence[Any]]
) -> Iterator[None]:
    """Add variables to the outputs of layers, before the activation if a layer has one.

    Args:
        layers: dict of a layer's id to the layer.
        shifts: dict of a layer's id to one variable for each of its calls.
    """
    calls = dict.fromkeys(shifts, 0)

    def add(key: int, values: Any) -> Any:
        shift = shifts[key][calls[key] % len(shifts[key])]
        calls[key] += 1
        if tuple(values.shape) != tuple(shift.shape):
            return values  # a second use of the activation inside the layer
        return values + keras.ops.cast(shift, values.dtype)

    def activation(key: int, real: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda values: real(add(key, values))

    real_call = keras.Layer.__call__

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        outputs = real_call(layer, *args, **kwargs)
        return add(id(layer), outputs) if id(layer) in unactivated else outputs

    activated = {
        key: layer.activation
        for key, layer in layers.items()
        if callable(getattr(layer, "activation", None))
    }
    unactivated = set(layers) - set(activated)
    try:
        for key, real in activated.items():
            layers[key].activation = activation(key, real)
        keras.Layer.__call__ = call
        yield
    finally:
        keras.Layer.__call__ = real_call
        for key, real in activated.items():
            layers[key].activation = real
