"""A model's outputs for a whole array, on JAX."""

import jax

from ae_multi._keras import keras
from ae_multi.backends.chunks import in_chunks
from ae_multi.backends.held import as_rows, cached


def forward(model, x, batch_size, told=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    state = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    call = {"training": False} if model._call_has_training_arg else {}

    # Samples go in as rows of numbers: XLA may lay out arrays of more axes anew before a product.
    shapes = [array.shape[1:] for array in keras.tree.flatten(x)]

    def program(state, rows):
        parts = [
            row.reshape(-1, *shape)
            for row, shape in zip(keras.tree.flatten(rows), shapes, strict=True)
        ]
        batch = keras.tree.pack_sequence_as(rows, parts)
        return model.stateless_call(*state, batch, **call)[0]

    compiled = cached(model, ("forward", repr(shapes)), lambda: jax.jit(program))
    rows = keras.tree.map_structure(as_rows, x)
    return in_chunks(lambda part: compiled(state, part), rows, batch_size, told)
