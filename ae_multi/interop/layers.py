"""Conversion of Keras layers to inference steps of a few kinds.

kind             settings                                 variables
dense                                                     kernel (inputs, units), bias
convolution      strides, dilation, groups, padding       kernel (h, w, inputs, outputs), bias
deconvolution    strides, padding                         kernel (h, w, outputs, inputs), bias
flatten, reshape
pad              edges ((top, bottom), (left, right)), where negative edges crop
enlarge          by (rows, columns), bilinear
pool             what ("max", "mean"), size, strides, padding
normalise        epsilon, momentum                        gamma, beta, moving_mean, moving_variance
normalise_sample epsilon                                  gamma, beta
activation       of (its name), and its parameters
concatenate      axis, without the batch axis
dropout          rate; no effect in inference
top_k            k
first_half       (of the last axis)
nearest_word                                              codebook (codebook_size, code_dim)
"""

from collections.abc import Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.sparse import KLPenalty, L1Penalty, TopK
from ae_multi.models.variational import NormalCode
from ae_multi.models.vector_quantized import VectorQuantizer
from ae_multi.randomness import layers as noise

kl = keras.layers

# Layers that return their inputs in inference.
_IDLE = (
    noise.GaussianNoise, noise.MaskingNoise, noise.SaltAndPepper, L1Penalty, KLPenalty,
    kl.GaussianNoise, kl.GaussianDropout, kl.ActivityRegularization, kl.Identity,
)  # fmt: skip
# Names in `keras.activations` and the default parameters.
_ACTIVATIONS = {
    "relu": {"slope": 0.0, "highest": None}, "sigmoid": {}, "tanh": {}, "softmax": {},
    "softplus": {}, "softsign": {}, "elu": {"alpha": 1.0}, "selu": {}, "silu": {}, "gelu": {},
    "leaky_relu": {"slope": 0.2, "highest": None}, "relu6": {"slope": 0.0, "highest": 6.0},
    "mish": {}, "hard_sigmoid": {},
}  # fmt: skip


def steps_of(
    layer: keras.layers.Layer, shapes: Sequence[tuple[int, ...]]
) -> list[tuple[str, dict[str, Any], tuple[str, ...], tuple[int, ...]]]:
    """Return the inference steps of one Keras layer.

    Args:
        layer: a built Keras layer.
        shapes: sample shape of each of its inputs.

    Returns:
        List of (kind, settings, names of variables, output shape).

    Raises:
        InputError: the layer cannot be converted.
    """
    if isinstance(layer, _IDLE):
        return []
    describe = _KNOWN.get(type(layer))
    if describe is None:
        raise _unsupported(layer, "layers of this class are not supported")
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise _unsupported(layer, "its channels come first")
    if layer.compute_dtype != "float32":
        raise _unsupported(layer, f"it computes in {layer.compute_dtype}")
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise _unsupported(layer, "its weights are quantized or have LoRA matrices")
    batched = [(None, *shape) for shape in shapes]
    gives = tuple(layer.compute_output_shape(batched if len(batched) > 1 else batched[0])[1:])
    kind, settings, roles = describe(layer, shapes[0])
    steps = [] if kind is None else [(kind, settings, roles, gives)]
    function = getattr(layer, "activation", None)
    if kind != "activation" and function is not None:
        steps += [("activation", each, (), gives) for each in _activation(function, layer)]
    return steps


def _activation(function: Any, layer: keras.layers.Layer) -> list[dict[str, Any]]:
    """Return the settings of an activation in a list, which is empty for a linear activation."""
    if isinstance(function, keras.Layer):
        return [step[1] for step in steps_of(function, [()])]
    name = getattr(function, "__name__", "")
    if name == "linear":
        return []
    if name not in _ACTIVATIONS or keras.activations.get(name) is not function:
        raise _unsupported(layer, f"its activation is {name or function!r}")
    return [_named(name)]


def _named(name, **settings):
    return {"of": "relu" if "relu" in name else name, **_ACTIVATIONS[name], **settings}


def _dense(layer, shape):
    return "dense", {}, _kernel(layer)


def _kernel(layer):
    return ("kernel", "bias") if layer.use_bias else ("kernel",)


def _convolution(layer, shape):
    settings = {"strides": layer.strides, "dilation": layer.dilation_rate, "padding": layer.padding}
    return "convolution", {**settings, "groups": layer.groups}, _kernel(layer)


