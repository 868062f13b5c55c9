"""Perturb a training as float32 rounding would perturb it."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.parity.bounds import CONDITIONED, SUMMED, UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops

# More than a run has, so that each step of each run has coins of its own.
_STEPS = 2**24


def perturb_training(optimizer, seed, run, terms):
    """Make a training one of those that rounding could make of it.

    Rounding that differs from element to element is imitated in the gradients, each element of
    which changes by √terms · 2⁻²⁴ of itself in each step. Rounding that all elements share comes
    from the optimizer's constants, see `constants_roundoff`, and is imitated in the learning
    rate: half of the runs have a larger rate, the other half a smaller one.

    Args:
        optimizer: a Keras optimizer, changed for good. A schedule of learning rates stays as it
            is.
        seed: integer.
        run: number of the repetition, from 1.
        terms: number of float32 terms that enter a gradient.
    """
    shake_gradients(optimizer, seed, run, (UNIT_ROUNDOFF * terms**0.5,), each=True)
    if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        return
    rate = float(ops.convert_to_numpy(optimizer.learning_rate))
    optimizer.learning_rate = rate * (1 + constants_roundoff(optimizer) * (-1) ** run)


def terms_of_gradients(model):
    """Number of terms that enter a gradient of a model of dense layers or convolutions.

    Each value is a sum over a layer's fan-in: once forward, once back to the inputs and once
    back to the weights.
    """
    kernels = [tuple(v.shape) for v in model.trainable_variables if len(v.shape) > 1]
    return 3 * sum(math.prod(shape[:-1]) for shape in kernels)


def shake_amplitudes(gradient_entries, terms):
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


def shake_gradients(optimizer, seed, run=0, amplitudes=(0.0,), each=False):
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
        each: whether an element changes relative to itself, not to the gradient's largest one.
    """
    real = optimizer.apply

    # Among the optimizer's state, what differs from run to run makes no other program.
    def state(name, value, dtype=None):
        initial = keras.initializers.Constant(value)
        shape = np.shape(value)
        return optimizer.add_variable(shape, initializer=initial, dtype=dtype, name=name)

    number = state("shake_run", run, "int32")
    sizes = state("shake_amplitudes", np.asarray(amplitudes, np.float64))

    def apply(grads, trainable_variables=None):
        counts = [0 if g is None else math.prod(int(n) for n in g.shape) for g in grads]
        moment = ops.cast(optimizer.iterations, "int32") + _STEPS * number
        # In one go: a draw for each gradient would be most of what there is to compile.
        coins = _coins(sum(counts), seed, moment)
        shaken, ends = [], np.cumsum(counts)
        for place, (gradient, count, end) in enumerate(zip(grads, counts, ends, strict=True)):
            if gradient is None:  # the loss does not depend on this weight
                shaken.append(None)
                continue
            signs = ops.reshape(coins[end - count : end], gradient.shape)
            size = sizes[place] if len(grads) == len(amplitudes) else ops.min(sizes)
            size = ops.cast(size, gradient.dtype)
            if each:
                size = size * gradient
            elif gradient.shape:
                size = size * ops.max(ops.abs(gradient))
            shaken.append(gradient + size * ops.cast(signs, gradient.dtype))
        return real(shaken, trainable_variables)

    optimizer.apply = apply


def _coins(count, seed, moment):
    """``count`` numbers 1.0 or -1.0; each random word gives 32 of them."""
    words = noise.bits((-(-count // 32), 1), seed, moment, "shake")
    bits = ops.bitwise_and(ops.right_shift(words, np.arange(32, dtype="int32")), np.int32(1))
    return 1.0 - 2.0 * ops.cast(ops.reshape(bits, (-1,)), "float32")


def constants_roundoff(optimizer):
    """Relative error of all steps that comes from an optimizer's constants in float32.

    A decay rate d from 1/2 to 1 is off by up to 2⁻²⁵, and a mean that is weighted by it and by
    1 - d by up to 2⁻²⁵ / (1 - d) of itself. Of a mean of squares the root is taken, which halves
    that. Whether d or 1 - d is rounded differs even between Keras's own backends.
    """

    def largest(*names):
        rates = [getattr(optimizer, name, None) for name in names]
        return max((float(d) for d in rates if isinstance(d, int | float)), default=0.0)

    means, squares = largest("beta_1", "momentum"), largest("beta_2", "rho")
    return UNIT_ROUNDOFF / 2 * max(1 / (1 - means), 0.5 / (1 - squares))


def optimizer_roundoff(optimizer):
    """Relative error that a float32 bias correction can have, 0 for an optimizer without one."""
    beta = getattr(optimizer, "beta_2", None)
    return 0.0 if beta is None else UNIT_ROUNDOFF / (1.0 - float(beta))
