"""Shake a training as float32 rounding would shake it."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.parity.bounds import UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops

# More than a run has, so that each step of each run has coins of its own.
_STEPS = 2**24


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
    # Among the optimizer's state, the number of the run makes no other program of its steps.
    number = optimizer.add_variable(
        (), initializer=keras.initializers.Constant(run), dtype="int32", name="shake_run"
    )

    def apply(grads, trainable_variables=None):
        counts = [0 if g is None else math.prod(int(n) for n in g.shape) for g in grads]
        moment = ops.cast(optimizer.iterations, "int32") + _STEPS * number
        # In one go: a draw for each gradient would be most of what there is to compile.
        coins = ops.where(noise.bits((sum(counts),), seed, moment, "shake") < 0, -1.0, 1.0)
        shaken, ends = [], np.cumsum(counts)
        for gradient, count, end in zip(grads, counts, ends, strict=True):
            if gradient is None:  # the loss does not depend on this weight
                shaken.append(None)
                continue
            signs = ops.reshape(coins[end - count : end], gradient.shape)
            size = amplitude * ops.max(ops.abs(gradient)) if gradient.shape else amplitude
            shaken.append(gradient + size * ops.cast(signs, gradient.dtype))
        return real(shaken, trainable_variables)

    optimizer.apply = apply


def optimizer_roundoff(optimizer):
    """Relative error that a float32 bias correction can have, 0 for an optimizer without one."""
    beta = getattr(optimizer, "beta_2", None)
    return 0.0 if beta is None else UNIT_ROUNDOFF / (1.0 - float(beta))
