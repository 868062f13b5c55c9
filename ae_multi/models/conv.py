"""A convolutional autoencoder: strided convolutions to a code, and a mirrored decoder."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import check_shape, check_size
from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.inputs import CHANNELS_LAST, check_image_shape
from ae_multi.models.seeded_layers import seeded_convolution, seeded_dense

_KERNEL, _STRIDE = 3, 2


@keras.saving.register_keras_serializable("ae_multi")
class ConvAutoencoder(Autoencoder):
    r"""Autoencoder of strided convolutions, a dense code and transposed convolutions.

    After Masci et al., "Stacked convolutional auto-encoders", ICANN 2011, with strides instead of
    pooling: h_0 = x, h_i = relu(conv(h_{i-1})), each 3 x 3 with stride 2, so that sides are halved
    and rounded up; code = flatten(h_k) W + b. The decoder mirrors the encoder, crops the rows and
    columns that rounding up added, and ends with a sigmoid. Initial weights are Glorot uniform;
    biases are 0. Channels are the last axis for any `keras.config.image_data_format`.

    Args:
        filters: channels of the encoder's convolutions, in order; the decoder mirrors them.
        latent_dim: size of the code.
        input_shape: shape of one image, of any size and channels: (h, w, channels), or (h, w).
        seed: integer that fixes initial weights and batch order on every backend.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape). Outputs have the same shape and range.

    Raises:
        InputError: a size is below 1, ``input_shape`` is not an image shape, or ``seed`` is not
            an integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        filters: Sequence[int] = (16, 32),
        latent_dim: int = 32,
        input_shape: Sequence[int] = (28, 28, 1),
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        latent_dim = check_size("latent_dim", latent_dim)
        filters, shape = check_shape(filters, "filters"), check_image_shape(input_shape)
        encoder, decoder = _conv_parts(shape, filters, latent_dim, seed)
        super().__init__(encoder, decoder, seed=seed, value_range=(0, 1), **kwargs)
        self.filters = filters
        self.latent_dim = latent_dim

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {
            **keras.Model.get_config(self),
            "filters": self.filters,
            "latent_dim": self.latent_dim,
            "input_shape": self.encoder.input_shape[1:],
            "seed": self.seed,
        }


def _conv_parts(
    shape: tuple[int, ...], filters: tuple[int, ...], latent_dim: int, seed: int
) -> tuple[keras.Sequential, keras.Sequential]:
    """Return (encoder, decoder)."""
    height, width, channels = (*shape, 1)[:3]
    sizes: list[tuple[int, ...]] = [(height, width)]
    for _ in filters:
        sizes.append(tuple(-(-side // _STRIDE) for side in sizes[-1]))
    small = (*sizes[-1], filters[-1])

    dense = partial(seeded_dense, seed=seed)
    strided = partial(seeded_convolution, kernel=_KERNEL, stride=_STRIDE, seed=seed)

    encoder = keras.Sequential(
        [
            keras.Input(shape),
            *([keras.layers.Reshape((height, width, 1))] if len(shape) == 2 else []),
            *(
                strided(keras.layers.Conv2D, count, "relu", f"down_{i}")
                for i, count in enumerate(filters, 1)
            ),  # (n, *small)
            keras.layers.Flatten(data_format=CHANNELS_LAST),
            dense(latent_dim, None, "code"),  # (n, latent_dim)
        ],
        name="encoder",
    )
    up = []
    # Each transposed convolution restores the size and channels of a convolution's input.
    counts = [*filters[-2::-1], channels]
    for i, (count, size) in enumerate(zip(counts, sizes[-2::-1], strict=True), 1):
        name, activation = ("pixels", "sigmoid") if i == len(filters) else (f"up_{i}", "relu")
        up.append(strided(keras.layers.Conv2DTranspose, count, activation, name))
        margins = [(0, side % _STRIDE) for side in size]
        if any(map(any, margins)):
            up.append(keras.layers.Cropping2D(margins, data_format=CHANNELS_LAST))
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            dense(math.prod(small), "relu", "spread"),
            keras.layers.Reshape(small),
            *up,  # (n, height, width, channels)
            *([keras.layers.Reshape(shape)] if len(shape) == 2 else []),
        ],
        name="decoder",
    )
    return encoder, decoder
