"""A model's outputs for a whole array, on TensorFlow."""

import numpy as np
import tensorflow as tf

from ae_multi._keras import keras
from ae_multi.backends.held import cached


def forward(model, x, batch_size):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = {"training": False} if model._call_has_training_arg else {}

    def program(batch):
        return model(batch, **call)

    def make():
        return tf.function(program, autograph=False, reduce_retracing=True)

    compiled = cached(model, "forward", make)
    samples = len(keras.tree.flatten(x)[0])
    parts = [
        compiled(keras.tree.map_structure(lambda a, b=b: tf.constant(a[b : b + batch_size]), x))
        for b in range(0, samples, batch_size)
    ]
    return keras.tree.map_structure(lambda *pieces: np.concatenate(pieces), *parts)
