"""Description of a network as NumPy arrays, from which hand-written loops build it."""

from collections.abc import Iterable
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
        output_shape: shape of the output for one sample.
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


def describe(layers: Iterable[keras.layers.Layer]) -> list[Layer]:
    """Convert Keras layers to a list of `Layer`.

    Raises:
        ValueError: a layer that the hand-written loops do not support.
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
    """Return whether the loops do not support a convolution."""
    is_odd = any(side % 2 for side in layer.input.shape[1:3])
    is_known = (layer.kernel_size, layer.strides, layer.padding) == ((3, 3), (2, 2), "same")
    return not is_known or (is_odd and isinstance(layer, keras.layers.Conv2D))
