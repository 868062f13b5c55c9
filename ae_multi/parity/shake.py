"""Shake a training as float32 rounding would shake it."""

from ae_multi._keras import keras
from ae_multi.parity.bounds import UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops


def shake_gradients(optimizer, terms, seed, run):
    """Change each gradient by the rounding that a sum of ``terms`` float32 terms can have.

    An optimizer may amplify this far beyond what weights show: Adam divides a gradient by its
    own size, so that where it is all but zero, its rounding decides on the step. The coins are
    tossed anew in every step.

    Args:
        optimizer: a Keras optimizer; its `apply` is replaced for good.
        terms: integer.
        seed: integer.
        run: number of the repeat; each has coins of its own.
    """
    amplitude = UNIT_ROUNDOFF * terms**0.5
    real = optimizer.apply

    def apply(grads, trainable_variables=None):
        shaken = []
        for place, gradient in enumerate(grads):
            if gradient is None:  # the loss does not depend on this weight
                shaken.append(None)
                continue
            shape = tuple(int(size) for size in gradient.shape)
            coins = noise.bits(shape, seed, optimizer.iterations, f"shake/{run}/{place}")
            signs = ops.cast(ops.where(coins < 0, -1.0, 1.0), gradient.dtype)
            size = amplitude * ops.max(ops.abs(gradient)) if gradient.shape else amplitude
            shaken.append(gradient + size * signs)
        return real(shaken, trainable_variables)

    optimizer.apply = apply


def optimizer_roundoff(optimizer):
    """Relative error that a float32 bias correction can have, 0 for an optimizer without one."""
    beta = getattr(optimizer, "beta_2", None)
    return 0.0 if beta is None else UNIT_ROUNDOFF / (1.0 - float(beta))
