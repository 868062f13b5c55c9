"""A model in Keras's own layers alone, and the weights of such models in one of ours."""

import os
import re
from pathlib import Path

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import direct_sublayers, own_variables
from ae_multi.errors import InputError
from ae_multi.interop import keras_files, keras_graph
from ae_multi.interop.extract import extract_network
from ae_multi.interop.weights import Weight, natural, put, side

# What Keras calls, in names, the layers that have weights.
_KINDS = {
    "dense": "dense", "convolution": "conv2d", "deconvolution": "conv2d_transpose",
    "normalise": "batch_normalization", "normalise_sample": "layer_normalization",
    "nearest_word": "vector_quantizer",
}  # fmt: skip


def to_keras(model):
    r"""``model`` in use, as a Keras model that needs nothing of this package.

    An autoencoder becomes a `keras.Sequential` of two models, "encoder" and "decoder"; what is
    saved of it can be loaded where only Keras is. Layers keep their names and weights, as copies;
    what only training does is left out, noise and penalties, but for dropout.

    Args:
        model: a model as `ae_multi.to_torch` takes it.

    Raises:
        InputError: a model or layer that cannot be moved; the message names it.

    Example:
        >>> ae_multi.to_keras(model).save("plain.keras")
    """
    network = extract_network(model)
    parts = [keras_graph.part_of(part) for part in network.parts]
    if len(parts) == 1:
        return parts[0]
    return keras.Sequential([keras.Input(network.parts[0].takes), *parts], name="autoencoder")


def from_keras(source, into):
    """Give the Keras model ``into`` the weights of another Keras model or of a file; return it.

    The other one need not have come from `to_keras`: any that has the same layers in the same
    order will do, a subclass of `keras.Model` too. Of a file only weights are read: nothing in it
    is built or run. Layers are matched class by class, in their order.

    Args:
        source: a Keras model; a ``.keras`` or ``.weights.h5`` file; an ``.h5`` file of tf.keras,
            of a model or its weights; or the folder of a SavedModel, which TensorFlow reads.
        into: a model as `ae_multi.to_torch` takes it. An optimizer that it has keeps its state.

    Raises:
        BackendError: a SavedModel where TensorFlow is not installed.
        InputError: no such file or no sound one; too few or too many weights, or one of another
            shape: the message names it, what was expected and what came. The model is left as it
            was.
    """
    network = extract_network(into)
    weights = [
        Weight(f"{layer.name}.{role}", variable, tuple(range(len(variable.shape))))
        for _, layer in network.layers
        for role, variable in layer.variables.items()
    ]
    if isinstance(source, keras.Layer):
        where, found = f"the model {source.name!r}", _groups_of(source)
    elif isinstance(source, str | os.PathLike):
        where, path = str(source), Path(source)
        native = backends.get_native_network("tensorflow") if path.is_dir() else keras_files
        found = native.read(path)
    else:
        raise InputError(
            f"Expected a Keras model, or the path of one. Received: {type(source).__name__}."
        )
    put(weights, found if isinstance(found, dict) else _arranged(found, network, where), where)
    return into


def _groups_of(model):
    """The weights of a model, layer by layer: a list of `keras_files.Group`."""
    parts = [getattr(model, name, None) for name in ("encoder", "decoder")]
    if not all(isinstance(part, keras.Layer) for part in parts):
        parts = [model]
    groups = []
    for layer in [leaf for part in parts for leaf in _leaves(part)]:
        variables = own_variables(layer)
        arrays = [v.value for v in variables if v.dtype.startswith("float")]
        if arrays:
            path = f"{len(groups)} {layer.name}"
            groups.append(keras_files.Group(_written(type(layer).__name__), path, arrays))
    return groups


def _leaves(layer):
    """The layers within, in order, each after those that it is made of."""
    return [*(leaf for inner in direct_sublayers(layer) for leaf in _leaves(inner)), layer]


def _arranged(groups, network, where):
    """Groups in the order of the network's layers, as a dict of keys to arrays."""
    left = {}
    for group in sorted(groups, key=lambda group: (side(group.path), natural(group.path))):
        left.setdefault(group.kind, []).append(group)
    held = ", ".join(f"{len(same)} {kind}" for kind, same in left.items()) or "none"
    layers = [layer for _, layer in network.layers if layer.variables]
    required = [_KINDS[layer.kind] for layer in layers]
    if sorted(required) != sorted(group.kind for group in groups):
        counts = ", ".join(f"{required.count(kind)} {kind}" for kind in dict.fromkeys(required))
        raise InputError(
            f"Expected {where} to hold weights of these layers: {counts}. Received: {held}."
        )
    in_order = [left[kind].pop(0) for kind in required]
    return {
        f"{group.path}.{place}": array
        for group in in_order
        for place, array in enumerate(group.arrays)
    }


def _written(name):
    """A class's name as Keras writes it: Conv2DTranspose as conv2d_transpose."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
