"""Error bounds: how far rounding alone can move the values of a backend at one place.

The bound is the largest of six amounts. `SOURCES` describes them by the same names. The oracle is
the float64 reference: a trace of the same steps, computed in float64 on one of the backends.

- counting: the rounding errors of t additions behave like a random walk of t steps of half a unit
  in the last place, so a result of size s has an error of about s · √t · 2⁻²⁴. The amount is
  `REASONED` times that. t is the number of terms that enter the result: the fan-in of every layer
  up to this place.
- perturbation: the largest change of the oracle at this place, over several runs that are
  perturbed like float32 rounding: each initial weight by one ulp and each gradient by √t · 2⁻²⁴ of
  its largest value, up or down at random. The amount is `CONDITIONED` times that. Layers amplify
  earlier errors, and Adam amplifies the rounding error of a gradient that is almost zero. A count
  of operations does not contain these factors. Further runs are perturbed by a multiple, and their
  changes are divided by it, unless values are discontinuous, such as the derivative of ReLU; see
  `ae_multi.parity.conditioning`.
- others: the error of the best other backend at this place. The amount is `MEASURED` times that,
  because the order of a sum alone changes its error by small factors.
- summation: the error when the terms of the float64 run are added one after another in float32.
  The amount is `SUMMED` times that. If many terms are equal, each addition rounds in the same
  direction, and the error grows with the number of terms instead of its square root.
- cancellation: the size of the terms times 2⁻²⁴, if the terms cancel and the result is much
  smaller than the terms. The amount is `REASONED` times that.
- optimizer: the first step of Adam has a relative error of 2⁻²⁴ / (1 - β₂) if the bias correction
  1 - β₂ᵗ is computed in float32, as a small difference of two numbers near 1.

A backend whose results differ by rounding only is within its bound. A backend that computes
something else exceeds its bound, and the report names it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from ae_multi.backend_selection import FORWARD_ONLY

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

UNIT_ROUNDOFF = 2.0**-24  # of float32 with rounding to nearest
UNIT_ROUNDOFF_64 = 2.0**-53  # of float64
REASONED = 4
CONDITIONED = 8
SUMMED = 2
MEASURED = 8
FALSE_ALARM = 1e-4
# The test error is computed from float32 outputs, so it is off by some ulp in every training.
LEAST_SPREAD = 16 * UNIT_ROUNDOFF

# Source of a bound: its description.
SOURCES = {
    "bits": "equal bit for bit, or different",
    "counting": f"{REASONED} · √terms · unit roundoff",
    "perturbation": f"{CONDITIONED} × the change of the perturbed float64 reference",
    "summation": f"{SUMMED} × the error of float32 summation, one term after another",
    "cancellation": f"{REASONED} · size of the terms · unit roundoff",
    "others": f"{MEASURED} × the error of the best other backend",
    "optimizer": "rounding of Adam's bias correction",
    "spread": f"interval of {1 - FALSE_ALARM:.2%} of the trainings perturbed by rounding",
}


def largest(values: ArrayLike) -> float:
    """Return the largest absolute value, or 0 for an empty array."""
    return float(np.max(np.abs(np.asarray(values, np.float64)), initial=0.0))


def scale_of(exact: ArrayLike, fallback: float = 0.0, threshold: float = 0.0) -> tuple[float, bool]:
    """Return the scale of relative errors: the largest exact value, or ``fallback``.

    Args:
        exact: array of exact values.
        fallback: a larger magnitude, such as that of the terms whose sums are the exact values;
            or 0 for none.
        threshold: fraction of ``fallback``. ``fallback`` is the scale if no exact value is larger
            than this fraction of it.

    Returns:
        (scale, whether it is ``fallback``). The scale is 1 if all exact values are 0 and there is
        no ``fallback``.
    """
    size = largest(exact)
    if fallback and size <= threshold * fallback:
        return fallback, True
    return size or 1.0, False


def largest_error(
    values: ArrayLike,
    exact: ArrayLike,
    scale: float,
    each: bool = False,
    allowed: ArrayLike = 0.0,
) -> tuple[float, float, float]:
    """Return the largest relative error of an array and the two values there.

    Args:
        values: array.
        exact: array of the same shape.
        scale: number that the errors are divided by.
        each: divide each error by its own exact value instead, unless that is smaller than the
            rounding error of ``scale``.
        allowed: allowed absolute error, subtracted from the error of each value: an array of the
            same shape, or a number.

    Returns:
        (relative error, value, exact value). The error is infinite if the value or the exact value
        is not finite.
    """
    values, exact = np.asarray(values, np.float64), np.asarray(exact, np.float64)
    if exact.size == 0:
        return 0.0, 0.0, 0.0
    scales: Any = np.maximum(np.abs(exact), UNIT_ROUNDOFF * scale) if each else scale
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        errors = np.maximum(np.abs(values - exact) - allowed, 0.0) / scales
    errors = np.where(np.isfinite(errors), errors, math.inf)
    place = np.argmax(errors)
    return float(errors.flat[place]), float(values.flat[place]), float(exact.flat[place])


def bounds(
    error: Mapping[str, float],
    terms: float,
    moved: float,
    optimizer: float = 0.0,
    roundoff: float = UNIT_ROUNDOFF,
    summation: float = 0.0,
    cancellation: float = 1.0,
    perturbation: float = UNIT_ROUNDOFF,
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the error bound of each backend at one place, and its source.

    Args:
        error: dict of backend to its error at this place.
        terms: number of terms that enter the values.
        moved: change of the perturbed oracle for a perturbation of the size of rounding, relative
            like ``error``, see `ae_multi.parity.conditioning.distance_per_rounding`.
        optimizer: error that the optimizer's bias correction in float32 can cause.
        roundoff: unit roundoff of the values; ``moved`` is rescaled to it.
        summation: error of plain summation in float32, relative like ``error``.
        cancellation: size of the terms over the scale of ``error``.
        perturbation: unit roundoff of the rounding that the perturbed oracle imitates.

    Returns:
        (dict of backend to bound, dict of backend to a key of `SOURCES`).
    """
    allowed, sources = {}, {}
    for backend in error:
        # A forward-only backend does not raise the bounds of the backends that train.
        others = [error[b] for b in error if b != backend and b not in FORWARD_ONLY]
        amounts = {
            "counting": REASONED * roundoff * math.sqrt(terms),
            "perturbation": CONDITIONED * moved * roundoff / perturbation,
            "summation": SUMMED * summation * min(roundoff / UNIT_ROUNDOFF, 1.0),
            "cancellation": REASONED * cancellation * roundoff,
            "others": MEASURED * min(others, default=0.0),
            "optimizer": optimizer,
        }
        sources[backend] = max(amounts, key=amounts.__getitem__)
        allowed[backend] = amounts[sources[backend]]
    return allowed, sources


