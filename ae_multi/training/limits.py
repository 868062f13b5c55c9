"""Default batch size and number of batches, and Keras's limits on epochs and batches."""

import warnings

from ae_multi._keras import keras


def limited_epochs(epochs: int) -> int:
    """Return ``epochs``, at most `keras.config.max_epochs`; warn, as Keras does, if it is less."""
    max_epochs = keras.config.max_epochs()
    if not max_epochs or epochs <= max_epochs:
        return epochs
    warnings.warn(f"Limiting epochs to {max_epochs}", stacklevel=3)
    return max_epochs


def batches_of(samples: int, batch_size: int | None, steps: int | None) -> tuple[int, int | None]:
    """Return the batch size and the batches per epoch, with Keras's defaults and limits.

    `keras.config.max_steps_per_epoch` limits the number of batches. If it is less than ``steps``, a
    warning is issued, as in Keras.

    Args:
        samples: number of samples.
        batch_size: samples per batch. None means 32, or with ``steps`` the size that divides all
            samples into that many batches.
        steps: batches per epoch, or None for all.

    Returns:
        (samples per batch, batches per epoch or None for all).
    """
    max_steps = keras.config.max_steps_per_epoch()
    limited = bool(max_steps) and (not steps or max_steps < steps)
    if limited:
        warnings.warn(f"Limiting steps_per_epoch to {max_steps}", stacklevel=3)
        steps = max_steps
    if batch_size is None:
        batch_size = 32 if steps is None else -(-samples // steps)
    if limited and max_steps >= -(-samples // batch_size):
        steps = None  # the limit is not below the number of batches
    return batch_size, steps
