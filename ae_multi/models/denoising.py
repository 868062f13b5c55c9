"""A denoising autoencoder: it reconstructs clean inputs from corrupted ones."""

from collections.abc import Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain
from ae_multi.errors import InputError
from ae_multi.models.inputs import as_samples, sample_shape
from ae_multi.models.layered import LayeredAutoencoder, check_choice
from ae_multi.randomness.layers import GaussianNoise, MaskingNoise, SaltAndPepper

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper")
# Number of standard deviations by which noisy inputs may leave the value range. This allows noise
# of a few times the level, and rejects bytes that were never divided by 255.
_NOISE_MARGIN = 8


@keras.saving.register_keras_serializable("ae_multi")
class DenoisingAutoencoder(LayeredAutoencoder):
    r"""An autoencoder that is trained to reconstruct clean inputs from corrupted ones.

    Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML
    2008, and "Stacked denoising autoencoders", JMLR 11 (2010): with x̃ ~ q(x̃ | x),

        minimise mean L(x, decoder(encoder(x̃))),

    where q adds normal noise ("gaussian"), sets inputs to 0 ("masking"), or to the lowest or
    highest value ("salt_and_pepper"). Each training step draws new noise, with the same bits on
    every backend. Inference corrupts nothing, so that `reconstruct(noisy)` denoises.

    Args:
        corruption: "gaussian", "masking" or "salt_and_pepper".
        level: standard deviation of "gaussian" noise, above 0; otherwise the share of corrupted
            values, above 0 and below 1.
        hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, batch order and corruption on every backend;
            None keeps the weights of a custom encoder and decoder.
        encoder: custom encoder that begins with a `keras.Input` (of convolutions, for example),
            instead of the dense one. Its corrupted inputs are not clipped.
        decoder: custom decoder; required with ``encoder``.
        value_range: (lowest, highest) allowed value of the inputs of a custom encoder, or None
            for any. Salt and pepper are these two values, or 0 and 1 with None.
        activation: name of the hidden layers' activation in the dense encoder and decoder.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or the inputs of the custom encoder. With
        "gaussian", noisy inputs may leave the range by up to 8 times ``level``. Outputs have the
        same shape.

    Raises:
        InputError: ``corruption`` is unknown, ``level`` is out of range, a size is below 1, only
            one of ``encoder`` and ``decoder`` is given, or ``seed`` is not an integer from 0 to
            2**64 - 1.

    Example:
        >>> model = DenoisingAutoencoder("gaussian", 0.4)
        >>> model.compile()
        >>> history = model.fit(clean, epochs=20)
        >>> denoised = model.reconstruct(noisy)
    """

    def __init__(
        self,
        corruption: str = "gaussian",
        level: float = 0.4,
        hidden: Sequence[int] = (256,),
        latent_dim: int = 64,
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int | None = 0,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        value_range: tuple[float, float] | None = None,
        activation: str = "relu",
        **kwargs: Any,
    ) -> None:
        corruption, level = check_choice("corruption", corruption, CORRUPTIONS), as_plain(level)
        if not isinstance(level, int | float) or not level > 0:
            raise InputError(f"Expected level to be a number above 0. Received: {level!r}.")

        value_range = as_plain(value_range)

        def corrupt(_):
            arguments: dict[str, Any] = {"seed": seed or 0, "name": "corruption"}
            if corruption == "gaussian":
                return GaussianNoise(level, **arguments)
            if corruption == "masking":
                return MaskingNoise(level, **arguments)
            return SaltAndPepper(level, *(value_range or (0, 1)), **arguments)

        super().__init__(
            hidden,
            latent_dim,
            input_shape,
            seed,
            encoder,
            decoder,
            value_range,
            before=corrupt,
            activation=activation,
            **kwargs,
        )
        self.corruption, self.level = corruption, float(level)

    def _check(self, x: Any) -> Any:
        """Check as `Autoencoder._check`; inputs with normal noise may leave the value range."""
        if self.corruption != "gaussian" or self.value_range is None:
            return super()._check(x)
        noisy = noisy_range(self.value_range, self.level)
        return as_samples(x, "x", sample_shape(self.encoder), noisy)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "corruption": self.corruption, "level": self.level}


def noisy_range(value_range: tuple[float, float], level: float) -> tuple[float, float]:
    """Return the (lowest, highest) value allowed after normal noise of ``level`` is added."""
    low, high = value_range
    return low - _NOISE_MARGIN * level, high + _NOISE_MARGIN * level
