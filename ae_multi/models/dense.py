"""Encoders and decoders of dense layers, started from the project's own streams."""

import math

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.inputs import CHANNELS_LAST
from ae_multi.randomness.initializers import Seeded
from ae_multi.validation import check_shape


def dense_parts(
    shape,
    hidden,
    latent_dim,
    code_activation,
    seed,
    output_activation="sigmoid",
    units=None,
    activation="relu",
):
    """An encoder of dense layers and the decoder that mirrors it.

    Initial weights are Glorot uniform, biases 0.

    Args:
        shape: shape of one sample.
        hidden: sizes of the encoder's hidden layers; the decoder's are the same, reversed.
        latent_dim: size of the code.
        code_activation: name of the code's activation, or None for a linear code.
        seed: integer that fixes the initial weights.
        output_activation: name of the output's activation, or None for values of any size.
        units: outputs of the encoder where they are not the ``latent_dim`` inputs of the decoder.
        activation: name of the hidden layers' activation.

    Returns:
        (encoder, decoder), two `keras.Sequential`.

    Raises:
        InputError: a hidden activation that is none of Keras's names.
    """
    activation = check_activation(activation)

    def dense(units, activation, name):
        return keras.layers.Dense(
            units, activation=activation, kernel_initializer=Seeded(seed=seed, name=name), name=name
        )

    encoder = keras.Sequential(
        [
            keras.Input(shape),  # (n, *shape)
            keras.layers.Flatten(data_format=CHANNELS_LAST),  # (n, pixels)
            *(dense(units, activation, f"down_{i}") for i, units in enumerate(hidden, 1)),
            dense(units or latent_dim, code_activation, "code"),  # (n, units or latent_dim)
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),  # (n, latent_dim)
            *(dense(units, activation, f"up_{i}") for i, units in enumerate(reversed(hidden), 1)),
            dense(math.prod(shape), output_activation, "pixels"),  # (n, pixels)
            keras.layers.Reshape(shape),  # (n, *shape)
        ],
        name="decoder",
    )
    return encoder, decoder


def check_activation(name):
    """Return the name of one of Keras's activations as text, or raise `InputError`."""
    try:
        known = isinstance(name, str) and bool(keras.activations.get(name))
    except ValueError:
        known = False
    if not known:
        raise InputError(
            "Expected activation to be the name of one of Keras's, as 'relu' and 'elu' are. "
            f"Received: {name!r}."
        )
    return str(name)


def check_hidden(hidden):
    """Return sizes of hidden layers as a tuple, empty where there are none."""
    try:
        filled = len(hidden) > 0
    except TypeError:
        raise InputError(
            f"Expected hidden to be a sequence of layer sizes. Received: {hidden!r}."
        ) from None
    return check_shape(hidden, "hidden") if filled else ()
