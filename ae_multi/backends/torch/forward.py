"""A model's outputs for a whole array, on PyTorch."""

import torch

from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy, in_chunks
from ae_multi.backends.held import cached, signature
from ae_multi.backends.torch.record import record, wraps_modules

# Recording a pass takes about as long as so many passes.
_WORTH = 8


def forward(model, x, batch_size, told=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = {"training": False} if model._call_has_training_arg else {}
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    state = [variable.value.detach() for variable in variables]
    full = keras.tree.map_structure(lambda array: array[:batch_size], x)
    size = len(keras.tree.flatten(full)[0])

    def plain(part):
        return model(part, **call)

    def make():
        part = keras.tree.map_structure(keras.ops.convert_to_tensor, full)
        try:
            return record(model, lambda _, part: plain(part), variables, state, part)
        except RuntimeError:  # what depends on values cannot be recorded, but can be run
            return lambda _, part: plain(part)

    def run(part):
        part = keras.tree.map_structure(keras.ops.convert_to_tensor, part)
        if many and len(keras.tree.flatten(part)[0]) == size:
            return cached(model, ("forward", signature(full)), make)(state, part)
        return plain(part)

    many = len(keras.tree.flatten(x)[0]) >= _WORTH * batch_size and not wraps_modules(model)
    with torch.no_grad():
        return in_chunks(run, x, batch_size, told, _Fetch())


class _Fetch:
    """Takes tensors from a GPU through memory that it writes to by itself.

    188 MB came into such memory in 4 ms where any other took 130 (H200). The system cannot move
    it, so that no more is kept than a part of an array needs.
    """

    def __init__(self):
        self._kept = {}

    def __call__(self, tensor):
        """A tensor's numbers for NumPy, good until the next of its shape is taken."""
        if not tensor.is_cuda or tensor.dtype == torch.bfloat16:  # NumPy does not know the latter
            return as_numpy(tensor)
        key = (tensor.shape, tensor.dtype)
        if key not in self._kept:
            self._kept[key] = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return self._kept[key].copy_(tensor).numpy()
