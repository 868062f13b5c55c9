"""Which network an estimator trains: by name, or one of the caller's own."""

import math
from typing import NamedTuple

from ae_multi import models
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.dense import dense_parts
from ae_multi.models.inputs import sample_shape


class NetworkFactory(NamedTuple):
    """How a model is made by name.

    Attributes:
        make: function of (latent_dim, shape, seed, sizes) that returns an `Autoencoder`, and takes
            ``activation`` where the network has dense hidden layers.
        unbounded: as ``make``, for values of any size; None where outputs are within [0, 1].
        takes_activation: whether it does.
    """

    make: callable
    unbounded: callable = None
    takes_activation: bool = True


def _simple(latent_dim, shape, seed, sizes):
    return models.SimpleAutoencoder(latent_dim, shape, seed)


def _deep(latent_dim, shape, seed, sizes, **kwargs):
    sizes = (256,) if sizes == "auto" else sizes
    return models.DeepAutoencoder(sizes, latent_dim, shape, seed, **kwargs)


def _conv(latent_dim, shape, seed, sizes):
    return models.ConvAutoencoder((16, 32) if sizes == "auto" else sizes, latent_dim, shape, seed)


def _linear_simple(latent_dim, shape, seed, sizes):
    return models.Autoencoder(*dense_parts(shape, (), latent_dim, "relu", seed, None), seed=seed)


def _linear_deep(latent_dim, shape, seed, sizes, **kwargs):
    sizes = (256,) if sizes == "auto" else sizes
    parts = dense_parts(shape, sizes, latent_dim, None, seed, None, **kwargs)
    return models.Autoencoder(*parts, seed=seed)


def _family(kind, hidden):
    """``make`` for a family of models with dense parts."""

    def make(latent_dim, shape, seed, sizes, **kwargs):
        sizes = hidden if sizes == "auto" else sizes
        return kind(hidden=sizes, latent_dim=latent_dim, input_shape=shape, seed=seed, **kwargs)

    return make


def _quantized(latent_dim, shape, seed, sizes, **kwargs):
    """Words of 4 numbers, or of 2 or 1 where the code's size asks for it."""
    word = math.gcd(latent_dim, 4)
    return models.VectorQuantizedAutoencoder(
        hidden=(256,) if sizes == "auto" else sizes,
        code_dim=word,
        codes=latent_dim // word,
        input_shape=shape,
        seed=seed,
        **kwargs,
    )


NETWORKS = {
    "simple": NetworkFactory(_simple, _linear_simple, takes_activation=False),
    "deep": NetworkFactory(_deep, _linear_deep),
    "conv": NetworkFactory(_conv, takes_activation=False),
    "denoising": NetworkFactory(_family(models.DenoisingAutoencoder, (256,))),
    "sparse": NetworkFactory(_family(models.SparseAutoencoder, ())),
    "contractive": NetworkFactory(_family(models.ContractiveAutoencoder, ())),
    "variational": NetworkFactory(_family(models.VariationalAutoencoder, (256,))),
    "vector_quantized": NetworkFactory(_quantized),
}


def build(model, shape, latent_dim, hidden, activation, seed, bounded):
    r"""A network of one's own for an estimator, uncompiled, from inputs to reconstructions.

    Args:
        model: a name of `NETWORKS`, or a Keras model with ``encoder`` and ``decoder``, which is
            copied with the weights that it has.
        shape: shape of one sample.
        latent_dim: size of the code; for models by name.
        hidden: sizes of the layers between (filters for "conv"), or "auto"; for models by name.
        activation: name of the hidden layers' activation, or "auto" for the model's own; for
            models by name.
        seed: integer that draws the weights; for models by name.
        bounded: whether values are within [0, 1].

    Raises:
        InputError: an unknown name, a model that is none, or that takes other samples or no
            activation.
    """
    if isinstance(model, str):
        if model not in NETWORKS:
            raise InputError(
                f"Expected model to be one of {', '.join(NETWORKS)}, or a Keras model. "
                f"Received: {model!r}."
            )
        made = NETWORKS[model].make if bounded else NETWORKS[model].unbounded
        if made is None:
            raise InputError(
                f"Expected scale='minmax' or None for the model {model!r}, whose outputs are "
                "within [0, 1]. Received: scale='standard'."
            )
        if not NETWORKS[model].takes_activation:
            check_no_activation(model, activation)
        if activation == "auto":
            return made(latent_dim, shape, seed, hidden)
        return made(latent_dim, shape, seed, hidden, activation=activation)
    network = copy_of(model, shape)
    if not (hasattr(network, "encoder") and hasattr(network, "decoder")):
        raise InputError(
            "Expected a model with an encoder and a decoder, such as ae_multi.Autoencoder. "
            f"Received: {type(model).__name__} without them."
        )
    outputs = network.compute_output_spec(keras.KerasTensor((None, *shape), "float32"))
    if tuple(outputs.shape[1:]) != tuple(shape):
        raise InputError(
            f"Expected a model that gives samples of the shape that it takes, {tuple(shape)}. "
            f"Received: one that gives {tuple(outputs.shape[1:])}."
        )
    if not bounded and getattr(network, "value_range", None) is not None:
        raise InputError(
            f"Expected scale='minmax' or None for a model of values within {network.value_range}. "
            "Received: scale='standard'."
        )
    return network


def check_no_activation(model, activation):
    """Raise `InputError` where an activation is asked of a model by name that has its own."""
    if activation != "auto":
        raise InputError(
            f"Expected activation='auto' for the model {model!r}, which has its own. "
            f"Received: {activation!r}."
        )


def copy_of(model, shape):
    """A copy of a Keras model with its weights, so that what the caller gave stays as it was."""
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected model to be a name or a Keras model. Received: {type(model).__name__}."
        )
    network = type(model).from_config(model.get_config())
    given = sample_shape(getattr(model, "encoder", model))
    if given not in (None, tuple(shape)):
        raise InputError(
            f"Expected samples of shape {given}, as the model takes them. "
            f"Received: {tuple(shape)}; image_shape says what shape rows of a table have."
        )
    if not network.built:
        network.build((None, *shape))
    if model.built:
        network.set_weights(model.get_weights())
    return network
