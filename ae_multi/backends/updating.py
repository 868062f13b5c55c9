"""Another way for a Keras optimizer to update the weights, for as long as a step is recorded."""

import contextlib

from ae_multi._keras import keras


def is_adam(optimizer):
    """Whether ``optimizer`` updates as Keras's Adam or AdamW does, for which kernels exist."""
    adam = keras.optimizers.Adam
    own = isinstance(optimizer, adam) and type(optimizer).update_step is adam.update_step
    return own and not optimizer.amsgrad


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
