"""Perturb a training as float32 rounding would perturb it."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.parity.bounds import CONDITIONED, SUMMED, UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops

# More than a run has, so that each step of each run has coins of its own.
_STEPS = 2**24


def perturbation_amplitudes(gradient_entries, terms):
    """How far rounding may move each gradient, relative to its largest value.

    Args:
        gradient_entries: entries of the oracle's gradients, without the loss.
        terms: how many terms every gradient is a sum of, besides those that its entry counts.

    Returns:
        List of floats, one for each gradient. Where the error of plain summation is known and
        larger, it is that, so that the shakes allow of it what `bounds` allows.
    """
    amplitudes = []
    for found in gradient_entries:
        amplitude = UNIT_ROUNDOFF * (terms + found["terms"]) ** 0.5
        largest = float(np.max(np.abs(found["values"]), initial=0.0))
        if largest:
            summation = found.get("summation", 0.0) / largest
            amplitude = max(amplitude, SUMMED / CONDITIONED * summation)
        amplitudes.append(amplitude)
    return amplitudes


def perturb_gradients(optimizer, seed, run=0, amplitudes=(0.0,)):
    """Change each gradient by the rounding that float32 may leave in it.

    With amplitudes of 0 nothing changes, but the steps are the same program, which has to be
    compiled only once.

    An optimizer may amplify this far beyond what weights show: Adam divides a gradient by its
    own size, so that where it is all but zero, its rounding decides on the step. The coins are
    tossed anew in every step.

    Args:
        optimizer: a Keras optimizer; its `apply` is replaced for good.
        seed: integer.
        run: number of the repeat; each has coins of its own.
        amplitudes: how far each gradient moves, relative to its largest value. For another number
            of gradients than these the smallest is taken.
    """
    real = optimizer.apply

    # Among the optimizer's state, what differs from run to run makes no other program.
    def state(name, value, dtype=None):
        initial = keras.initializers.Constant(value)
        shape = np.shape(value)
        return optimizer.add_variable(shape, initializer=initial, dtype=dtype, name=name)

    number = state("shake_run", run, "int32")
    sizes = state("perturbation_amplitudes", np.asarray(amplitudes, np.float64))

    def apply(grads, trainable_variables=None):
        counts = [0 if g is None else math.prod(int(n) for n in g.shape) for g in grads]
        moment = ops.cast(optimizer.iterations, "int32") + _STEPS * number
        # In one go: a draw for each gradient would be most of what there is to compile.
        coins = ops.where(noise.bits((sum(counts),), seed, moment, "shake") < 0, -1.0, 1.0)
        perturbed, ends = [], np.cumsum(counts)
        for place, (gradient, count, end) in enumerate(zip(grads, counts, ends, strict=True)):
            if gradient is None:  # the loss does not depend on this weight
                perturbed.append(None)
                continue
            signs = ops.reshape(coins[end - count : end], gradient.shape)
            size = sizes[place] if len(grads) == len(amplitudes) else ops.min(sizes)
            size = ops.cast(size, gradient.dtype)
            if gradient.shape:
                size = size * ops.max(ops.abs(gradient))
            perturbed.append(gradient + size * ops.cast(signs, gradient.dtype))
        return real(perturbed, trainable_variables)

    optimizer.apply = apply


def optimizer_roundoff(optimizer):
    """Relative error that a float32 bias correction can have, 0 for an optimizer without one."""
    beta = getattr(optimizer, "beta_2", None)
    return 0.0 if beta is None else UNIT_ROUNDOFF / (1.0 - float(beta))
