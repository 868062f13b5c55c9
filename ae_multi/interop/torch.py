"""A model as a plain `torch.nn.Module`, and the weights of one in a model."""

import os
from collections.abc import Mapping

from ae_multi import backends
from ae_multi.errors import InputError
from ae_multi.interop.extract import extract_network
from ae_multi.interop.torch_graph import parts_of, weights_of
from ae_multi.interop.weights import put
from ae_multi.io import torch_checkpoint


def to_torch(model):
    r"""``model`` in use, as a plain `torch.nn.Module` with the same weights, on any backend.

    The module has no Keras in it. An autoencoder has two parts, ``module.encoder`` and
    ``module.decoder``, each an `nn.Sequential`; a network that is a graph, a U-Net say, is a
    `torch.fx.GraphModule`. It takes what the Keras model takes, float32 (n, \*sample shape) with
    the channels of images last, and its outputs are within 1e-6 of the model's. It comes in
    ``eval()``, on the CPU, and can be trained, moved, saved, traced and exported like any other.
    Its weights are copies.

    What only training does is left out, noise and penalties, but for dropout.

    Args:
        model: an `ae_multi.Autoencoder`, another network of this package, or a built
            `keras.Sequential` or functional `keras.Model` with one input and one output.

    Raises:
        BackendError: PyTorch is not installed here.
        InputError: a model or layer that cannot be moved; the message names it.

    Example:
        >>> module = ae_multi.to_torch(model)
        >>> codes = module.encoder(torch.from_numpy(images))
    """
    native = backends.get_native_network("torch")
    network = extract_network(model)
    return native.module(parts_of(network), arrays_of(network))


def from_torch(source, into):
    r"""Give the Keras model ``into`` the weights of a PyTorch module; return it.

    The module need not have come from `to_torch`: the weights of any that is made of the same
    layers in the same order will do. `nn.Linear` keeps its weight transposed and `nn.Conv2d` its
    axes in another order than Keras, which is taken care of. Keys that are `to_torch`'s decide
    what goes where; of other keys the order does, the encoder's before the decoder's. What a
    state dict does not know cannot be checked: activations, strides, and how a `Flatten` of
    images orders their values, which `to_torch` does as Keras, channels last.

    Args:
        source: an `nn.Module`, its state dict, or a file of `torch.save` with one, which is read
            without PyTorch and without running the pickle in it.
        into: a model as `to_torch` takes it. An optimizer that it has keeps its state.

    Raises:
        InputError: no such file or no sound one; too few or too many weights, or one of another
            shape: the message names its key, what was expected and what came. The model is left
            as it was.

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
    # How often a BatchNorm was called, which Keras does not count.
    kept = {key: state[key] for key in state if not key.endswith("num_batches_tracked")}
    put(weights_of(extract_network(into)), kept, where)
    return into


def arrays_of(network):
    """Dict of keys of the state dict to float32 NumPy arrays, in PyTorch's layout."""
    return {weight.key: weight.array for weight in weights_of(network)}
