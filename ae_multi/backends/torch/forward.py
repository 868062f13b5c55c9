"""A model's outputs for a whole array, on PyTorch."""

from contextlib import contextmanager
from threading import Lock

import torch

from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.backends.chunks import as_numpy, in_chunks, two_threads
from ae_multi.backends.device_data import cached, forget, signature
from ae_multi.backends.torch.graph_passes.nodes import is_on_cpu, roots_of_changes
from ae_multi.backends.torch.trace import record, wraps_modules

# Recording a pass takes about as long as so many passes.
_MIN_PASSES = 8
# How many threads PyTorch uses is one number for the process: one call at a time changes it.
_POOL = Lock()


def forward(model, x, batch_size, on_progress=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = call_arguments(model, training=False)
    model.eval()  # as Keras's `predict` does, for layers that read PyTorch's own flag
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    full = keras.tree.map_structure(lambda array: array[:batch_size], x)
    size = len(keras.tree.flatten(full)[0])

    def plain(part):
        return model(part, **call)

    def make():
        part = keras.tree.map_structure(keras.ops.convert_to_tensor, full)
        try:
            return record(model, lambda _, part: plain(part), variables, part)
        except RuntimeError:  # what depends on values, or changes others, is run as it is
            return None

    many = len(keras.tree.flatten(x)[0]) >= _MIN_PASSES * batch_size and not wraps_modules(model)
    recording, key = None, ("forward", signature(full))
    if many:
        recording = cached(model, key, make)
        if recording is not None and recording.values.changed():
            forget(model, [key])
            recording = cached(model, key, make)
    program = recording and recording.graph
    state = recording and recording.state()

    def run(part):
        part = keras.tree.map_structure(keras.ops.convert_to_tensor, part)
        with torch.no_grad():
            if program is not None and len(keras.tree.flatten(part)[0]) == size:
                return program(state, part)
            return plain(part)

    with _threads(program) as pool:
        return in_chunks(run, x, batch_size, on_progress, _Fetch(), pool)


@contextmanager
def _threads(program):
    """Two threads for parts of an array, with half of PyTorch's own for each; None if not of use.

    A recorded program that leaves the state alone looks at nothing but its inputs. What a model's
    own code does in two threads nobody knows.
    """
    most = torch.get_num_threads()
    of_use = program is not None and most >= 2 and is_on_cpu(program.graph)
    if not of_use or _leaves_traces(program) or not _POOL.acquire(blocking=False):
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
        _POOL.release()


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
