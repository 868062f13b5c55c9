"""A model's outputs for a whole array, on PyTorch."""

import torch

from ae_multi._keras import keras


def forward(model, x, batch_size):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = {"training": False} if model._call_has_training_arg else {}
    held = keras.tree.map_structure(keras.ops.convert_to_tensor, x)
    samples = len(keras.tree.flatten(held)[0])
    with torch.no_grad():
        parts = [
            model(keras.tree.map_structure(lambda a, b=b: a[b : b + batch_size], held), **call)
            for b in range(0, samples, batch_size)
        ]
        whole = keras.tree.map_structure(lambda *pieces: torch.cat(pieces), *parts)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, whole)
