"""Conversion of models to plain Keras models, and import of weights from Keras models and files."""

import os
import re
from pathlib import Path
from typing import Any

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import direct_sublayers, own_variables
from ae_multi.errors import InputError
from ae_multi.interop import keras_files, keras_graph
from ae_multi.interop.extract import extract_network
from ae_multi.interop.graph import Network
from ae_multi.interop.weights import Weight, natural, put, side

# Keras's default names of the layers with weights.
_KINDS = {
    "dense": "dense", "convolution": "conv2d", "deconvolution": "conv2d_transpose",
    "normalise": "batch_normalization", "normalise_sample": "layer_normalization",
    "nearest_word": "vector_quantizer",
}  # fmt: skip


def to_keras(model: keras.Model) -> keras.Model:
    r"""Convert ``model`` for inference to a Keras model that does not need this package.

    An autoencoder becomes a `keras.Sequential` of two models, "encoder" and "decoder". A file
    saved from it can be loaded with Keras alone. Layers keep their names and have copies of the
    weights. Operations that only happen in training, noise and penalties, are omitted, except for
    dropout.

    Args:
        model: a model as in `ae_multi.to_torch`.

    Returns:
        An uncompiled `keras.Sequential` or functional `keras.Model`.

    Raises:
        InputError: the model or a layer cannot be converted; the message names it.

    Example:
        >>> ae_multi.to_keras(model).save("plain.keras")
    """
    network = extract_network(model)
    parts = [keras_graph.part_of(part) for part in network.parts]
    if len(parts) == 1:
        return parts[0]
    return keras.Sequential([keras.Input(network.parts[0].takes), *parts], name="autoencoder")


def from_keras(source: keras.Model | os.PathLike[str] | str, into: keras.Model) -> keras.Model:
    """Copy the weights of another Keras model or of a file into the Keras model ``into``.

    The source can be any model with the same layers in the same order, including a subclass of
    `keras.Model`. Only weights are read from a file; nothing in it is built or executed. Layers
    are matched in order within each layer class.

    Args:
        source: a Keras model; a ``.keras`` or ``.weights.h5`` file; an ``.h5`` file of tf.keras
            with a model or its weights; or the folder of a SavedModel, which TensorFlow reads.
        into: a model as in `ae_multi.to_torch`. The state of its optimizer is unchanged.

    Returns:
        ``into``.

    Raises:
        BackendError: the source is a SavedModel and TensorFlow is not installed.
        InputError: there is no such file or it is invalid; there are too few or too many weights,
            or one has another shape. The message names it, its expected and its received shape.
            The model is unchanged.
    """
    network = extract_network(into)
    weights = [
        Weight(f"{layer.name}.{role}", variable, tuple(range(len(variable.shape))))
        for _, layer in network.layers
        for role, variable in layer.variables.items()
    ]
    content: Any
    if isinstance(source, keras.Layer):
        where, content = f"the model {source.name!r}", _groups_of(source)
    elif isinstance(source, str | os.PathLike):
        where, path = str(source), Path(source)
        reader = backends.get_native_network("tensorflow") if path.is_dir() else keras_files
        content = reader.read(path)
    else:
        raise InputError(
            f"Expected a Keras model, or the path of one. Received: {type(source).__name__}."
        )
    arrays = content if isinstance(content, dict) else _arranged(content, network, where)
    put(weights, arrays, where)
    return into


def _groups_of(model: keras.layers.Layer) -> list[keras_files.Group]:
    """Return the weights of a model, grouped by layer."""
    parts = [getattr(model, name, None) for name in ("encoder", "decoder")]
    if not all(isinstance(part, keras.Layer) for part in parts):
        parts = [model]
    groups: list[keras_files.Group] = []
    for layer in [leaf for part in parts for leaf in _leaves(part)]:
        variables = own_variables(layer)
        arrays = [v.value for v in variables if v.dtype.startswith("float")]
        if arrays:
            path = f"{len(groups)} {layer.name}"
            groups.append(keras_files.Group(_snake_case(type(layer).__name__), path, arrays))
    return groups


def _leaves(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return ``layer`` and all layers inside it, each after its own inner layers."""
    return [*(leaf for inner in direct_sublayers(layer) for leaf in _leaves(inner)), layer]


def _arranged(groups: list[keras_files.Group], network: Network, where: str) -> dict[str, Any]:
    """Return the arrays of ``groups`` in the layer order of ``network``, as a dict of keys."""
    left: dict[str, list[keras_files.Group]] = {}
    for group in sorted(groups, key=lambda group: (side(group.path), natural(group.path))):
        left.setdefault(group.kind, []).append(group)
    received = ", ".join(f"{len(same)} {kind}" for kind, same in left.items()) or "none"
    layers = [layer for _, layer in network.layers if layer.variables]
    required = [_KINDS[layer.kind] for layer in layers]
    if sorted(required) != sorted(group.kind for group in groups):
        counts = ", ".join(f"{required.count(kind)} {kind}" for kind in dict.fromkeys(required))
        raise InputError(
            f"Expected {where} to hold weights of these layers: {counts}. Received: {received}."
        )
    in_order = [left[kind].pop(0) for kind in required]
    return {
        f"{group.path}.{index}": array
        for group in in_order
        for index, array in enumerate(group.arrays)
    }


def _snake_case(name: str) -> str:
    """Return a class name in the snake case of Keras: conv2d_transpose for Conv2DTranspose."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
