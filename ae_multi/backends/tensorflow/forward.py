"""A model's outputs for a whole array, on TensorFlow."""

from contextlib import nullcontext

import tensorflow as tf

from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.backends.chunks import in_chunks, two_threads
from ae_multi.backends.device_data import cached
from ae_multi.backends.layer_queries import draws
from ae_multi.backends.tensorflow.compile import compiled
from ae_multi.backends.tensorflow.device import on_cpu, threads, zero_copy

# For fewer parts no threads are begun.
_MIN_PARTS = 4


def forward(model, x, batch_size, on_progress=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = call_arguments(model, training=False)

    def make():
        def program(batch):
            return model(batch, **call)

        # XLA draws other numbers from the same seeds: what draws is compiled as Keras compiles it.
        by_xla = True if draws(model) and model.jit_compile else None
        return compiled(program, reduce_retracing=True, jit_compile=by_xla)

    outputs = cached(model, "forward", make)

    def run(part):
        return outputs(keras.tree.map_structure(zero_copy, part))

    many = len(keras.tree.flatten(x)[0]) >= _MIN_PARTS * batch_size and on_cpu() and threads() > 1

    def described(array):
        return tf.TensorSpec((batch_size, *array.shape[1:]), array.dtype)

    full = keras.tree.map_structure(described, x)
    with two_threads() if many and _only_reads(outputs, full) else nullcontext() as pool:
        return in_chunks(run, x, batch_size, on_progress, pool=pool)


def _only_reads(function, inputs):
    """Whether a `tf.function` changes nothing, so that it may run twice at once."""
    effects = function.get_concrete_function(inputs).graph.control_outputs
    return all(operation.type == "ReadVariableOp" for operation in effects)
