"""Conversion of models to plain PyTorch modules, and of state dicts to Keras weights."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.interop.extract import extract_network
from ae_multi.interop.graph import Network
from ae_multi.interop.torch_graph import parts_of, weights_of
from ae_multi.interop.weights import put
from ae_multi.io import torch_checkpoint


def to_torch(model: keras.Model) -> Any:
    r"""Convert ``model`` for inference to a plain `torch.nn.Module` with copies of its weights.

    The module does not use Keras. An autoencoder has the submodules ``module.encoder`` and
    ``module.decoder``, each an `nn.Sequential`; a network that is a graph, such as a U-Net, is a
    `torch.fx.GraphModule`. Its inputs are those of the Keras model, float32 (n, \*sample shape)
    with the channels of images last, and its outputs are within 1e-6 of the model's. It is in
    evaluation mode, on the CPU, and can be trained, moved, saved, traced and exported like any
    other module. The conversion works on any backend.

    Operations that only happen in training, noise and penalties, are omitted, except for dropout.

    Args:
        model: an `ae_multi.Autoencoder`, another network of this package, or a built
            `keras.Sequential` or functional `keras.Model` with one input and one output.

    Returns:
        A `torch.nn.Module`.

    Raises:
        BackendError: PyTorch is not installed.
        InputError: the model or a layer cannot be converted; the message names it.

    Example:
        >>> module = ae_multi.to_torch(model)
        >>> codes = module.encoder(torch.from_numpy(images))
    """
    native = backends.get_native_network("torch")
    network = extract_network(model)
    return native.module(parts_of(network), arrays_of(network))


def from_torch(source: Any, into: keras.Model) -> keras.Model:
    r"""Copy the weights of a PyTorch module into the Keras model ``into``.

    The source can be any module with the same layers in the same order. The axes of `nn.Linear`
    and `nn.Conv2d` weights are permuted to Keras's order. Weights are matched by key if the keys
    are those of `to_torch`, and otherwise by order, the encoder's before the decoder's. A state
    dict does not contain activations, strides, or the order of values after a `Flatten` of images
    (`to_torch` flattens channels-last, as Keras does), so these cannot be checked.

    Args:
        source: an `nn.Module`, its state dict, or a file of `torch.save` with one, which is read
            without PyTorch and without executing its pickle.
        into: a model as in `to_torch`. The state of its optimizer is unchanged.

    Returns:
        ``into``.

    Raises:
        InputError: there is no such file or it is invalid; there are too few or too many weights,
            or one has another shape. The message names its key, its expected and its received
            shape. The model is unchanged.

    Example:
        >>> model = ae_multi.from_torch("weights.pt", ae_multi.DeepAutoencoder())
    """
    where = "the state dict"
    if isinstance(source, str | os.PathLike):
        where, state = str(source), torch_checkpoint.read(source)
    else:
        state = source.state_dict() if hasattr(source, "state_dict") else source
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise InputError(
            "Expected a torch.nn.Module, a state dict or the path of one. "
            f"Received: {type(source).__name__}."
        )
    # Keras has no counterpart of the number of calls of a BatchNorm.
    weights = {key: state[key] for key in state if not key.endswith("num_batches_tracked")}
    put(weights_of(extract_network(into)), weights, where)
    return into


def arrays_of(network: Network) -> dict[str, np.ndarray]:
    """Return a dict of state-dict keys to float32 NumPy arrays, in PyTorch's layout."""
    return {weight.key: weight.array for weight in weights_of(network)}
