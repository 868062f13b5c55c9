"""Networks of estimators, built by name or copied from a Keras model."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from ae_multi import models
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.dense import dense_parts
from ae_multi.models.inputs import sample_shape


class NetworkFactory(NamedTuple):
    """Functions that build the networks of one name.

    Attributes:
        make: function of (latent_dim, shape, seed, sizes) that returns an `Autoencoder`. It accepts
            the keyword ``activation`` if the network has dense hidden layers.
        unbounded: as ``make``, for values of any size; None if outputs are within [0, 1].
        takes_activation: whether the functions accept ``activation``.
    """

    make: Callable[..., models.Autoencoder]
    unbounded: Callable[..., models.Autoencoder] | None = None
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


def _family(
    kind: Callable[..., models.Autoencoder], hidden: tuple[int, ...]
) -> Callable[..., models.Autoencoder]:
    """Return ``make`` for a class of models with dense layers.

    Args:
        kind: the class.
        hidden: sizes of hidden layers for "auto".
    """

    def make(latent_dim, shape, seed, sizes, **kwargs):
        sizes = hidden if sizes == "auto" else sizes
        return kind(hidden=sizes, latent_dim=latent_dim, input_shape=shape, seed=seed, **kwargs)

    return make


def _quantized(latent_dim, shape, seed, sizes, **kwargs):
    """Build a VQ autoencoder with codebook vectors of size gcd(latent_dim, 4)."""
    code_dim = math.gcd(latent_dim, 4)
    return models.VectorQuantizedAutoencoder(
        hidden=(256,) if sizes == "auto" else sizes,
        code_dim=code_dim,
        codes=latent_dim // code_dim,
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


def build(
    model: str | keras.Model,
    shape: Sequence[int],
    latent_dim: int,
    hidden: Sequence[int] | Literal["auto"],
    activation: str,
    seed: int,
    bounded: bool,
) -> keras.Model:
    r"""Build the network of an estimator, uncompiled, from inputs to reconstructions.

    ``latent_dim``, ``hidden``, ``activation`` and ``seed`` apply only to models given by name.

    Args:
        model: a name of `NETWORKS`, or a Keras model with ``encoder`` and ``decoder``, which is
            copied with its weights.
        shape: shape of one sample.
        latent_dim: size of the code.
        hidden: sizes of the layers between input and code (filters for "conv"), or "auto".
        activation: Keras name of the activation of hidden layers, or "auto" for the default of the
            model.
        seed: seed of the initial weights.
        bounded: whether values are within [0, 1].

    Raises:
        InputError: an unknown name, an object that is not a Keras model, a model for samples of
            another shape or values, or an activation for a model without that parameter.
    """
    if isinstance(model, str):
        if model not in NETWORKS:
            raise InputError(
                f"Expected model to be one of {', '.join(NETWORKS)}, or a Keras model. "
                f"Received: {model!r}."
            )
        make = NETWORKS[model].make if bounded else NETWORKS[model].unbounded
        if make is None:
            raise InputError(
                f"Expected scale='minmax' or None for the model {model!r}, whose outputs are "
                "within [0, 1]. Received: scale='standard'."
            )
        if not NETWORKS[model].takes_activation:
            check_no_activation(model, activation)
        if activation == "auto":
            return make(latent_dim, shape, seed, hidden)
        return make(latent_dim, shape, seed, hidden, activation=activation)
    network = copy_of(model, shape)
    if not (hasattr(network, "encoder") and hasattr(network, "decoder")):
        raise InputError(
            "Expected a model with an encoder and a decoder, such as ae_multi.Autoencoder. "
            f"Received: {type(model).__name__} without them."
        )
    outputs = network.compute_output_spec(keras.KerasTensor((None, *shape), "float32"))
    if tuple(outputs.shape[1:]) != tuple(shape):
        raise InputError(
            f"Expected a model whose outputs have the shape of its inputs, {tuple(shape)}. "
            f"Received: outputs of shape {tuple(outputs.shape[1:])}."
        )
    if not bounded and getattr(network, "value_range", None) is not None:
        raise InputError(
            f"Expected scale='minmax' or None for a model of values within {network.value_range}. "
            "Received: scale='standard'."
        )
    return network


def check_no_activation(model: str, activation: str) -> None:
    """Raise `InputError` unless ``activation`` is "auto", for models with fixed activations."""
    if activation != "auto":
        raise InputError(
            f"Expected activation='auto' for the model {model!r}, whose activation is fixed. "
            f"Received: {activation!r}."
        )


def copy_of(model: Any, shape: Sequence[int]) -> keras.Model:
    """Return a built copy of a Keras model with its weights.

    Args:
        model: Keras model, which is not changed.
        shape: shape of one sample.

    Raises:
        InputError: an object that is not a Keras model, or a model for samples of another shape.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected model to be a name or a Keras model. Received: {type(model).__name__}."
        )
    network = type(model).from_config(model.get_config())
    required = sample_shape(getattr(model, "encoder", model))
    if required not in (None, tuple(shape)):
        raise InputError(
            f"Expected samples of shape {required}, the input shape of the model. "
            f"Received: {tuple(shape)}. For rows of pixels set image_shape."
        )
    if not network.built:
        network.build((None, *shape))
    if model.built:
        network.set_weights(model.get_weights())
    return network
