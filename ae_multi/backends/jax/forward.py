"""A model's outputs for a whole array, on JAX."""

import jax
import numpy as np

from ae_multi._keras import keras
from ae_multi.backends.held import cached


def forward(model, x, batch_size):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    state = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    call = {"training": False} if model._call_has_training_arg else {}

    def program(state, batch):
        return model.stateless_call(*state, batch, **call)[0]

    compiled = cached(model, "forward", lambda: jax.jit(program))
    samples = len(keras.tree.flatten(x)[0])
    # Calls return before they are done, so that the device is never short of work.
    parts = [
        compiled(state, keras.tree.map_structure(lambda a, b=b: a[b : b + batch_size], x))
        for b in range(0, samples, batch_size)
    ]
    return keras.tree.map_structure(lambda *pieces: np.concatenate(pieces), *parts)
