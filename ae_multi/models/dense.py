"""The dense layer of the project's models: Keras's, started from the project's own streams."""

from ae_multi._keras import keras
from ae_multi.randomness.initializers import Seeded


def dense(units, activation, seed, name):
    """A `keras.layers.Dense` with Glorot uniform weights for (seed, name) and biases of 0.

    Args:
        units: size of the output.
        activation: name of the activation, or None for a linear layer.
        seed: the model's seed.
        name: the layer's name, different from that of every other layer of the model.
    """
    return keras.layers.Dense(
        units, activation=activation, kernel_initializer=Seeded(seed=seed, name=name), name=name
    )
