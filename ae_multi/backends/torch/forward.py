"""A model's outputs for a whole array, on PyTorch."""

import torch

from ae_multi._keras import keras
from ae_multi.backends.chunks import in_chunks


def forward(model, x, batch_size):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = {"training": False} if model._call_has_training_arg else {}

    def run(part):
        return model(keras.tree.map_structure(keras.ops.convert_to_tensor, part), **call)

    with torch.no_grad():
        return in_chunks(run, x, batch_size)
