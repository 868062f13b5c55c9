"""Errors of plain float32 summation, measured on the terms that a float64 run adds up.

A float32 sum of n terms in random order is off by about √n · 2⁻²⁴. Where the terms are equal, or
nearly so, each addition rounds in the same direction and the error grows with n (Higham, "Accuracy
and Stability of Numerical Algorithms", section 4.2: at most (n - 1) · 2⁻²⁴ · Σ|terms|). Which of
the two applies depends on the terms. So the terms are taken from the float64 run, added one after
another in float32, and the error is measured.
"""

import contextlib
import math

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import own_trainable_variables
from ae_multi.parity.bounds import REASONED, UNIT_ROUNDOFF

# The error of a sum of equal terms depends on their last bits, and may be 0 by chance. Other scales
# give other bits; the worst of them is taken.
_SCALES = (1.0, 1.07, 1.19, 1.31, 1.43, 1.57, 1.73, 1.87)
_FEW_SCALES = (1.0, 1.31)
_MANY = 10**7


def plain_sum_errors(terms):
    """Absolute error of each column's sum when float32 terms are added one after another.

    Args:
        terms: float64 array of shape (n, k): k sums of n terms.

    Returns:
        Float64 array of shape (k,).
    """
    terms = np.asarray(terms, np.float64)
    worst = np.zeros(terms.shape[1])
    for scale in _SCALES if terms.size <= _MANY else _FEW_SCALES:
        scaled = terms * scale
        # With two columns or more NumPy adds row to row in order; one alone it adds by pairs.
        rounded = np.column_stack([scaled, np.zeros(len(scaled))]).astype(np.float32)
        found = np.add.reduce(rounded, axis=0)[:-1].astype(np.float64)
        worst = np.maximum(worst, np.abs(found - scaled.sum(axis=0)) / scale)
    return worst


