"""Layers whose initial weights depend only on a seed and the layer's name."""

from typing import Any

from ae_multi._keras import keras
from ae_multi.models.inputs import CHANNELS_LAST
from ae_multi.randomness.initializers import Seeded


def seeded_dense(units: int, activation: str | None, name: str, *, seed: int) -> keras.layers.Dense:
    """Return a dense layer with Glorot uniform weights and biases of 0.

    Args:
        units: number of outputs.
        activation: name of the activation, or None for a linear layer.
        name: name of the layer, on which the initial weights depend.
        seed: integer that fixes the initial weights.
    """
    initializer = Seeded(seed=seed, name=name)
    return keras.layers.Dense(
        units, activation=activation, kernel_initializer=initializer, name=name
    )


def seeded_convolution(
    layer: Any,
    filters: int,
    activation: str | None,
    name: str,
    *,
    kernel: int,
    stride: int,
    seed: int,
) -> keras.layers.Layer:
    """Return a strided convolution with Glorot uniform weights and biases of 0.

    Args:
        layer: class of the layer, such as `keras.layers.Conv2D` or `keras.layers.Conv2DTranspose`.
        filters: number of output channels.
        activation: name of the activation, or None for a linear layer.
        name: name of the layer, on which the initial weights depend.
        kernel: size of the kernel along each axis.
        stride: stride along each axis.
        seed: integer that fixes the initial weights.
    """
    return layer(
        filters,
        kernel,
        strides=stride,
        padding="same",
        activation=activation,
        kernel_initializer=Seeded(seed=seed, name=name),
        name=name,
        data_format=CHANNELS_LAST,
    )
