"""Outputs of a model for all samples of an array, on TensorFlow."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.backends.chunks import in_chunks, two_threads
from ae_multi.backends.device_data import cached
from ae_multi.backends.layer_queries import draws
from ae_multi.backends.tensorflow.compile import compiled
from ae_multi.backends.tensorflow.device import on_cpu, threads, zero_copy

# For fewer batches no threads are started.
_MIN_BATCHES = 4


def forward(
    model: keras.Model,
    x: Any,
    batch_size: int,
    on_progress: Callable[[int], Any] | None = None,
) -> Any:
    """Return the outputs of ``model``; see `ae_multi.backends.protocol.Backend.forward`."""
    call = call_arguments(model, training=False)

    def make():
        def program(batch):
            return model(batch, **call)

        # XLA draws other random numbers from the same seeds, so the compiler is that of Keras.
        by_xla = True if draws(model) and model.jit_compile else None
        return compiled(program, reduce_retracing=True, jit_compile=by_xla)

    outputs = cached(model, "forward", make)

    def run(batch: Any) -> Any:
        return outputs(keras.tree.map_structure(zero_copy, batch))

    many = len(keras.tree.flatten(x)[0]) >= _MIN_BATCHES * batch_size and on_cpu() and threads() > 1

    def spec_of(array: np.ndarray) -> tf.TensorSpec:
        return tf.TensorSpec((batch_size, *array.shape[1:]), array.dtype)

    specs = keras.tree.map_structure(spec_of, x)
    with two_threads() if many and _only_reads(outputs, specs) else nullcontext() as pool:
        return in_chunks(run, x, batch_size, on_progress, pool=pool)


def _only_reads(function: Any, inputs: Any) -> bool:
    """Return whether a `tf.function` changes no state, so that two calls may run concurrently."""
    effects = function.get_concrete_function(inputs).graph.control_outputs
    return all(operation.type == "ReadVariableOp" for operation in effects)