def forward_sums(layer, inputs, outputs, training):
    """What is known of the sums behind a layer's output.

    Args:
        layer: a Keras layer.
        inputs: list of float64 arrays, its inputs.
        outputs: float64 array, what it gave.
        training: whether it ran as in training.

    Returns:
        Dict of entries of a `Trace`: ``scale``, how large the terms of each output are, and
        ``summation``, by how much plain summation in float32 is off; empty where neither is known.
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
        found = float(np.max(plain_sum_errors(terms), initial=0.0)) / max(len(terms), 1)
        return {"scale": largest, "summation": found}
    if isinstance(layer, layers.BatchNormalization) and training and layer.trainable:
        mean_error, variance_error, x, deviation = _moment_errors(layer, inputs[0])
        gamma = np.abs(_values(layer, "gamma", 1.0))
        normal = np.max(np.abs(x - x.mean(axis=0)), axis=0) / deviation
        found = gamma * (mean_error / deviation + normal * variance_error / (2 * deviation**2))
        return {"summation": float(np.max(found, initial=0.0))}
    if isinstance(layer, layers.Dense | _CONVOLUTIONS | _DEPTHWISE | _TRANSPOSED):
        kernel = np.abs(keras.ops.convert_to_numpy(layer.kernel))
        if isinstance(layer, _TRANSPOSED):
            kernel = np.moveaxis(kernel, -2, -1)
        channels = kernel.shape[-1] * (kernel.shape[-2] if isinstance(layer, _DEPTHWISE) else 1)
        return {"scale": largest * float(np.max(kernel.reshape(-1, channels).sum(axis=0)))}
    return {}


_POOLS = (
    keras.layers.GlobalAveragePooling1D
    | keras.layers.GlobalAveragePooling2D
    | keras.layers.GlobalAveragePooling3D
)
_CONVOLUTIONS = keras.layers.Conv1D | keras.layers.Conv2D | keras.layers.Conv3D
_DEPTHWISE = keras.layers.DepthwiseConv1D | keras.layers.DepthwiseConv2D
_TRANSPOSED = (
    keras.layers.Conv1DTranspose | keras.layers.Conv2DTranspose | keras.layers.Conv3DTranspose
)


def statistic_sums(layer, inputs):
    """Dict of a `BatchNormalization`'s statistic (its id) to ``scale`` and ``summation``.

    The mean of what an earlier layer has normalised is exactly 0. Only the terms say how far
    rounding may move it.

    Args:
        layer: a Keras layer; one of another class has no such statistics.
        inputs: list of float64 arrays, what it was given in training.
    """
    if not isinstance(layer, keras.layers.BatchNormalization) or not (layer.trainable and inputs):
        return {}
    mean_error, variance_error, x, _ = _moment_errors(layer, inputs[0])
    sizes = np.mean(np.abs(x), axis=0), np.var(x, axis=0)
    found, share = {}, 1.0 - layer.momentum
    for variable, size, error in (
        (layer.moving_mean, sizes[0], mean_error),
        (layer.moving_variance, sizes[1], variance_error),
    ):
        kept = layer.momentum * np.abs(keras.ops.convert_to_numpy(variable))
        found[id(variable)] = {
            "scale": float(np.max(kept + share * size, initial=0.0)),
            "summation": float(share * np.max(error, initial=0.0)),
        }
    return found


def _values(layer, name, default):
    """A weight of a layer as an array, or a number where the layer has none of this name."""
    weight = getattr(layer, name, None)
    return default if weight is None else keras.ops.convert_to_numpy(weight)


def _moment_errors(layer, x):
    """(errors of means, errors of variances, rows of channels, deviations) by plain summation."""
    x = np.moveaxis(np.asarray(x, np.float64), layer.axis, -1)
    x = x.reshape(-1, x.shape[-1])
    mean_error = plain_sum_errors(x) / len(x)
    variance_error = plain_sum_errors((x - x.mean(axis=0)) ** 2) / len(x)
    return mean_error, variance_error, x, np.sqrt(x.var(axis=0) + layer.epsilon)


def gradient_terms(calls):
    """Dict of a weight's id to how many terms its gradient sums: one for each place of a sample.

    Args:
        calls: list of (layer, inputs, outputs) as `watched_layers` collects them.
    """
    found, last = {}, {}
    for layer, inputs, outputs in calls:
        rows = inputs if isinstance(layer, keras.layers.RNN) else outputs
        places = max((array.size // max(_channels(layer, array), 1) for array in rows), default=0)
        for variable in own_trainable_variables(layer):
            found[id(variable)] = found.get(id(variable), 0) + places
        # Layers inside a loop are not watched; the layer that holds the loop is.
        last |= {id(variable): places for variable in layer.trainable_variables}
    return {**last, **found}


def _channels(layer, array):
    return array.shape[_axis(layer, array.ndim)] if array.ndim > 1 else 1


def _axis(layer, rank):
    """The axis of the channels in a layer's output."""
    axis = getattr(layer, "axis", -1)
    if isinstance(axis, int) and -rank <= axis < rank:
        return axis
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def gradient_sums(loss, calls, terms):
    """What is known of the sums behind the gradients of a model.

    The terms are the derivatives of the loss with respect to what each layer gives, or to what its
    activation takes. They are had by adding a variable of zeros there.

    A gradient goes backwards through a batch normalisation by way of such sums, too. What these are
    off by is passed on to the layers before, up to the next normalisation.

    Args:
        loss: function that returns the loss of one batch.
        calls: list of (layer, inputs, outputs) as `watched_layers` collects them in training.
        terms: how many terms each gradient is counted to be a sum of without these.

    Returns:
        Dict of a weight's id to a dict of ``scale`` and ``summation``, see `forward_sums`.
    """
    counts = gradient_terms(calls)
    # With fewer terms the count of the others allows more than their worst case.
    fewest = max(_FEWEST, terms**0.5)
    summed = [
        (layer, inputs, outputs[0])
        for layer, inputs, outputs in calls
        if len(outputs) == 1
        and outputs[0].dtype.kind == "f"
        # A layer that holds another as its activation does not let go of it.
        and not isinstance(getattr(layer, "activation", None), keras.Layer)
        and any(counts[id(variable)] > fewest for variable in _weights(layer).values())
    ]
    derivatives = _derivatives(loss, [(layer, output) for layer, _, output in summed])
    terms_of, gains = {}, {}
    for (layer, inputs, output), derivative in zip(summed, derivatives, strict=True):
        for role, variable in _weights(layer).items():
            key = id(variable)
            if role == "kernel":
                # How large the products are, without computing them.
                size = max((_largest_mean(layer, array) for array in inputs), default=0.0)
                gain = size * _largest_mean(layer, derivative) * counts[key]
                gains[key] = gains.get(key, 0.0) + gain
                continue
            rows = _rows(layer, role, variable, derivative, output)
            if rows is not None:
                terms_of.setdefault(key, []).append(rows)
    found = {key: _of_terms(np.concatenate(rows)) for key, rows in terms_of.items()}
    gains |= {key: known["scale"] for key, known in found.items()}
    shares = {key: _share(known) for key, known in found.items()}
    carried = 0.0
    for layer, _, _ in reversed(summed):
        keys = [id(variable) for variable in _weights(layer).values()]
        for key in keys if carried else ():
            known = found.setdefault(key, {"summation": 0.0})
            known["summation"] += _CARRIED * carried * gains.get(key, 0.0)
        if isinstance(layer, keras.layers.BatchNormalization):
            # It takes the mean out of what comes from behind, and brings in errors of its own.
            carried = max((shares.get(key, 0.0) for key in keys), default=0.0)
    return found


