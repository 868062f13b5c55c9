"""Perturbation of a float32 training by rounding errors in each of its steps."""

import math
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import has_learning_rate_schedule
from ae_multi.parity.bounds import UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops

# More than the steps of a run, so that each step of each run draws different random signs.
_MAX_STEPS_PER_RUN = 2**24


def perturb_training(
    optimizer: keras.optimizers.Optimizer,
    seed: int,
    run: int,
    terms: float,
    roundoff: float = UNIT_ROUNDOFF,
) -> None:
    """Perturb the steps of an optimizer by errors of the size of float32 rounding.

    Two kinds of rounding errors are simulated. Errors that differ between elements are simulated
    in the gradients: each element changes by √terms · ``roundoff`` of itself in each step. Errors
    that all elements share come from the optimizer's constants, see `constants_roundoff`. They are
    simulated in the learning rate: odd runs have a smaller rate, even runs a larger one.

    Args:
        optimizer: a Keras optimizer, changed permanently. A learning rate schedule stays as it is.
        seed: integer, seed of the signs.
        run: number of the repetition, from 1.
        terms: number of terms that enter a gradient.
        roundoff: unit roundoff of the terms.
    """
    _perturb_gradients(optimizer, seed, run, roundoff * terms**0.5)
    if has_learning_rate_schedule(optimizer):
        return
    rate = float(ops.convert_to_numpy(optimizer.learning_rate))
    optimizer.learning_rate = rate * (1 + constants_roundoff(optimizer) * (-1) ** run)


def terms_of_gradients(model: keras.Model) -> int:
    """Return the number of terms that enter a gradient of a model of dense layers or convolutions.

    Each value is a sum over a layer's fan-in, once in the forward pass, once in the gradient of
    the inputs and once in the gradient of the weights.
    """
    kernels = [tuple(v.shape) for v in model.trainable_variables if len(v.shape) > 1]
    return 3 * sum(math.prod(shape[:-1]) for shape in kernels)


def constants_roundoff(optimizer: keras.optimizers.Optimizer) -> float:
    """Return the relative error of all steps from an optimizer's float32 constants.

    A decay rate d between 1/2 and 1 has an error of up to 2⁻²⁵. A mean with the weights d and
    1 - d then has a relative error of up to 2⁻²⁵ / (1 - d). The square root of a mean of squares
    has half of that. Whether d or 1 - d is rounded differs even between Keras's own backends.
    """

    def largest(*names: str) -> float:
        rates = [getattr(optimizer, name, None) for name in names]
        return max((float(d) for d in rates if isinstance(d, int | float)), default=0.0)

    means, squares = largest("beta_1", "momentum"), largest("beta_2", "rho")
    return UNIT_ROUNDOFF / 2 * max(1 / (1 - means), 0.5 / (1 - squares))


def _perturb_gradients(
    optimizer: keras.optimizers.Optimizer, seed: int, run: int, size: float
) -> None:
    """Change each element of each gradient by ``size`` of itself, up or down at random."""
    real = optimizer.apply

    # Values that differ between runs are state of the optimizer, so that all runs share a program.
    def state(name: str, value: Any, dtype: str | None = None) -> Any:
        initial = keras.initializers.Constant(value)
        return optimizer.add_variable((), initializer=initial, dtype=dtype, name=name)

    number = state("perturbed_run", run, "int32")
    amplitude = state("perturbed_size", size)

    def apply(grads: Any, trainable_variables: Any = None) -> Any:
        counts = [0 if g is None else math.prod(int(n) for n in g.shape) for g in grads]
        moment = ops.cast(optimizer.iterations, "int32") + _MAX_STEPS_PER_RUN * number
        coins = _coins(sum(counts), seed, moment)
        perturbed: list[Any] = []
        for gradient, count, end in zip(grads, counts, np.cumsum(counts), strict=True):
            if gradient is None:  # the loss does not depend on this weight
                perturbed.append(None)
                continue
            signs = ops.reshape(coins[end - count : end], gradient.shape)
            change = ops.cast(amplitude * signs, gradient.dtype)
            perturbed.append(gradient + change * gradient)
        return real(perturbed, trainable_variables)

    optimizer.apply = apply


def _coins(count: int, seed: int, moment: Any) -> Any:
    """Return ``count`` random numbers 1.0 or -1.0, 32 from each random word."""
    words = noise.bits((-(-count // 32), 1), seed, moment, "perturbation")
    bits = ops.bitwise_and(ops.right_shift(words, np.arange(32, dtype="int32")), np.int32(1))
    return 1.0 - 2.0 * ops.cast(ops.reshape(bits, (-1,)), "float32")
