"""What autoencoders with one layer more share: corruption in front, or a code of its own kind."""

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.dense import check_activation, check_hidden, dense_parts
from ae_multi.models.inputs import CHANNELS_LAST, sample_shape
from ae_multi.validation import as_plain, check_shape, check_size


class LayeredAutoencoder(Autoencoder):
    r"""An autoencoder whose encoder begins or ends with a layer that makes it what it is.

    Dense unless an encoder and a decoder are given: hidden layers are rectified, the output is a
    sigmoid, and inputs are in [0, 1]. Own parts may be of any Keras layers and take any values.

    Args:
        hidden: sizes of the encoder's hidden layers; the decoder's are mirrored.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, batch order and what is drawn in training; None
            keeps the weights of own parts as they come, and stands for 0 otherwise.
        encoder: own encoder that begins with a `keras.Input`, in place of the dense one.
        decoder: own decoder, with it.
        value_range: (lowest, highest) value that inputs of own parts may have, or None for any.
        before: function of the sample's shape that gives the layer in front, or None.
        behind: function of the sample's shape that gives the layer at the end, or None.
        activation: name of the dense hidden layers' activation.
        code_activation: name of the dense code's activation, or None for a linear code.
        units: what the dense encoder gives to the layer at the end, by default ``latent_dim``.
        code_shape: shape of the dense code where it is no vector.

    Raises:
        InputError: sizes below 1, one part without the other, or an encoder without a shape.
    """

    def __init__(
        self,
        hidden,
        latent_dim,
        input_shape,
        seed,
        encoder,
        decoder,
        value_range,
        *,
        before=None,
        behind=None,
        activation="relu",
        code_activation=None,
        units=None,
        code_shape=None,
        **kwargs,
    ):
        own = encoder is not None
        if own != (decoder is not None):
            raise InputError(
                "Expected encoder and decoder together, or neither. "
                f"Received: {'encoder' if own else 'decoder'} alone."
            )
        if own:
            shape, layers = _shape_of(encoder), [encoder]
        else:
            latent_dim, activation = (
                check_size("latent_dim", latent_dim),
                check_activation(activation),
            )
            hidden, shape, value_range = check_hidden(hidden), check_shape(input_shape), (0, 1)
            dense = dense_parts(
                shape,
                hidden,
                latent_dim,
                code_activation,
                seed or 0,
                units=units,
                activation=activation,
            )
            layers, decoder = dense[0].layers, dense[1]
            if code_shape is not None:
                layers = [*layers, keras.layers.Reshape(code_shape)]
                flatten = keras.layers.Flatten(data_format=CHANNELS_LAST)
                decoder = keras.Sequential(
                    [keras.Input(code_shape), flatten, *decoder.layers], name="decoder"
                )
        front = [before(shape)] if before else []
        layers = [*front, *layers, *([behind(shape)] if behind else [])]
        encoder = keras.Sequential([keras.Input(shape), *layers], name="encoder")
        super().__init__(encoder, decoder, seed=seed, value_range=value_range, **kwargs)
        self.hidden = None if own else hidden
        self.latent_dim = None if own else latent_dim
        self.activation = None if own else activation
        self._own = len(front) if own else None  # the place of the own encoder among the layers

    def get_config(self):
        """The arguments, for saving; of own parts their configuration."""
        config = {**keras.Model.get_config(self), "seed": self.seed}
        if self._own is None:
            shape = self.encoder.input_shape[1:]
            names = ("hidden", "latent_dim", "activation")
            return {**config, **{n: getattr(self, n) for n in names}, "input_shape": shape}
        return {
            **config,
            "encoder": keras.saving.serialize_keras_object(self.encoder.layers[self._own]),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "value_range": self.value_range,
        }


def check_choice(name, value, choices):
    """Return ``value`` as text, or raise `InputError` unless it is one of ``choices``."""
    value = as_plain(value)
    if value not in choices:
        raise InputError(f"Expected {name} to be one of {', '.join(choices)}. Received: {value!r}.")
    return value


def check_weight(name, value):
    """Return the weight of a part of a loss as a float, or raise `InputError` below 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"Expected {name} to be a number of at least 0. Received: {value!r}.")
    return number


def widened(x):
    """``x`` in float32 or more: half precision has too few bits for sums, which losses are."""
    return keras.ops.cast(x, keras.backend.result_type(x.dtype, "float32"))


def _shape_of(encoder):
    if not isinstance(encoder, keras.Layer):
        raise InputError(
            f"Expected encoder to be a Keras model. Received: {type(encoder).__name__}."
        )
    shape = sample_shape(encoder)
    if shape is None:
        raise InputError(
            "Expected an encoder that knows the shape of its input. "
            f"Received: {encoder.name!r}, which does not; begin it with a keras.Input."
        )
    return shape
