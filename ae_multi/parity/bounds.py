"""How far a backend may be off at one place before it is more than rounding.

The largest of six amounts:

- by reasoning: the rounding errors of t additions behave like a random walk of t steps of half a
  unit in the last place, so a result of size s is off by about s · √t · 2⁻²⁴; `REASONED` times
  that. t counts the terms that went into the result: the fan-in of every layer so far.
- by conditioning: how far the oracle itself moves at this place when it is perturbed as float32
  would perturb it, at most over several runs: each initial weight to its neighbouring float32
  number, each gradient by √t · 2⁻²⁴ of its largest value, up or down by a coin; `CONDITIONED`
  times that. Layers amplify what comes before them, and Adam what rounding leaves of a gradient
  that is all but zero, by factors that no count of operations knows.
- by measurement: how far the best of the other backends is off at this place; `MEASURED` times
  that, since the order of a sum alone makes factors of a few.
- by summation: the error that is made where the terms of the float64 run are added one after
  another in float32, `SUMMED` times that. Where many terms are equal, each addition rounds in
  the same direction and the error grows with their number, not with its root.
- by cancellation: the size of the terms times 2⁻²⁴, `REASONED` times that, where the terms cancel
  and leave a result that is much smaller. Its scale is that of the terms.
- by the optimizer: the first step of an Adam is off by 2⁻²⁴ / (1 - β₂) of itself where the bias
  correction 1 - β₂ᵗ is taken in float32, as a small number between two near 1.

So a backend that rounds is within its bound, one that computes something else is not, and it is
known which of them it is.
"""

import math

import numpy as np
from scipy.special import stdtrit

from ae_multi.selection import FORWARD_ONLY

UNIT_ROUNDOFF = 2.0**-24  # of float32, rounding to nearest
UNIT_ROUNDOFF_64 = 2.0**-53
REASONED = 4
CONDITIONED = 8
SUMMED = 2
MEASURED = 8
FALSE_ALARM = 1e-4
# The test error is computed in float32, too: some units in the last place, whatever the training.
LEAST_SPREAD = 16 * UNIT_ROUNDOFF

# Where a bound comes from: what that means.
SOURCES = {
    "bits": "equal to the bit, or not equal",
    "counting": f"{REASONED} · √terms · unit roundoff",
    "shaking": f"{CONDITIONED} × how far rounding-sized shakes move the float64 oracle",
    "summation": f"{SUMMED} × the error of float32 summation, one term after another",
    "cancellation": f"{REASONED} · size of the terms · unit roundoff",
    "others": f"{MEASURED} × the error of the best other backend",
    "optimizer": "rounding of Adam's bias correction",
    "spread": f"where {1 - FALSE_ALARM:.2%} of trainings end that rounding perturbs",
}


def largest(values):
    """The largest absolute value, 0 if there is none."""
    return float(np.max(np.abs(np.asarray(values, np.float64)), initial=0.0))


def scale_of(exact, beside=0.0, lost=0.0):
    """What an error is relative to: the largest exact value, or what that is lost beside.

    Args:
        exact: array.
        beside: a larger size, such as that of the terms that the exact values are sums of, or 0.
        lost: the share of ``beside`` up to which the exact values count as lost in its rounding.

    Returns:
        (the scale, whether it is ``beside``).
    """
    size = largest(exact)
    if beside and size <= lost * beside:
        return beside, True
    return size or 1.0, False


def largest_error(values, exact, scale, each=False):
    """The largest error of an array, and where it is.

    Args:
        values: array.
        exact: array of the same shape.
        scale: what the error is relative to.
        each: measure each error against its own exact value instead, where that is not lost in
            the rounding of ``scale``.

    Returns:
        (relative error, infinite where only one of both is finite; the value, the exact value).
    """
    values, exact = np.asarray(values, np.float64), np.asarray(exact, np.float64)
    if exact.size == 0:
        return 0.0, 0.0, 0.0
    if each:
        scale = np.maximum(np.abs(exact), UNIT_ROUNDOFF * scale)
    with np.errstate(invalid="ignore"):  # of two infinities
        errors = np.abs(values - exact) / scale
    errors = np.where(np.isfinite(errors), errors, math.inf)
    place = np.argmax(errors)
    return float(errors.flat[place]), float(values.flat[place]), float(exact.flat[place])


def bounds(
    error, terms, moved, optimizer=0.0, roundoff=UNIT_ROUNDOFF, summation=0.0, cancellation=1.0
):
    """The error that each backend may have at one place, and what that comes from.

    Args:
        error: dict of backend to error there.
        terms: how many terms went into the values.
        moved: how far the oracle moved when it was perturbed.
        optimizer: what the optimizer's constants in float32 may put the values off by.
        roundoff: unit roundoff of the numbers; what the oracle moved is scaled to it.
        summation: error of plain summation in float32, on the same scale as ``error``.
        cancellation: how much larger the terms are than that scale.

    Returns:
        (dict of backend to bound, dict of backend to a key of `SOURCES`).
    """
    allowed, sources = {}, {}
    for backend in error:
        # A backend that only runs forward is no measure for those that train.
        others = [error[b] for b in error if b != backend and b not in FORWARD_ONLY]
        amounts = {
            "counting": REASONED * roundoff * math.sqrt(terms),
            "shaking": CONDITIONED * moved * roundoff / UNIT_ROUNDOFF,
            "summation": SUMMED * summation * roundoff / UNIT_ROUNDOFF,
            "cancellation": REASONED * cancellation * roundoff,
            "others": MEASURED * min(others, default=0.0),
            "optimizer": optimizer,
        }
        sources[backend] = max(amounts, key=amounts.get)
        allowed[backend] = amounts[sources[backend]]
    return allowed, sources


def prediction_interval(runs):
    """(mean of ``runs``, how far from it, relatively, one more run like them may be).

    Of n draws from a normal distribution with mean m and standard deviation s, the next is
    within m ± t s √(1 + 1/n) with probability 1 - `FALSE_ALARM`, t being that quantile of
    Student's distribution with n - 1 degrees of freedom.

    Args:
        runs: at least two numbers above 0.
    """
    mean, deviation = float(np.mean(runs)), float(np.std(runs, ddof=1))
    quantile = float(stdtrit(len(runs) - 1, 1 - FALSE_ALARM / 2))
    allowed = quantile * deviation * math.sqrt(1 + 1 / len(runs)) / (mean or 1.0)
    return mean, max(allowed, LEAST_SPREAD)


def terms_forward(stages):
    """Terms that go into a model's output: the fan-in of all its layers."""
    return sum(entry["terms"] for entry in stages["training forward"])


def terms_of_a_step(stages):
    """Terms that go into a gradient: forward, back to the inputs, and back to the weights."""
    return 3 * terms_forward(stages)
