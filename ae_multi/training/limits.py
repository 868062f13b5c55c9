"""The sizes of batches and epochs where a caller leaves them open, and Keras's limits for them."""

import warnings

from ae_multi._keras import keras


def limited_epochs(epochs):
    """``epochs``, or `keras.config.max_epochs` where that is less, with Keras's warning."""
    most = keras.config.max_epochs()
    if not most or epochs <= most:
        return epochs
    warnings.warn(f"Limiting epochs to {most}", stacklevel=3)
    return most


def batches_of(samples, batch_size, steps):
    """(samples in a batch, batches of an epoch or None for all), as Keras settles them.

    `keras.config.max_steps_per_epoch` limits the batches. Where no size is given there are 32
    samples in a batch, or as many as make ``steps`` batches of all.
    """
    most = keras.config.max_steps_per_epoch()
    limited = bool(most) and (not steps or most < steps)
    if limited:
        warnings.warn(f"Limiting steps_per_epoch to {most}", stacklevel=3)
        steps = most
    if batch_size is None:
        batch_size = 32 if steps is None else -(-samples // steps)
    if limited and steps >= -(-samples // batch_size):
        steps = None  # a limit beyond the data limits nothing
    return batch_size, steps