def prediction_interval(runs: Sequence[float]) -> tuple[float, float]:
    """Return the mean of ``runs`` and the relative half-width of their prediction interval.

    After n draws from a normal distribution with sample mean m and standard deviation s, the next
    draw lies within m ± t s √(1 + 1/n) with probability 1 - `FALSE_ALARM`, where t is the quantile
    of Student's t-distribution with n - 1 degrees of freedom.

    Args:
        runs: results of at least two trainings, numbers above 0.

    Returns:
        (mean, half-width divided by the mean; at least `LEAST_SPREAD`).
    """
    mean, deviation = float(np.mean(runs)), float(np.std(runs, ddof=1))
    quantile = float(stdtrit(len(runs) - 1, 1 - FALSE_ALARM / 2))
    allowed = quantile * deviation * math.sqrt(1 + 1 / len(runs)) / (mean or 1.0)
    return mean, max(allowed, LEAST_SPREAD)


def terms_forward(stages: Mapping[str, Any]) -> float:
    """Return the number of terms that enter a model's output: the total fan-in of its layers."""
    return sum(entry["terms"] for entry in stages["training forward"])


def terms_of_a_step(stages: Mapping[str, Any]) -> float:
    """Return the number of terms that enter a gradient, three times those of the output.

    They enter in the forward pass, in the gradients of the inputs and in those of the weights.
    """
    return 3 * terms_forward(stages)
