"""A model's outputs for a whole array, on TensorFlow."""

import tensorflow as tf

from ae_multi._keras import keras
from ae_multi.backends.chunks import in_chunks
from ae_multi.backends.held import cached
from ae_multi.backends.tensorflow.compiled import compiled


def forward(model, x, batch_size, told=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = {"training": False} if model._call_has_training_arg else {}

    def make():
        def program(batch):
            return model(batch, **call)

        return compiled(program, reduce_retracing=True)

    outputs = cached(model, "forward", make)

    def run(part):
        return outputs(keras.tree.map_structure(lambda array: tf.constant(_Lent(array)), part))

    return in_chunks(run, x, batch_size, told)


class _Lent:
    """An array for TensorFlow to look at where it lies, or to copy once where it has to.

    `tf.constant` makes a copy of an array of NumPy's first, lest somebody change that later. These
    are the caller's for as long as they are looked at, and TensorFlow does not write there.
    """

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array