# What a normalisation passes on is estimated from the size of terms alone.
_CARRIED = 2
# Below this count, plain summation is off by less than other roundings make up for.
_FEWEST = 256


def _largest_mean(layer, array):
    """The mean size of the values in that channel in which it is largest."""
    rows = np.moveaxis(array, _axis(layer, array.ndim), -1)
    return float(np.max(np.mean(np.abs(rows.reshape(-1, rows.shape[-1])), axis=0), initial=0.0))


def _of_terms(terms):
    return {
        "scale": float(np.max(np.sum(np.abs(terms), axis=0), initial=0.0)),
        "summation": float(np.max(plain_sum_errors(terms), initial=0.0)),
    }


def _share(known):
    """Error of a sum over the size of its terms, 0 where it is that of rounding at random."""
    share = known["summation"] / (known["scale"] or 1.0)
    return share if share > REASONED * UNIT_ROUNDOFF else 0.0


def _derivatives(loss, outputs):
    """Derivatives of the loss with respect to what layers give, in the order of their calls.

    Args:
        loss: function that returns a loss.
        outputs: list of (layer, its output), one for each call.
    """
    if not outputs:
        return []
    zeros = [
        keras.Variable(np.zeros(output.shape), dtype=keras.config.floatx()) for _, output in outputs
    ]
    shifts = {}
    for (layer, _), zero in zip(outputs, zeros, strict=True):
        shifts.setdefault(id(layer), []).append(zero)
    with _shifted({id(layer): layer for layer, _ in outputs}, shifts):
        _, found = backends.current().gradients(loss, zeros)
    return [np.asarray(array, np.float64) for array in found]


def _weights(layer):
    """Weights of a layer whose gradient is a sum over samples and places, by their role."""
    own = {id(variable) for variable in own_trainable_variables(layer)}
    roles = ("kernel", "bias", "beta", "gamma")
    found = {role: getattr(layer, role, None) for role in roles}
    return {role: value for role, value in found.items() if id(value) in own}


def _rows(layer, role, variable, derivative, output):
    """Terms of a weight's gradient, of shape (n, k); None where they cannot be told."""
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
    held = [axis for axis, size in enumerate(sizes) if size != 1]
    if any(derivative.shape[axis] != sizes[axis] for axis in held):
        return None
    count = math.prod(derivative.shape[axis] for axis in summed)
    return derivative.transpose([*summed, *held]).reshape(count, -1)


@contextlib.contextmanager
def _shifted(layers, shifts):
    """Add a variable to what each of the layers gives, before its activation where it has one."""
    calls = dict.fromkeys(shifts, 0)

    def add(key, values):
        shift = shifts[key][calls[key] % len(shifts[key])]
        calls[key] += 1
        if tuple(values.shape) != tuple(shift.shape):
            return values  # an activation that is used for something else, too
        return values + keras.ops.cast(shift, values.dtype)

    def activation(key, real):
        return lambda values: real(add(key, values))

    real_call = keras.Layer.__call__

    def call(layer, *args, **kwargs):
        outputs = real_call(layer, *args, **kwargs)
        return add(id(layer), outputs) if id(layer) in without else outputs

    activated = {
        key: layer.activation
        for key, layer in layers.items()
        if callable(getattr(layer, "activation", None))
    }
    without = set(layers) - set(activated)
    try:
        for key, real in activated.items():
            layers[key].activation = activation(key, real)
        keras.Layer.__call__ = call
        yield
    finally:
        keras.Layer.__call__ = real_call
        for key, real in activated.items():
            layers[key].activation = real
