"""A variational autoencoder: codes are distributions, and new samples can be drawn."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.inputs import sample_shape
from ae_multi.models.layered import LayeredAutoencoder, check_weight, widened
from ae_multi.randomness import streams
from ae_multi.randomness.layers import GaussianNoise
from ae_multi.validation import check_size

ops = keras.ops


@keras.saving.register_keras_serializable("ae_multi")
class VariationalAutoencoder(LayeredAutoencoder):
    r"""An encoder to means and variances, a draw from them, and a decoder.

    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014; with beta other than 1 Higgins
    et al., "beta-VAE", ICLR 2017. In training z = μ + σ ε with ε ~ N(0, 1), the same on every
    backend; in use z = μ. With D values in a sample,

        loss + beta / D · mean KL(N(μ, σ²) || N(0, 1)),  KL = ½ Σ_j (μ_j² + σ_j² - 1 - log σ_j²).

    With the binary cross-entropy, the default for inputs in [0, 1], and beta 1 that is 1/D of the
    negative lower bound of log p(x). The mean squared error stands for a normal p(x | z) of
    variance ½.

    Args:
        beta: weight of the divergence, at least 0.
        hidden: sizes of the encoder's hidden layers; the decoder's are mirrored.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, batch order and draws on every backend; None
            keeps the weights of own parts as they come.
        encoder: own encoder that begins with a `keras.Input`, in place of the dense one. The last
            axis of what it gives holds the means and then as many log variances.
        decoder: own decoder, with it, from codes half as wide.
        value_range: (lowest, highest) value that inputs of own parts may have, or None for any.
        activation: name of the hidden layers' activation, where parts are not own.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or what the own encoder takes. Outputs have
        the same shape.

    Raises:
        InputError: a negative beta, sizes below 1, parts that do not fit, one part without the
            other, or a seed that is no integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        beta=1.0,
        hidden=(256,),
        latent_dim=16,
        input_shape=(28, 28, 1),
        seed=0,
        encoder=None,
        decoder=None,
        value_range=None,
        activation="relu",
        **kwargs,
    ):
        latent_dim = check_size("latent_dim", latent_dim)
        beta = check_weight("beta", beta)

        def draw(shape):
            return NormalCode(beta / math.prod(shape), seed or 0, name="normal_code")

        super().__init__(
            hidden,
            latent_dim,
            input_shape,
            seed,
            encoder,
            decoder,
            value_range,
            behind=draw,
            units=2 * latent_dim,
            activation=activation,
            **kwargs,
        )
        self.beta = beta

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """As `keras.Model.compile`, with Adam by default.

        The default loss is the binary cross-entropy where inputs are in [0, 1], and the mean
        squared error elsewhere.
        """
        plain = "binary_crossentropy" if self.value_range == (0, 1) else "mse"
        super().compile(optimizer=optimizer, loss=plain if loss is None else loss, **kwargs)

    def posterior(self, x, batch_size=None):
        r"""(means, log variances) of the codes of ``x``: NumPy arrays of (n, \*code shape)."""
        *layers, _ = self.encoder.layers
        statistics = keras.Sequential([keras.Input(self.encoder.input_shape[1:]), *layers])
        found = predict_float32(statistics, self._check(x), batch_size)
        return tuple(np.split(found, 2, axis=-1))

    def divergence(self, x, batch_size=None):
        """KL(N(μ, σ²) || N(0, 1)) of each sample, in nats: NumPy array of shape (n,)."""
        mean, log_variance = self.posterior(x, batch_size)
        each = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
        return each.reshape(len(each), -1).sum(axis=1)

    def sample(self, n, seed=0, batch_size=None):
        r"""``n`` new samples, decoded from codes ~ N(0, 1): NumPy array (n, \*sample shape).

        The codes depend on ``seed`` alone, and are the same on every backend.
        """
        n = check_size("n", n)
        codes = streams.normal(seed, "sample", (n, *sample_shape(self.decoder)))
        return self.decode(codes.astype(np.float32), batch_size)

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "beta": self.beta}


@keras.saving.register_keras_serializable("ae_multi")
class NormalCode(keras.layers.Layer):
    """Draws codes from N(μ, σ²) in training, and adds their divergence from N(0, 1) to the loss.

    Args:
        weight: of the divergence, a sum over a sample's codes and a mean over samples.
        seed: integer that fixes the draws.

    Call arguments:
        inputs: tensor (n, ..., 2 codes): the means and then the log variances.
        training: whether to draw; the means are given otherwise.
    """

    def __init__(self, weight, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.weight = check_weight("weight", weight)
        self.noise = GaussianNoise(1.0, seed, name="noise")

    def build(self, input_shape):
        """See that there are as many means as variances."""
        if input_shape[-1] % 2:
            raise InputError(
                "Expected an encoder that gives means and as many log variances, an even number "
                f"on the last axis. Received: shape {tuple(input_shape)}."
            )
        self.built = True

    def call(self, inputs, training=False):
        """Codes (n, ..., codes)."""
        half = inputs.shape[-1] // 2
        mean, log_variance = inputs[..., :half], inputs[..., half:]
        wide_mean, wide_log_variance = widened(mean), widened(log_variance)
        variance = ops.exp(wide_log_variance)
        each = 0.5 * (ops.square(wide_mean) + variance - 1 - wide_log_variance)
        axes = tuple(range(1, len(inputs.shape)))
        self.add_loss(ops.multiply(ops.mean(ops.sum(each, axis=axes)), self.weight))
        # Noise on zeros is the bare draw in training, and nothing in use.
        drawn = self.noise(ops.zeros_like(mean), training=training)
        return mean + ops.exp(0.5 * log_variance) * drawn

    def compute_output_shape(self, input_shape):
        """The shape of ``inputs`` with half the last axis."""
        return (*input_shape[:-1], input_shape[-1] // 2)

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "weight": self.weight, "seed": self.noise.seed}
