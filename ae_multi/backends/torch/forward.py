"""A model's outputs for a whole array, on PyTorch."""

from contextlib import contextmanager

import torch

from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy, in_chunks, two_threads
from ae_multi.backends.held import cached, signature
from ae_multi.backends.torch.nodes import is_on_cpu, roots_of_changes
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
            return None

    many = len(keras.tree.flatten(x)[0]) >= _WORTH * batch_size and not wraps_modules(model)
    program = cached(model, ("forward", signature(full)), make) if many else None

    def run(part):
        part = keras.tree.map_structure(keras.ops.convert_to_tensor, part)
        with torch.no_grad():
            if program is not None and len(keras.tree.flatten(part)[0]) == size:
                return program(state, part)
            return plain(part)

    with _threads(program) as pool:
        return in_chunks(run, x, batch_size, told, _Fetch(), pool)


@contextmanager
def _threads(program):
    """Two threads for parts of an array, with half of PyTorch's own for each; None if not of use.

    A recorded program that leaves the state alone looks at nothing but its inputs. What a model's
    own code does in two threads nobody knows.
    """
    most = torch.get_num_threads()
    if program is None or most < 2 or not is_on_cpu(program.graph) or _leaves_traces(program):
        yield None
        return

    def begin():
        torch.get_num_threads()  # or else the number is set anew when the thread first computes
        torch.set_num_threads(most // 2)

    try:
        with two_threads(begin) as pool:
            yield pool
    finally:
        torch.set_num_threads(most)  # what one thread sets is what new ones begin with


def _leaves_traces(program):
    """Whether a recorded program changes what it has not made itself: inputs or constants."""
    changed = roots_of_changes(program.graph.nodes)
    return any(node.op in ("placeholder", "get_attr") for node in changed)


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
