"""Base class of autoencoders whose encoder has one special layer at its start or end."""

from collections.abc import Callable, Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain, check_shape, check_size
from ae_multi.errors import InputError
from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.dense import check_activation, check_hidden, dense_parts
from ae_multi.models.inputs import CHANNELS_LAST, sample_shape


class LayeredAutoencoder(Autoencoder):
    r"""Base class of autoencoders whose encoder begins or ends with one special layer.

    The special layer corrupts the inputs or transforms the code. The other layers are dense unless
    a custom encoder and decoder are given: rectified hidden layers, a sigmoid output, inputs in
    [0, 1]. A custom encoder and decoder may use any Keras layers and any range of values.

    Args:
        hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
        latent_dim: size of the code.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, batch order and random numbers of the training.
            None keeps the weights of a custom encoder and decoder, and means 0 otherwise.
        encoder: custom encoder that begins with a `keras.Input`, instead of the dense one.
        decoder: custom decoder; required with ``encoder``.
        value_range: (lowest, highest) allowed value of the inputs of a custom encoder, or None
            for any.
        before: function from the sample shape to the layer in front of the encoder, or None.
        after: function from the sample shape to the layer at the end of the encoder, or None.
        activation: name of the dense hidden layers' activation.
        code_activation: name of the dense code's activation, or None for a linear code.
        units: outputs of the dense encoder before the layer at the end; default ``latent_dim``.
        code_shape: shape of the dense code if it is not a vector.

    Raises:
        InputError: a size is below 1, only one of ``encoder`` and ``decoder`` is given, or the
            custom encoder has no fixed input shape.
    """

    def __init__(
        self,
        hidden: Sequence[int],
        latent_dim: int,
        input_shape: Sequence[int] | int,
        seed: int | None,
        encoder: keras.Model | None,
        decoder: keras.Model | None,
        value_range: tuple[float, float] | None,
        *,
        before: Callable[[tuple[int, ...]], keras.layers.Layer] | None = None,
        after: Callable[[tuple[int, ...]], keras.layers.Layer] | None = None,
        activation: str = "relu",
        code_activation: str | None = None,
        units: int | None = None,
        code_shape: tuple[int, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        custom = encoder is not None
        if custom != (decoder is not None):
            raise InputError(
                "Expected encoder and decoder together, or neither. "
                f"Received: {'encoder' if custom else 'decoder'} alone."
            )
        if custom:
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
        layers = [*front, *layers, *([after(shape)] if after else [])]
        encoder = keras.Sequential([keras.Input(shape), *layers], name="encoder")
        super().__init__(encoder, decoder, seed=seed, value_range=value_range, **kwargs)
        self.hidden = None if custom else hidden
        self.latent_dim = None if custom else latent_dim
        self.activation = None if custom else activation
        self._custom_index = len(front) if custom else None  # of the encoder among the layers

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with the configurations of a custom encoder and decoder."""
        config = {**keras.Model.get_config(self), "seed": self.seed}
        if self._custom_index is None:
            shape = self.encoder.input_shape[1:]
            names = ("hidden", "latent_dim", "activation")
            return {**config, **{n: getattr(self, n) for n in names}, "input_shape": shape}
        return {
            **config,
            "encoder": keras.saving.serialize_keras_object(self.encoder.layers[self._custom_index]),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "value_range": self.value_range,
        }


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return ``value`` as a string, or raise `InputError` unless it is one of ``choices``."""
    value = as_plain(value)
    if value not in choices:
        raise InputError(f"Expected {name} to be one of {', '.join(choices)}. Received: {value!r}.")
    return value


def check_weight(name: str, value: Any) -> float:
    """Return the weight of a loss term as a float, or raise `InputError` if it is below 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"Expected {name} to be a number of at least 0. Received: {value!r}.")
    return number


def widened(x: Any) -> Any:
    """Cast the tensor ``x`` to at least float32; half precision is too coarse for sums."""
    return keras.ops.cast(x, keras.backend.result_type(x.dtype, "float32"))


def _shape_of(encoder: Any) -> tuple[int, ...]:
    """Return the sample shape of a custom encoder, or raise `InputError` if it has none."""
    if not isinstance(encoder, keras.Layer):
        raise InputError(
            f"Expected encoder to be a Keras model. Received: {type(encoder).__name__}."
        )
    shape = sample_shape(encoder)
    if shape is None:
        raise InputError(
            "Expected an encoder with a fixed input shape. "
            f"Received: {encoder.name!r}, which has none; begin it with a keras.Input."
        )
    return shape
