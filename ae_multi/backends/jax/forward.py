"""Outputs of a model for all samples of an array, on JAX."""

from collections.abc import Callable, Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.backends.chunks import in_chunks
from ae_multi.backends.device_data import as_rows, cached
from ae_multi.backends.jax.device import compiler_options
from ae_multi.backends.jax.optimizations.convolutions import suited
from ae_multi.backends.jax.program_cache import Program


def forward(
    model: keras.Model,
    x: Any,
    batch_size: int,
    on_progress: Callable[[int], Any] | None = None,
) -> Any:
    """Return the outputs of ``model``; see `ae_multi.backends.protocol.Backend.forward`."""
    variables = model.non_trainable_variables
    weights = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in variables]
    call = call_arguments(model, training=False)

    # Inputs and outputs are matrices of flattened samples: XLA may change the layout of arrays
    # with more axes.
    shapes = [array.shape[1:] for array in keras.tree.flatten(x)]

    def make():
        # Set when the program is traced: the shapes of outputs, and the indices of variables that
        # the model changes, for example the seeds of random layers.
        output_shapes: list[tuple[int, ...]] = []
        changed: list[int] = []

        def program(weights, others, rows):
            outputs, after = model.stateless_call(weights, others, _shaped(rows, shapes), **call)
            output_shapes[:] = [output.shape[1:] for output in keras.tree.flatten(outputs)]
            pairs = enumerate(zip(others, after, strict=True))
            changed[:] = [index for index, (old, new) in pairs if new is not old]
            return keras.tree.map_structure(as_rows, outputs), [after[index] for index in changed]

        # For these batch sizes Eigen is up to 25 % faster (DeepAutoencoder), or a few per cent
        # slower.
        options = compiler_options(eigen=True)
        return Program(suited(program, model), options), output_shapes, changed

    compiled, output_shapes, changed = cached(model, ("forward", repr(shapes)), make)

    def run(batch):
        size = len(keras.tree.flatten(batch)[0])
        outputs, after = compiled(size, weights, others, batch)
        for index, value in zip(changed, after, strict=True):
            others[index] = value
        return outputs

    rows = keras.tree.map_structure(as_rows, x)
    try:
        return _shaped(in_chunks(run, rows, batch_size, on_progress), output_shapes)
    finally:
        for index in changed:
            variables[index].assign(others[index])


def _shaped(rows: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """Reshape nested arrays of flattened samples to samples of ``shapes``."""
    pairs = zip(keras.tree.flatten(rows), shapes, strict=True)
    return keras.tree.pack_sequence_as(rows, [row.reshape(-1, *shape) for row, shape in pairs])
