"""A deep autoencoder: a pyramid of dense layers down to a narrow code, and its mirror."""

from ae_multi._keras import keras
from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.dense import check_activation, check_hidden, dense_parts
from ae_multi.validation import check_shape, check_size


@keras.saving.register_keras_serializable("ae_multi")
class DeepAutoencoder(Autoencoder):
    r"""784-128-64-36-18-9 and back, by default (after Hinton & Salakhutdinov, Science 2006).

    Hidden layers are rectified unless told otherwise, the code is linear, the output is a
    sigmoid: with h_0 = x, h_i = relu(h_{i-1} W_i + b_i), code = h_k W + b, and the decoder mirrors
    the sizes.
    Initial weights are Glorot uniform, biases 0; there is no layer-wise pre-training.

    Args:
        hidden: sizes of the encoder's hidden layers, widest first; the decoder's are mirrored.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend.
        activation: name of the hidden layers' activation. The exponential linear unit "elu"
            (Clevert, Unterthiner & Hochreiter, ICLR 2016), which has a slope below 0 as well,
            learns faster where there are several of them.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape). Outputs have the same shape and range.

    Raises:
        InputError: sizes below 1, an unknown activation, or a seed that is no integer from 0 to
            2**64 - 1.
    """

    def __init__(
        self,
        hidden=(128, 64, 36, 18),
        latent_dim=9,
        input_shape=(28, 28, 1),
        seed=0,
        activation="relu",
        **kwargs,
    ):
        latent_dim, hidden = check_size("latent_dim", latent_dim), check_hidden(hidden)
        activation = check_activation(activation)
        shape = check_shape(input_shape)
        encoder, decoder = dense_parts(shape, hidden, latent_dim, None, seed, activation=activation)
        super().__init__(encoder, decoder, seed=seed, value_range=(0, 1), **kwargs)
        self.hidden = hidden
        self.latent_dim = latent_dim
        self.activation = activation

    def get_config(self):
        """The arguments, for saving."""
        return {
            **keras.Model.get_config(self),
            "hidden": self.hidden,
            "latent_dim": self.latent_dim,
            "input_shape": self.encoder.input_shape[1:],
            "seed": self.seed,
            "activation": self.activation,
        }
