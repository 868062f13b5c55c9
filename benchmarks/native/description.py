"""A network as plain values, from which a loop by hand builds it without Keras."""

from dataclasses import dataclass

import numpy as np

from ae_multi._keras import keras

_KINDS = {
    keras.layers.Dense: "dense",
    keras.layers.Conv2D: "conv",
    keras.layers.Conv2DTranspose: "conv_transpose",
    keras.layers.Flatten: "reshape",
    keras.layers.Reshape: "reshape",
}


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        kind: "dense", "conv", "conv_transpose" (both 3 x 3 with stride 2 and "same" padding, on
            images as (height, width, channels) with even sides) or "reshape".
        output_shape: shape of what it gives for one sample.
        kernel: float32 (in, out), (3, 3, in, out) or, transposed, (3, 3, out, in); None for
            "reshape".
        bias: float32 (out,), or None.
        activation: "relu", "sigmoid" or "linear".
    """

    kind: str
    output_shape: tuple
    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None
    activation: str = "linear"


def describe(layers):
    """Keras layers as `Layer`.

    Raises:
        ValueError: a layer that no loop by hand knows.
    """
    return [_describe(layer) for layer in layers if not isinstance(layer, keras.layers.InputLayer)]


def _describe(layer):
    kind, shape = _KINDS.get(type(layer)), tuple(layer.output.shape[1:])
    if kind == "reshape":
        return Layer(kind, shape)
    if kind is None or (kind != "dense" and _differs(layer)):
        raise ValueError(
            "Expected dense layers, and convolutions of 3 x 3 with stride 2 and padding 'same' of "
            f"images with even sides. Received: {layer.name} ({type(layer).__name__})."
        )
    return Layer(kind, shape, *map(np.array, layer.get_weights()), layer.activation.__name__)


def _differs(layer):
    """Whether a convolution is other than what the loops know."""
    odd = any(side % 2 for side in layer.input.shape[1:3])
    known = (layer.kernel_size, layer.strides, layer.padding) == ((3, 3), (2, 2), "same")
    return not known or (odd and isinstance(layer, keras.layers.Conv2D))
