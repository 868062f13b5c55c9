"""Dense encoders and decoders with initial weights that are the same on every backend."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import check_shape
from ae_multi.errors import InputError
from ae_multi.models.inputs import CHANNELS_LAST
from ae_multi.models.seeded_layers import seeded_dense


def dense_parts(
    shape: tuple[int, ...],
    hidden: Sequence[int],
    latent_dim: int,
    code_activation: str | None,
    seed: int,
    output_activation: str | None = "sigmoid",
    units: int | None = None,
    activation: str = "relu",
) -> tuple[keras.Sequential, keras.Sequential]:
    """Build an encoder of dense layers and the decoder that mirrors it.

    Initial weights are Glorot uniform; biases are 0.

    Args:
        shape: shape of one sample.
        hidden: sizes of the encoder's hidden layers; those of the decoder are reversed.
        latent_dim: size of the code.
        code_activation: name of the code's activation, or None for a linear code.
        seed: integer that fixes the initial weights.
        output_activation: name of the output's activation, or None for a linear output.
        units: number of encoder outputs if it differs from ``latent_dim``.
        activation: name of the hidden layers' activation.

    Returns:
        (encoder, decoder).

    Raises:
        InputError: ``activation`` is not the name of a Keras activation.
    """
    activation = check_activation(activation)

    dense = partial(seeded_dense, seed=seed)
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


def check_activation(name: Any) -> str:
    """Return ``name``, or raise `InputError` unless it is the name of a Keras activation."""
    try:
        known = isinstance(name, str) and bool(keras.activations.get(name))
    except ValueError:
        known = False
    if not known:
        raise InputError(
            "Expected activation to be the name of a Keras activation, such as 'relu' or 'elu'. "
            f"Received: {name!r}."
        )
    return str(name)


def check_hidden(hidden: Sequence[int]) -> tuple[int, ...]:
    """Return sizes of hidden layers as a tuple, which may be empty, or raise `InputError`."""
    try:
        has_layers = len(hidden) > 0
    except TypeError:
        raise InputError(
            f"Expected hidden to be a sequence of layer sizes. Received: {hidden!r}."
        ) from None
    return check_shape(hidden, "hidden") if has_layers else ()