def _deconvolution(layer, shape):
    if layer.output_padding is not None:
        raise _unsupported(layer, "it has an output_padding")
    if set(layer.dilation_rate) != {1}:
        raise _unsupported(layer, "it is dilated")
    return "deconvolution", {"strides": layer.strides, "padding": layer.padding}, _kernel(layer)


def _padding(layer, shape):
    return "pad", {"edges": tuple(map(tuple, layer.padding))}, ()


def _cropping(layer, shape):
    return "pad", {"edges": tuple((-a, -b) for a, b in layer.cropping)}, ()


def _enlarge(layer, shape):
    if layer.interpolation not in ("nearest", "bilinear"):
        raise _unsupported(layer, f"it interpolates by {layer.interpolation!r}")
    return "enlarge", {"by": layer.size, "bilinear": layer.interpolation == "bilinear"}, ()


def _pool(what):
    def describe(layer, shape):
        settings = {"size": layer.pool_size, "strides": layer.strides, "padding": layer.padding}
        return "pool", {"what": what, **settings}, ()

    return describe


def _normalise(layer, shape):
    if not (layer.scale and layer.center):
        raise _unsupported(layer, "it does not both scale and centre")
    if layer.axis not in (-1, len(shape)):
        raise _unsupported(layer, "its axis is not the last")
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    return "normalise", {"epsilon": layer.epsilon, "momentum": layer.momentum}, roles


def _normalise_sample(layer, shape):
    if not (layer.scale and layer.center) or tuple(layer.axis) not in ((-1,), (len(shape),)):
        raise _unsupported(layer, "it does not scale and centre the last axis")
    return "normalise_sample", {"epsilon": layer.epsilon}, ("gamma", "beta")


def _dropout(layer, shape):
    return "dropout", {"rate": layer.rate}, ()


def _concatenate(layer, shape):
    axis = layer.axis if layer.axis < 0 else layer.axis - 1 - len(shape)
    if axis < -len(shape) or axis > -1:
        raise _unsupported(layer, "it concatenates along the batch axis")
    return "concatenate", {"axis": axis}, ()


def _activation_layer(layer, shape):
    activations = _activation(layer.activation, layer)
    return ("activation", activations[0], ()) if activations else (None, {}, ())


def _relu(layer, shape):
    if layer.threshold or (layer.negative_slope and layer.max_value is not None):
        raise _unsupported(layer, "it has a threshold, or both a slope and a max_value")
    highest = None if layer.max_value is None else float(layer.max_value)
    settings = _named("relu", slope=float(layer.negative_slope), highest=highest)
    return "activation", settings, ()


def _softmax(layer, shape):
    if layer.axis not in (-1, len(shape)):
        raise _unsupported(layer, "its axis is not the last")
    return "activation", _named("softmax"), ()


def _unsupported(layer: keras.layers.Layer, reason: str) -> InputError:
    return InputError(
        f"Expected layers that can be converted to another framework. Received: {layer.name!r} "
        f"({type(layer).__name__}): {reason}."
    )


# Each returns (kind, settings, names of variables) of a layer and its sample shape.
_KNOWN = {
    kl.Dense: _dense,
    kl.Conv2D: _convolution,
    kl.Conv2DTranspose: _deconvolution,
    kl.Flatten: lambda layer, shape: ("flatten", {}, ()),
    kl.Reshape: lambda layer, shape: ("reshape", {}, ()),
    kl.ZeroPadding2D: _padding,
    kl.Cropping2D: _cropping,
    kl.UpSampling2D: _enlarge,
    kl.MaxPooling2D: _pool("max"),
    kl.AveragePooling2D: _pool("mean"),
    kl.BatchNormalization: _normalise,
    kl.LayerNormalization: _normalise_sample,
    kl.Dropout: _dropout,
    noise.Dropout: _dropout,
    kl.Concatenate: _concatenate,
    kl.Activation: _activation_layer,
    kl.ReLU: _relu,
    kl.LeakyReLU: lambda layer, shape: (
        "activation", _named("relu", slope=float(layer.negative_slope)), (),
    ),
    kl.ELU: lambda layer, shape: ("activation", _named("elu", alpha=float(layer.alpha)), ()),
    kl.Softmax: _softmax,
    TopK: lambda layer, shape: ("top_k", {"k": layer.k}, ()),
    NormalCode: lambda layer, shape: ("first_half", {}, ()),
    VectorQuantizer: lambda layer, shape: ("nearest_word", {}, ("codebook",)),
}  # fmt: skip
