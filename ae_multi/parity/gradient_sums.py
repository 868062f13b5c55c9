"""Errors of plain float32 summation in the gradients of weights, see `ae_multi.parity.sums`."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import own_trainable_variables
from ae_multi.parity.bounds import REASONED, UNIT_ROUNDOFF
from ae_multi.parity.layer_hooks import LayerCall
from ae_multi.parity.sums import plain_sum_errors, weight_or

# Safety factor, since the error that a batch normalisation propagates is estimated from the size of
# the terms only.
_PROPAGATION_FACTOR = 2
# With fewer terms, the error of plain summation is below that of other rounding.
_MIN_TERMS = 256


def gradient_terms(calls: Sequence[LayerCall]) -> dict[int, int]:
    """Return the number of terms of each weight's gradient: one per position of each sample.

    Terms of several calls of a layer add up.

    Args:
        calls: the calls of layers from `ae_multi.parity.layer_hooks.watched_layers`.

    Returns:
        Dict of a weight's id to the number of terms.
    """
    counts: dict[int, int] = {}
    fallback: dict[int, int] = {}
    for layer, inputs, outputs, *_ in calls:
        rows = inputs if isinstance(layer, keras.layers.RNN) else outputs
        places = max((array.size // max(_channels(layer, array), 1) for array in rows), default=0)
        for variable in own_trainable_variables(layer):
            counts[id(variable)] = counts.get(id(variable), 0) + places
        # Calls inside a loop are not recorded. The weights of such layers get the number of the
        # layer that contains the loop.
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
    loss: Callable[[], Any], calls: Sequence[LayerCall], terms: float
) -> dict[int, dict[str, float]]:
    """Return the size and the summation error of the sums in the gradients of a model.

    The terms are the derivatives of the loss with respect to each layer's output, or to the input
    of its activation. They are computed by adding a variable of zeros there.

    The backward pass of a batch normalisation contains such sums, too. Their errors propagate to
    the layers before it, up to the preceding batch normalisation.

    Args:
        loss: function that returns the loss of one batch.
        calls: the calls of layers from `watched_layers` in training mode.
        terms: number of terms of each gradient in addition to those of `gradient_terms`. Only
            gradients of more than √terms terms are measured.

    Returns:
        Dict of a weight's id to a dict of ``scale`` and ``summation``, see
        `ae_multi.parity.sums.forward_sums`.
    """
    counts = gradient_terms(calls)
    # For fewer terms, the bound from ``terms`` already exceeds the worst summation error.
    min_terms = max(_MIN_TERMS, terms**0.5)
    summed = [
        (layer, inputs, outputs[0])
        for layer, inputs, outputs, *_ in calls
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
    propagated = 0.0
    for layer, _, _ in reversed(summed):
        keys = [id(variable) for variable in _weights(layer).values()]
        for key in keys if propagated else ():
            known = result.setdefault(key, {"summation": 0.0})
            known["summation"] += _PROPAGATION_FACTOR * propagated * gains.get(key, 0.0)
        if isinstance(layer, keras.layers.BatchNormalization):
            # It subtracts the mean of the gradient, and with it the errors of later layers. The
            # errors of its sums replace them.
            propagated = max((shares.get(key, 0.0) for key in keys), default=0.0)
    return result


def _largest_mean(layer: keras.layers.Layer, array: np.ndarray) -> float:
    """Return the largest mean absolute value over the channels of an array."""
    rows = np.moveaxis(array, _axis(layer, array.ndim), -1)
    return float(np.max(np.mean(np.abs(rows.reshape(-1, rows.shape[-1])), axis=0), initial=0.0))


def _of_terms(terms: np.ndarray) -> dict[str, float]:
    """Return the size and the summation error of sums: ``terms`` has a column for each sum."""
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
        beta, gamma = weight_or(layer, "beta", 0.0), weight_or(layer, "gamma", 1.0)
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
