"""A model's outputs for a whole array, on JAX."""

import jax

from ae_multi.backends.chunks import in_chunks
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
    return in_chunks(lambda part: compiled(state, part), x, batch_size)
