"""Another way for a Keras optimizer to update the weights, for as long as a step is recorded."""

import contextlib

from ae_multi._keras import keras

ops = keras.ops


def is_adam(optimizer):
    """Whether ``optimizer`` updates as Keras's Adam or AdamW does, for which kernels exist."""
    adam = keras.optimizers.Adam
    own = isinstance(optimizer, adam) and type(optimizer).update_step is adam.update_step
    return own and not optimizer.amsgrad


def adam_state(optimizer, variables):
    """What an update by Adam needs beside weights and gradients.

    Returns:
        (first moments, second moments, (β₁ᵗ, β₂ᵗ)): tensors, or TensorFlow's variables, one for
        each of the Keras ``variables``; and float32 powers of the coming step t.
    """
    places = [optimizer._get_variable_index(variable) for variable in variables]
    moments = [
        [group[place].value for place in places]
        for group in (optimizer._momentums, optimizer._velocities)
    ]
    step = ops.cast(optimizer.iterations + 1, "float32")
    powers = [
        ops.power(ops.cast(beta, "float32"), step) for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    return (*moments, powers)


@contextlib.contextmanager
def updating(optimizer, update):
    """Let ``optimizer`` update by the function ``update``; as it does by itself for None."""
    if optimizer is None or update is None:
        yield
        return
    vars(optimizer)["_backend_update_step"] = update
    try:
        yield
    finally:
        del vars(optimizer)["_backend_update_step"]
