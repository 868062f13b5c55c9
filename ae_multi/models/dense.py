"""Encoders and decoders of dense layers, started from the project's own streams."""

import math

from ae_multi._keras import keras
from ae_multi.randomness.initializers import Seeded


def dense_parts(shape, hidden, latent_dim, code_activation, seed, output_activation="sigmoid"):
    """An encoder of dense layers and the decoder that mirrors it.

    Hidden layers are rectified. Initial weights are Glorot uniform, biases 0.

    Args:
        shape: shape of one sample.
        hidden: sizes of the encoder's hidden layers; the decoder's are the same, reversed.
        latent_dim: size of the code.
        code_activation: name of the code's activation, or None for a linear code.
        seed: integer that fixes the initial weights.
        output_activation: name of the output's activation, or None for values of any size.

    Returns:
        (encoder, decoder), two `keras.Sequential`.
    """

    def dense(units, activation, name):
        return keras.layers.Dense(
            units, activation=activation, kernel_initializer=Seeded(seed=seed, name=name), name=name
        )

    encoder = keras.Sequential(
        [
            keras.Input(shape),  # (n, *shape)
            keras.layers.Flatten(),  # (n, pixels)
            *(dense(units, "relu", f"down_{i}") for i, units in enumerate(hidden, 1)),
            dense(latent_dim, code_activation, "code"),  # (n, latent_dim)
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),  # (n, latent_dim)
            *(dense(units, "relu", f"up_{i}") for i, units in enumerate(reversed(hidden), 1)),
            dense(math.prod(shape), output_activation, "pixels"),  # (n, pixels)
            keras.layers.Reshape(shape),  # (n, *shape)
        ],
        name="decoder",
    )
    return encoder, decoder
