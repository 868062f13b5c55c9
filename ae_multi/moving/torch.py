"""A model as a plain `torch.nn.Module`, and the weights of one in a model."""

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.moving.network import read
from ae_multi.moving.torch_form import parts_of, weights_of


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
    plain = backends.get_plain("torch")
    network = read(model)
    return plain.module(parts_of(network), arrays_of(network))


def arrays_of(network):
    """Dict of keys of the state dict to float32 NumPy arrays, in PyTorch's layout."""
    return {
        weight.key: np.ascontiguousarray(
            keras.ops.convert_to_numpy(weight.variable).transpose(weight.axes)
        )
        for weight in weights_of(network)
    }
