"""Perturbation of a float64 training by errors of the size of float32 rounding."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.parity.bounds import CONDITIONED, SUMMED, UNIT_ROUNDOFF
from ae_multi.randomness import noise

ops = keras.ops

# Optimizers with a beta_2, but without a bias correction by its powers.
_WITHOUT_CORRECTION = keras.optimizers.Adamax | keras.optimizers.Lion

# More than the steps of a run, so that each step of each run draws different random signs.
_MAX_STEPS_PER_RUN = 2**24


def perturbation_amplitudes(
    gradient_entries: Sequence[Mapping[str, Any]], terms: float, roundoff: float = UNIT_ROUNDOFF
) -> list[float]:
    """Return the rounding error of each gradient, relative to its largest value.

    Args:
        gradient_entries: entries of the oracle's gradients, without the loss.
        terms: number of terms of every gradient, in addition to those of its entry.
        roundoff: unit roundoff of the terms.

    Returns:
        One number for each gradient: ``roundoff`` · √terms, or, if larger, a number from the error
        of plain summation. The latter is scaled so that the resulting bound equals the amount
        "summation" in `ae_multi.parity.bounds`.
    """
    amplitudes = []
    for entry in gradient_entries:
        amplitude = roundoff * (terms + entry["terms"]) ** 0.5
        largest = float(np.max(np.abs(entry["values"]), initial=0.0))
        if largest:
            summation = entry.get("summation", 0.0) / largest
            amplitude = max(amplitude, SUMMED / CONDITIONED * summation)
        amplitudes.append(amplitude)
    return amplitudes


def perturb_gradients(
    optimizer: keras.optimizers.Optimizer,
    seed: int,
    run: int = 0,
    amplitudes: Sequence[float] = (0.0,),
) -> None:
    """Change the elements of each gradient by an error of the size of float32 rounding.

    Amplitudes of 0 change nothing. The steps then still use the same program as perturbed steps,
    which is compiled only once. Each step draws different random signs.

    An optimizer may amplify the perturbation. Adam divides a gradient by its size, so for a
    gradient that is almost zero, the rounding error determines the step.

    Args:
        optimizer: a Keras optimizer; its `apply` is replaced permanently.
        seed: integer, seed of the signs.
        run: number of the run; the signs of each run differ.
        amplitudes: change of each gradient, relative to its largest absolute value. If there is not
            one amplitude for each gradient, all gradients change by the smallest one.
    """
    real = optimizer.apply

    # Values that differ between runs are state of the optimizer, so that all runs share a program.
    def state(name: str, value: Any, dtype: str | None = None) -> Any:
        initial = keras.initializers.Constant(value)
        shape = np.shape(value)
        return optimizer.add_variable(shape, initializer=initial, dtype=dtype, name=name)

    number = state("perturbation_run", run, "int32")
    sizes = state("perturbation_amplitudes", np.asarray(amplitudes, np.float64))

    def apply(grads: Sequence[Any], trainable_variables: Any = None) -> Any:
        counts = [0 if g is None else math.prod(int(n) for n in g.shape) for g in grads]
        moment = ops.cast(optimizer.iterations, "int32") + _MAX_STEPS_PER_RUN * number
        # One draw for all gradients: a draw for each of them would dominate the compilation time.
        coins = ops.where(noise.bits((sum(counts),), seed, moment, "shake") < 0, -1.0, 1.0)
        perturbed: list[Any] = []
        smallest = ops.take(sizes, ops.argmin(ops.abs(sizes)))
        ends = np.cumsum(counts)
        for place, (gradient, count, end) in enumerate(zip(grads, counts, ends, strict=True)):
            if gradient is None:  # the loss does not depend on this weight
                perturbed.append(None)
                continue
            signs = ops.reshape(coins[end - count : end], gradient.shape)
            size = sizes[place] if len(grads) == len(amplitudes) else smallest
            size = ops.cast(size, gradient.dtype)
            size = size * ops.max(ops.abs(gradient))
            perturbed.append(gradient + size * ops.cast(signs, gradient.dtype))
        return real(perturbed, trainable_variables)

    optimizer.apply = apply


def optimizer_roundoff(optimizer: keras.optimizers.Optimizer) -> float:
    """Return the relative error of the first step if 1 - beta_2 is computed in float32.

    It is 0 for an optimizer without a bias correction of the mean square.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    beta = getattr(optimizer, "beta_2", None)
    if beta is None or isinstance(optimizer, _WITHOUT_CORRECTION):
        return 0.0
    return UNIT_ROUNDOFF / (1.0 - float(beta))
