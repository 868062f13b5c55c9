"""Number of terms of the sums in a layer's output, counted from shapes.

The rounding error of a sum grows with the number of its terms, see `ae_multi.parity.bounds`.
"""

import math
from collections.abc import Sequence

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import own_variables

layers = keras.layers

_SEPARABLE = layers.SeparableConv1D | layers.SeparableConv2D
DEPTHWISE = layers.DepthwiseConv1D | layers.DepthwiseConv2D
TRANSPOSED = layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose
_ATTENTION = layers.MultiHeadAttention | layers.GroupQueryAttention | layers.Attention
_OVER_AXIS = layers.LayerNormalization | layers.UnitNormalization | layers.Softmax


def terms_of_layer(
    layer: keras.layers.Layer, inputs: Sequence[np.ndarray], values: np.ndarray
) -> int:
    """Return the number of terms of the longest sum in a layer's output.

    Args:
        layer: a Keras layer.
        inputs: its input arrays.
        values: its output array.
    """
    if isinstance(layer, layers.RNN) and inputs:
        # The cell runs in a loop, in which calls of layers are not recorded.
        return inputs[0].shape[1] * sum(math.prod(v.shape[:-1]) for v in layer.weights)
    if isinstance(layer, layers.Embedding):
        return 1
    if isinstance(layer, _SEPARABLE):
        depthwise, pointwise = layer.depthwise_kernel.shape, layer.pointwise_kernel.shape
        return math.prod(depthwise[:-2]) + pointwise[-2]
    if isinstance(layer, DEPTHWISE):
        return math.prod(layer.kernel.shape[:-2])
    if isinstance(layer, TRANSPOSED):  # axes: positions, outputs, inputs
        return math.prod(layer.kernel.shape[:-2]) * layer.kernel.shape[-1]
    if isinstance(layer, layers.EinsumDense):
        return _summed(layer)
    if isinstance(layer, _ATTENTION) and inputs:
        # A scalar product, the sum of the softmax and the mean of the values.
        longest = max(array.shape[1] for array in inputs if array.ndim > 1)
        return inputs[0].shape[-1] + 2 * longest
    # A call with keywords only has no recorded inputs.
    if isinstance(layer, layers.Dot) and inputs:
        return _sizes(inputs[0], layer.axes if isinstance(layer.axes, int) else layer.axes[0])
    if isinstance(layer, _OVER_AXIS) and inputs:
        return _sizes(inputs[0], layer.axis)
    if isinstance(layer, layers.GroupNormalization) and layer.groups > 0:
        return values.size // (len(values) * layer.groups)
    variables = [v for v in own_variables(layer) if len(v.shape)]
    kernels = [math.prod(v.shape[:-1]) for v in variables if len(v.shape) > 1]
    if kernels:
        return max(kernels)
    if not variables and inputs and values.size:
        # Pooling, products and other layers without weights.
        return max(1, max(array.size for array in inputs) // values.size)
    # Batch normalization: means over all samples and positions of a channel.
    return max([values.size // v.shape[0] for v in variables if v.shape[0]], default=1)


def _sizes(array: np.ndarray, axes: int | Sequence[int]) -> int:
    """Return the number of values along one or more axes."""
    return math.prod(array.shape[axis] for axis in ([axes] if isinstance(axes, int) else axes))


def _summed(layer: keras.layers.EinsumDense) -> int:
    """Return the product of the kernel's axes over which an `EinsumDense` sums."""
    operands, output = layer.equation.replace(" ", "").split("->")
    names = operands.split(",")[1]
    sizes = zip(names, layer.kernel.shape, strict=True)
    return math.prod(size for name, size in sizes if name not in output)
