"""A model's outputs for a whole array, on TensorFlow."""

from ae_multi._keras import keras
from ae_multi.backends.chunks import in_chunks
from ae_multi.backends.held import cached
from ae_multi.backends.tensorflow.compiled import compiled
from ae_multi.backends.tensorflow.lent import lent


def forward(model, x, batch_size, told=None):
    """Outputs of ``model`` in use for all of ``x``, as NumPy arrays; see `ae_multi.backends`."""
    call = {"training": False} if model._call_has_training_arg else {}

    def make():
        def program(batch):
            return model(batch, **call)

        return compiled(program, reduce_retracing=True)

    outputs = cached(model, "forward", make)

    def run(part):
        return outputs(keras.tree.map_structure(lent, part))

    return in_chunks(run, x, batch_size, told)
