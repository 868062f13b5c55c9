"""Networks as pure functions of parameters and inputs, in JAX without Keras."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, nn

_IMAGES = ("NHWC", "HWIO", "NHWC")
_ACTIVATIONS = {
    "sigmoid": nn.sigmoid, "tanh": jnp.tanh, "softmax": nn.softmax, "softplus": nn.softplus,
    "softsign": nn.soft_sign, "elu": nn.elu, "selu": nn.selu, "silu": nn.silu, "mish": nn.mish,
    "hard_sigmoid": nn.hard_sigmoid,
    "gelu": lambda x: nn.gelu(x, approximate=False),
}  # fmt: skip


def as_parameters(arrays: Any) -> Any:
    """Copy the leaves of a pytree to the device."""
    return jax.tree.map(jnp.asarray, arrays)


def function(network: Any, padding: ModuleType) -> Callable[[Any, Any], jax.Array]:
    """Return the function ``apply(params, x)`` of a network.

    Args:
        network: an `ae_multi.interop.graph.Network`.
        padding: the module `ae_multi.interop.padding`.
    """
    parts = [(part.name, _steps(part, padding), part.output) for part in network.parts]

    def apply(params, x):
        """Return the outputs of the network for ``x``, in the input shape of the Keras model."""
        for name, steps, output in parts:
            values, weights = [x], params[name] if len(parts) > 1 else params
            for step, layer, inputs in steps:
                values.append(step(weights.get(layer), *(values[i] for i in inputs)))
            x = values[output]
        return x

    return apply


def _steps(part, padding):
    """Return the layers of a part as functions of their weights and inputs."""
    return [(_STEPS[layer.kind](layer, padding), layer.name, layer.inputs) for layer in part.layers]


def _dense(layer, padding):
    return lambda w, x: _add_bias(x @ w["kernel"], w)


def _convolution(layer, padding):
    settings = layer.settings
    edges = padding.around(layer, layer.variables["kernel"].shape[:2])

    def step(w, x):
        outputs = lax.conv_general_dilated(
            x,
            w["kernel"],
            settings["strides"],
            edges,
            rhs_dilation=settings["dilation"],
            dimension_numbers=_IMAGES,
            feature_group_count=settings["groups"],
        )
        return _add_bias(outputs, w)

    return step


def _deconvolution(layer, padding):
    kernel = layer.variables["kernel"].shape[:2]
    # A convolution of the image, with zeros between its pixels, by the flipped kernel.
    edges = [
        (k - 1 + before, k - 1 + after)
        for k, (before, after) in zip(kernel, padding.beyond(layer, kernel), strict=True)
    ]

    def step(w, x):
        outputs = lax.conv_general_dilated(
            x,
            jnp.flip(w["kernel"], (0, 1)),
            (1, 1),
            edges,
            lhs_dilation=layer.settings["strides"],
            dimension_numbers=("NHWC", "HWOI", "NHWC"),
        )
        return _add_bias(outputs, w)

    return step


def _add_bias(x, w):
    return x + w["bias"] if "bias" in w else x


def _pad(layer, padding):
    edges = [(0, 0, 0), *((a, b, 0) for a, b in layer.settings["edges"]), (0, 0, 0)]
    return lambda w, x: lax.pad(x, jnp.zeros((), x.dtype), edges)


def _enlarge(layer, padding):
    rows, columns = layer.settings["by"]
    if layer.settings["bilinear"]:
        return lambda w, x: jax.image.resize(x, (len(x), *layer.gives), "bilinear")
    return lambda w, x: jnp.repeat(jnp.repeat(x, rows, 1), columns, 2)


def _pool(layer, padding):
    size, strides = (1, *layer.settings["size"], 1), (1, *layer.settings["strides"], 1)
    edges = ((0, 0), *padding.around(layer, layer.settings["size"]), (0, 0))
    if layer.settings["what"] == "max":
        return lambda w, x: lax.reduce_window(x, -jnp.inf, lax.max, size, strides, edges)

    def mean(w, x):
        total = lax.reduce_window(x, 0.0, lax.add, size, strides, edges)
        return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, size, strides, edges)

    return mean


def _normalise(layer, padding):
    epsilon = layer.settings["epsilon"]

    def step(w, x):
        scale = w["gamma"] * lax.rsqrt(w["moving_variance"] + epsilon)
        return (x - w["moving_mean"]) * scale + w["beta"]

    return step


def _normalise_sample(layer, padding):
    epsilon = layer.settings["epsilon"]

    def step(w, x):
        centred = x - x.mean(-1, keepdims=True)
        variance = jnp.square(centred).mean(-1, keepdims=True)
        return centred * lax.rsqrt(variance + epsilon) * w["gamma"] + w["beta"]

    return step


def _reshape(layer, padding):
    return lambda w, x: x.reshape(len(x), *layer.gives)


def _activation(layer, padding):
    settings = dict(layer.settings)
    of = settings.pop("of")
    if of != "relu":
        return lambda w, x: _ACTIVATIONS[of](x, **settings)
    slope, highest = settings["slope"], settings["highest"]

    def rectify(w, x):
        x = nn.leaky_relu(x, slope) if slope else nn.relu(x)
        return x if highest is None else jnp.minimum(x, highest)

    return rectify


def _concatenate(layer, padding):
    return lambda w, *x: jnp.concatenate(x, layer.settings["axis"])


def _dropout(layer, padding):
    return lambda w, x: x


def _top_k(layer, padding):
    def step(w, x):
        threshold = lax.top_k(x, layer.settings["k"])[0][:, -1:]
        return jnp.where(x >= threshold, x, 0)

    return step


def _first_half(layer, padding):
    return lambda w, x: x[..., : layer.gives[-1]]


def _nearest_word(layer, padding):
    def step(w, x):
        # |z - e|² minus |z|², which is the same for all codebook vectors.
        words = w["codebook"]
        distances = jnp.square(words).sum(1) - 2 * x @ words.T  # (n, ..., words)
        return words[distances.argmin(-1)]

    return step


_STEPS = {
    "dense": _dense, "convolution": _convolution, "deconvolution": _deconvolution, "pad": _pad,
    "enlarge": _enlarge, "pool": _pool, "normalise": _normalise,
    "normalise_sample": _normalise_sample, "flatten": _reshape, "reshape": _reshape,
    "activation": _activation, "concatenate": _concatenate, "dropout": _dropout, "top_k": _top_k,
    "first_half": _first_half, "nearest_word": _nearest_word,
}  # fmt: skip
