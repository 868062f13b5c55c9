"""Shake a training as float32 rounding would shake it."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.parity.bounds import UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops

# More than a run has, so that each step of each run has coins of its own.
_STEPS = 2**24


def shake_gradients(optimizer, seed, run=0, terms=0):
    """Change each gradient by the rounding that a sum of ``terms`` float32 terms can have.

    A sum of no terms has none: then nothing changes, but the steps are the same program, which
    has to be compiled only once.

    An optimizer may amplify this far beyond what weights show: Adam divides a gradient by its
    own size, so that where it is all but zero, its rounding decides on the step. The coins are
    tossed anew in every step.

    Args:
        optimizer: a Keras optimizer; its `apply` is replaced for good.
        seed: integer.
        run: number of the repeat; each has coins of its own.
        terms: integer.
    """
    real = optimizer.apply

    # Among the optimizer's state, what differs from run to run makes no other program.
    def state(name, value, dtype=None):
        initial = keras.initializers.Constant(value)
        return optimizer.add_variable((), initializer=initial, dtype=dtype, name=name)

    number = state("shake_run", run, "int32")
    amplitude = state("shake_amplitude", UNIT_ROUNDOFF * terms**0.5)

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
            size = ops.cast(amplitude, gradient.dtype)
            if gradient.shape:
                size = size * ops.max(ops.abs(gradient))
            shaken.append(gradient + size * ops.cast(signs, gradient.dtype))
        return real(shaken, trainable_variables)

    optimizer.apply = apply


def optimizer_roundoff(optimizer):
    """Relative error that a float32 bias correction can have, 0 for an optimizer without one."""
    beta = getattr(optimizer, "beta_2", None)
    return 0.0 if beta is None else UNIT_ROUNDOFF / (1.0 - float(beta))
