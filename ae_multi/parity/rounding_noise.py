"""Perturb a training as float32 rounding in each of its steps could perturb it."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import has_learning_rate_schedule
from ae_multi.parity.bounds import UNIT_ROUNDOFF
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
    _perturb_gradients(optimizer, seed, run, UNIT_ROUNDOFF * terms**0.5)
    if has_learning_rate_schedule(optimizer):
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


def _perturb_gradients(optimizer, seed, run, size):
    """Change each element of each gradient by ``size`` of itself, up or down by a coin."""
    real = optimizer.apply

    # Among the optimizer's state, what differs from run to run makes no other program.
    def state(name, value, dtype=None):
        initial = keras.initializers.Constant(value)
        return optimizer.add_variable((), initializer=initial, dtype=dtype, name=name)

    number = state("perturbed_run", run, "int32")
    amplitude = state("perturbed_size", size)

    def apply(grads, trainable_variables=None):
        counts = [0 if g is None else math.prod(int(n) for n in g.shape) for g in grads]
        moment = ops.cast(optimizer.iterations, "int32") + _STEPS * number
        coins, perturbed = _coins(sum(counts), seed, moment), []
        for gradient, count, end in zip(grads, counts, np.cumsum(counts), strict=True):
            if gradient is None:  # the loss does not depend on this weight
                perturbed.append(None)
                continue
            signs = ops.reshape(coins[end - count : end], gradient.shape)
            change = ops.cast(amplitude * signs, gradient.dtype)
            perturbed.append(gradient + change * gradient)
        return real(perturbed, trainable_variables)

    optimizer.apply = apply


def _coins(count, seed, moment):
    """``count`` numbers 1.0 or -1.0; each random word gives 32 of them."""
    words = noise.bits((-(-count // 32), 1), seed, moment, "perturbation")
    bits = ops.bitwise_and(ops.right_shift(words, np.arange(32, dtype="int32")), np.int32(1))
    return 1.0 - 2.0 * ops.cast(ops.reshape(bits, (-1,)), "float32")
