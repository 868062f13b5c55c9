"""Encoders and decoders of sequences: windows of a time series of shape (length, channels)."""

import math
from collections.abc import Sequence
from functools import partial

from ae_multi._keras import keras
from ae_multi.models.inputs import CHANNELS_LAST
from ae_multi.models.seeded_layers import seeded_convolution, seeded_dense
from ae_multi.randomness.initializers import Seeded

_KERNEL, _STRIDE = 5, 2  # of convolutions
_PATCH = 4  # steps of a sequence in one step of an LSTM


def conv_sequence_parts(
    shape: tuple[int, int], filters: Sequence[int], latent_dim: int, seed: int
) -> tuple[keras.Sequential, keras.Sequential]:
    """Build an encoder of strided 1D convolutions and the decoder that mirrors it.

    h_0 = x, h_i = elu(conv(h_{i-1})), each of kernel 5 and stride 2, so that the length is halved
    and rounded up; code = flatten(h_k) W + b. The decoder mirrors the encoder, crops the steps that
    rounding up added, and has a linear output. Initial weights are Glorot uniform; biases are 0.

    Args:
        shape: (length, channels) of a sequence.
        filters: channels of the encoder's convolutions, in order.
        latent_dim: size of the code.
        seed: integer that fixes the initial weights.

    Returns:
        (encoder, decoder).
    """
    length, channels = shape
    lengths = [length]
    for _ in filters:
        lengths.append(-(-lengths[-1] // _STRIDE))
    small = (lengths[-1], filters[-1])

    dense = partial(seeded_dense, seed=seed)
    strided = partial(seeded_convolution, kernel=_KERNEL, stride=_STRIDE, seed=seed)

    encoder = keras.Sequential(
        [
            keras.Input(shape),
            *(
                strided(keras.layers.Conv1D, count, "elu", f"down_{i}")
                for i, count in enumerate(filters, 1)
            ),  # (n, *small)
            keras.layers.Flatten(data_format=CHANNELS_LAST),
            dense(latent_dim, None, "code"),  # (n, latent_dim)
        ],
        name="encoder",
    )
    up = []
    # Each transposed convolution restores the length and channels of a convolution's input.
    counts = [*filters[-2::-1], channels]
    for i, (count, size) in enumerate(zip(counts, lengths[-2::-1], strict=True), 1):
        name, activation = ("values", None) if i == len(filters) else (f"up_{i}", "elu")
        up.append(strided(keras.layers.Conv1DTranspose, count, activation, name))
        if size % _STRIDE:
            up.append(keras.layers.Cropping1D((0, 1)))
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            dense(math.prod(small), "elu", "spread"),
            keras.layers.Reshape(small),
            *up,  # (n, length, channels)
        ],
        name="decoder",
    )
    return encoder, decoder


def lstm_parts(
    shape: tuple[int, int], units: Sequence[int], latent_dim: int, seed: int
) -> tuple[keras.Sequential, keras.Sequential]:
    """Build an LSTM encoder-decoder that reads and writes `_PATCH` steps at once.

    After Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly detection", ICML
    2016 Anomaly Detection Workshop: the code is computed from the last state of the encoder, and
    the decoder computes the sequence from it in reverse order of the reading. Here the encoder
    reads from the end, and the decoder writes from the beginning. The decoder receives the code at
    each step, not the preceding value, so that training and inference are the same. Sequences are
    padded with zeros to a multiple of `_PATCH` steps; a step of the LSTM is a patch of them, which
    makes the recurrence shorter.

    Args:
        shape: (length, channels) of a sequence.
        units: sizes of the encoder's LSTM layers; those of the decoder are reversed.
        latent_dim: size of the code.
        seed: integer that fixes the initial weights.

    Returns:
        (encoder, decoder).
    """
    length, channels = shape
    patches = -(-length // _PATCH)
    padding = patches * _PATCH - length
    last = len(units)

    def lstm(count, name, returns, backwards=False):
        return keras.layers.LSTM(
            count,
            return_sequences=returns,
            go_backwards=backwards,
            kernel_initializer=Seeded(seed=seed, name=f"{name}/kernel"),
            recurrent_initializer=Seeded("orthogonal", seed=seed, name=f"{name}/recurrent"),
            name=name,
        )

    dense = partial(seeded_dense, seed=seed)

    encoder = keras.Sequential(
        [
            keras.Input(shape),
            *([keras.layers.ZeroPadding1D((0, padding))] if padding else []),
            keras.layers.Reshape((patches, _PATCH * channels)),
            # The first layer returns its states in the order in which it reads, from the end.
            *(
                lstm(count, f"down_{i}", returns=i < last, backwards=i == 1)
                for i, count in enumerate(units, 1)
            ),  # (n, units)
            dense(latent_dim, None, "code"),  # (n, latent_dim)
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            keras.layers.RepeatVector(patches),
            *(
                lstm(count, f"up_{i}", returns=True)
                for i, count in enumerate(reversed(tuple(units)), 1)
            ),  # (n, patches, units)
            dense(_PATCH * channels, None, "values"),
            keras.layers.Reshape((patches * _PATCH, channels)),
            *([keras.layers.Cropping1D((0, padding))] if padding else []),
        ],
        name="decoder",
    )
    return encoder, decoder
