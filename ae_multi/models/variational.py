"""A variational autoencoder: codes are distributions from which new samples can be drawn."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi._keras import keras
from ae_multi.argument_checks import check_size
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.inputs import sample_shape
from ae_multi.models.layered import LayeredAutoencoder, check_weight, widened
from ae_multi.randomness import streams
from ae_multi.randomness.layers import GaussianNoise

ops = keras.ops


@keras.saving.register_keras_serializable("ae_multi")
class VariationalAutoencoder(LayeredAutoencoder):
    r"""Autoencoder whose encoder predicts the mean and variance of each code.

    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014; for a beta other than 1,
    Higgins et al., "beta-VAE", ICLR 2017. In training, z = μ + σ ε with ε ~ N(0, 1), the same on
    every backend; in inference, z = μ. With D values in a sample,

        loss + beta / D · mean KL(N(μ, σ²) || N(0, 1)),  KL = ½ Σ_j (μ_j² + σ_j² - 1 - log σ_j²).

    With the binary cross-entropy, the default for inputs in [0, 1], and beta 1, this is 1/D of the
    negative lower bound of log p(x). The mean squared error corresponds to a normal p(x | z) with
    variance ½.

    Args:
        beta: weight of the divergence, at least 0.
        hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, batch order and ε on every backend; None keeps
            the weights of a custom encoder and decoder.
        encoder: custom encoder that begins with a `keras.Input`, instead of the dense one. The
            last axis of its outputs holds the means and then as many log variances.
        decoder: custom decoder; required with ``encoder``. Its inputs have half the size of the
            encoder's last axis.
        value_range: (lowest, highest) allowed value of the inputs of a custom encoder, or None
            for any.
        activation: name of the hidden layers' activation in the dense encoder and decoder.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or the inputs of the custom encoder. Outputs
        have the same shape.

    Raises:
        InputError: ``beta`` is negative, a size is below 1, the shapes of a custom encoder and
            decoder do not match, only one of them is given, or ``seed`` is not an integer from 0
            to 2**64 - 1.
    """

    def __init__(
        self,
        beta: float = 1.0,
        hidden: Sequence[int] = (256,),
        latent_dim: int = 16,
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int | None = 0,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        value_range: tuple[float, float] | None = None,
        activation: str = "relu",
        **kwargs: Any,
    ) -> None:
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
            after=draw,
            units=2 * latent_dim,
            activation=activation,
            **kwargs,
        )
        self.beta = beta

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """Compile as `keras.Model.compile`, with Adam by default.

        The default loss is the binary cross-entropy for inputs in [0, 1], and otherwise the mean
        squared error.
        """
        default = "binary_crossentropy" if self.value_range == (0, 1) else "mse"
        super().compile(optimizer=optimizer, loss=default if loss is None else loss, **kwargs)

    def posterior(
        self, x: ArrayLike, batch_size: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""Return (means, log variances) of the codes of ``x``: arrays of (n, \*code shape)."""
        *layers, _ = self.encoder.layers
        model = keras.Sequential([keras.Input(self.encoder.input_shape[1:]), *layers])
        statistics = predict_float32(model, self._check(x), batch_size)
        mean, log_variance = np.split(statistics, 2, axis=-1)
        return mean, log_variance

    def divergence(self, x: ArrayLike, batch_size: int | None = None) -> np.ndarray:
        """Return KL(N(μ, σ²) || N(0, 1)) of each sample in nats: NumPy array of shape (n,)."""
        mean, log_variance = self.posterior(x, batch_size)
        terms = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
        return terms.reshape(len(terms), -1).sum(axis=1)

    def sample(self, n: int, seed: int = 0, batch_size: int | None = None) -> np.ndarray:
        r"""Draw ``n`` new samples, decoded from codes ~ N(0, 1).

        The codes depend only on ``seed`` and are the same on every backend.

        Returns:
            NumPy array of shape (n, \*sample shape).
        """
        n = check_size("n", n)
        codes = streams.normal(seed, "sample", (n, *(sample_shape(self.decoder) or ())))
        return self.decode(codes.astype(np.float32), batch_size)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "beta": self.beta}


@keras.saving.register_keras_serializable("ae_multi")
class NormalCode(keras.layers.Layer):
    """Draw codes from N(μ, σ²) in training, and add their divergence from N(0, 1) to the loss.

    Args:
        weight: weight of the divergence, which is summed over the codes of a sample and averaged
            over samples.
        seed: integer that fixes the random numbers.

    Call arguments:
        inputs: tensor (n, ..., 2 codes): the means and then the log variances.
        training: whether to draw codes; otherwise the layer returns the means.
    """

    def __init__(self, weight: float, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = check_weight("weight", weight)
        self.noise = GaussianNoise(1.0, seed, name="noise")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that the last axis has an even size, or raise `InputError`."""
        if (input_shape[-1] or 0) % 2:
            raise InputError(
                "Expected an encoder that returns means and as many log variances, an even number "
                f"on the last axis. Received: shape {tuple(input_shape)}."
            )
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the codes (n, ..., codes)."""
        half = inputs.shape[-1] // 2
        mean, log_variance = inputs[..., :half], inputs[..., half:]
        wide_mean, wide_log_variance = widened(mean), widened(log_variance)
        variance = ops.exp(wide_log_variance)
        terms = 0.5 * (ops.square(wide_mean) + variance - 1 - wide_log_variance)
        axes = tuple(range(1, len(inputs.shape)))
        self.add_loss(ops.multiply(ops.mean(ops.sum(terms, axis=axes)), self.weight))
        # The noise layer adds N(0, 1) noise to zeros in training, and nothing in inference.
        epsilon = self.noise(ops.zeros_like(mean), training=training)
        return mean + ops.exp(0.5 * log_variance) * epsilon

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return ``input_shape`` with half the size of the last axis."""
        return (*input_shape[:-1], input_shape[-1] // 2)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "weight": self.weight, "seed": self.noise.seed}
