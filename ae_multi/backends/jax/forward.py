"""A model's outputs for a whole array, on JAX."""

import jax

from ae_multi._keras import keras
from ae_multi.backends.chunks import in_chunks
from ae_multi.backends.held import as_rows, cached
from ae_multi.backends.jax.convolutions import suited
from ae_multi.backends.jax.device import compiler_options


def forward(model, x, batch_size, told=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    state = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    call = {"training": False} if model._call_has_training_arg else {}

    # Samples go in and come out as rows of numbers: XLA may lay out arrays of more axes anew.
    shapes = [array.shape[1:] for array in keras.tree.flatten(x)]

    def make():
        given = []  # the shapes of outputs, known once the program is traced

        def program(state, rows):
            outputs = model.stateless_call(*state, _shaped(rows, shapes), **call)[0]
            given[:] = [output.shape[1:] for output in keras.tree.flatten(outputs)]
            return keras.tree.map_structure(as_rows, outputs)

        # Of the ways to multiply, Eigen's is ahead for what is computed at once here, by up to a
        # quarter (DeepAutoencoder), or a few per cent behind.
        options = compiler_options(eigen=True)
        return jax.jit(suited(program, model), compiler_options=options), given

    compiled, given = cached(model, ("forward", repr(shapes)), make)
    rows = keras.tree.map_structure(as_rows, x)
    return _shaped(in_chunks(lambda part: compiled(state, part), rows, batch_size, told), given)


def _shaped(rows, shapes):
    """Nested rows of numbers as samples of these shapes."""
    pairs = zip(keras.tree.flatten(rows), shapes, strict=True)
    return keras.tree.pack_sequence_as(rows, [row.reshape(-1, *shape) for row, shape in pairs])
