"""A denoising autoencoder: it sees damaged inputs and has to give back whole ones."""

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.inputs import as_samples, sample_shape
from ae_multi.models.layered import LayeredAutoencoder, check_choice
from ae_multi.randomness.layers import GaussianNoise, MaskingNoise, SaltAndPepper
from ae_multi.validation import as_plain

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper")
# Noisy inputs may leave the range by so many standard deviations: far enough for noise of a few
# times the level, and not for bytes that were never divided by 255.
_BEYOND = 8


@keras.saving.register_keras_serializable("ae_multi")
class DenoisingAutoencoder(LayeredAutoencoder):
    r"""An autoencoder that is trained on corrupted inputs against the clean ones.

    Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML
    2008, and "Stacked denoising autoencoders", JMLR 11 (2010): with x̃ ~ q(x̃ | x),

        minimise mean L(x, decoder(encoder(x̃))),

    where q adds normal noise ("gaussian"), sets inputs to 0 ("masking"), or to the lowest or
    highest value ("salt_and_pepper"). Each training step draws anew, with the same bits on every
    backend; nothing is corrupted in use, so that `reconstruct(noisy)` denoises.

    Args:
        corruption: "gaussian", "masking" or "salt_and_pepper".
        level: the noise's standard deviation, above 0; or the share of inputs that are hit, above
            0 and below 1.
        hidden: sizes of the encoder's hidden layers; the decoder's are mirrored.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, batch order and corruption on every backend;
            None keeps the weights of own parts as they come.
        encoder: own encoder that begins with a `keras.Input` (of convolutions, say), in place of
            the dense one. It is given corrupted inputs as they are, not clipped.
        decoder: own decoder, with it.
        value_range: (lowest, highest) value that inputs of own parts may have, or None for any;
            salt and pepper are these two, or 0 and 1.
        activation: name of the hidden layers' activation, where parts are not own.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or what the own encoder takes; with
        "gaussian" up to 8 levels beyond, as noisy inputs are. Outputs have the same shape.

    Raises:
        InputError: an unknown corruption, a level out of its range, sizes below 1, one part
            without the other, or a seed that is no integer from 0 to 2**64 - 1.

    Example:
        >>> model = DenoisingAutoencoder("gaussian", 0.4)
        >>> model.compile()
        >>> history = model.fit(clean, epochs=20)
        >>> denoised = model.reconstruct(noisy)
    """

    def __init__(
        self,
        corruption="gaussian",
        level=0.4,
        hidden=(256,),
        latent_dim=64,
        input_shape=(28, 28, 1),
        seed=0,
        encoder=None,
        decoder=None,
        value_range=None,
        activation="relu",
        **kwargs,
    ):
        corruption, level = check_choice("corruption", corruption, CORRUPTIONS), as_plain(level)
        if not isinstance(level, int | float) or not level > 0:
            raise InputError(f"Expected level to be a number above 0. Received: {level!r}.")

        value_range = as_plain(value_range)

        def corrupt(_):
            name = {"seed": seed or 0, "name": "corruption"}
            if corruption == "gaussian":
                return GaussianNoise(level, **name)
            if corruption == "masking":
                return MaskingNoise(level, **name)
            return SaltAndPepper(level, *(value_range or (0, 1)), **name)

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

    def _check(self, x):
        """As `Autoencoder._check`; normal noise may have carried ``x`` out of its range."""
        if self.corruption != "gaussian" or self.value_range is None:
            return super()._check(x)
        widened = noisy_range(self.value_range, self.level)
        return as_samples(x, "x", sample_shape(self.encoder), widened)

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "corruption": self.corruption, "level": self.level}


def noisy_range(value_range, level):
    """(lowest, highest) value that normal noise of ``level`` may give to values of a range."""
    low, high = value_range
    return low - _BEYOND * level, high + _BEYOND * level
