"""The smallest autoencoder: one dense layer each for encoder and decoder."""

from collections.abc import Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import check_shape, check_size
from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.dense import dense_parts


@keras.saving.register_keras_serializable("ae_multi")
class SimpleAutoencoder(Autoencoder):
    r"""Autoencoder of one dense layer to the code and one back.

    code = relu(x W + b), reconstruction = sigmoid(code V + c): the perceptron with one hidden
    layer as an autoencoder (Bourlard & Kamp, Biological Cybernetics 1988), with a rectifier.
    Initial weights are Glorot uniform; biases are 0.

    Args:
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape). Outputs have the same shape and range.

    Raises:
        InputError: a size is below 1, or ``seed`` is not an integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        latent_dim: int = 32,
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        latent_dim = check_size("latent_dim", latent_dim)
        shape = check_shape(input_shape)
        encoder, decoder = dense_parts(shape, (), latent_dim, "relu", seed)
        super().__init__(encoder, decoder, seed=seed, value_range=(0, 1), **kwargs)
        self.latent_dim = latent_dim

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {
            **keras.Model.get_config(self),
            "latent_dim": self.latent_dim,
            "input_shape": self.encoder.input_shape[1:],
            "seed": self.seed,
        }
