"""A model's outputs for a whole array, on JAX."""

from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.backends.chunks import in_chunks
from ae_multi.backends.device_data import as_rows, cached
from ae_multi.backends.jax.device import compiler_options
from ae_multi.backends.jax.optimizations.convolutions import suited
from ae_multi.backends.jax.program_cache import Program


def forward(model, x, batch_size, on_progress=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    variables = model.non_trainable_variables
    weights = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in variables]
    call = call_arguments(model, training=False)

    # Samples go in and come out as rows of numbers: XLA may lay out arrays of more axes anew.
    shapes = [array.shape[1:] for array in keras.tree.flatten(x)]

    def make():
        # Known once the program is traced: the shapes of outputs, and the places of variables that
        # the model changes, seeds of random layers for instance.
        given, changed = [], []

        def program(weights, others, rows):
            outputs, after = model.stateless_call(weights, others, _shaped(rows, shapes), **call)
            given[:] = [output.shape[1:] for output in keras.tree.flatten(outputs)]
            pairs = enumerate(zip(others, after, strict=True))
            changed[:] = [place for place, (old, new) in pairs if new is not old]
            return keras.tree.map_structure(as_rows, outputs), [after[place] for place in changed]

        # Of the ways to multiply, Eigen's is ahead for what is computed at once here, by up to a
        # quarter (DeepAutoencoder), or a few per cent behind.
        options = compiler_options(eigen=True)
        return Program(suited(program, model), options), given, changed

    compiled, given, changed = cached(model, ("forward", repr(shapes)), make)

    def run(part):
        size = len(keras.tree.flatten(part)[0])
        outputs, after = compiled(size, weights, others, part)
        for place, value in zip(changed, after, strict=True):
            others[place] = value
        return outputs

    rows = keras.tree.map_structure(as_rows, x)
    try:
        return _shaped(in_chunks(run, rows, batch_size, on_progress), given)
    finally:
        for place in changed:
            variables[place].assign(others[place])


def _shaped(rows, shapes):
    """Nested rows of numbers as samples of these shapes."""
    pairs = zip(keras.tree.flatten(rows), shapes, strict=True)
    return keras.tree.pack_sequence_as(rows, [row.reshape(-1, *shape) for row, shape in pairs])
