"""A deep autoencoder: narrowing dense layers to a small code, and a mirrored decoder."""

from collections.abc import Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import check_shape, check_size
from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.dense import check_activation, check_hidden, dense_parts


@keras.saving.register_keras_serializable("ae_multi")
class DeepAutoencoder(Autoencoder):
    r"""Autoencoder of dense layers, by default 784-128-64-36-18-9 and back.

    After Hinton & Salakhutdinov, Science 2006. Hidden layers are rectified by default, the code is
    linear, the output is a sigmoid: h_0 = x, h_i = relu(h_{i-1} W_i + b_i), code = h_k W + b. The
    decoder mirrors the sizes. Initial weights are Glorot uniform; biases are 0. There is no
    layer-wise pre-training.

    Args:
        hidden: sizes of the encoder's hidden layers, widest first; the decoder mirrors them.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend.
        activation: name of the hidden layers' activation. With several hidden layers, the
            exponential linear unit "elu" (Clevert, Unterthiner & Hochreiter, ICLR 2016), whose
            slope is not 0 below 0, learns faster.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape). Outputs have the same shape and range.

    Raises:
        InputError: a size is below 1, ``activation`` is unknown, or ``seed`` is not an integer
            from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128, 64, 36, 18),
        latent_dim: int = 9,
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int = 0,
        activation: str = "relu",
        **kwargs: Any,
    ) -> None:
        latent_dim, hidden = check_size("latent_dim", latent_dim), check_hidden(hidden)
        activation = check_activation(activation)
        shape = check_shape(input_shape)
        encoder, decoder = dense_parts(shape, hidden, latent_dim, None, seed, activation=activation)
        super().__init__(encoder, decoder, seed=seed, value_range=(0, 1), **kwargs)
        self.hidden = hidden
        self.latent_dim = latent_dim
        self.activation = activation

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {
            **keras.Model.get_config(self),
            "hidden": self.hidden,
            "latent_dim": self.latent_dim,
            "input_shape": self.encoder.input_shape[1:],
            "seed": self.seed,
            "activation": self.activation,
        }
