"""How far a backend may be off at one place before it is more than rounding.

The largest of four amounts:

- by reasoning: the rounding errors of t additions behave like a random walk of t steps of half a
  unit in the last place, so a result of size s is off by about s · √t · 2⁻²⁴; `REASONED` times
  that. t counts the terms that went into the result: the fan-in of every layer so far.
- by conditioning: how far the oracle itself moves at this place when it is shaken as float32
  would shake it, at most over several runs: each initial weight to its neighbouring float32
  number, each gradient by √t · 2⁻²⁴ of its largest value, up or down by a coin; `CONDITIONED`
  times that. Layers amplify what comes before them, and Adam what rounding leaves of a gradient
  that is all but zero, by factors that no count of operations knows.
- by measurement: how far the best of the other backends is off at this place; `MEASURED` times
  that, since the order of a sum alone makes factors of a few.
- by the optimizer: the first step of an Adam is off by 2⁻²⁴ / (1 - β₂) of itself where the bias
  correction 1 - β₂ᵗ is taken in float32, as a small number between two near 1.

So a backend that rounds is within its bound, one that computes something else is not, and it is
known which of them it is.
"""

import math

import numpy as np
from scipy.special import stdtrit

UNIT_ROUNDOFF = 2.0**-24  # of float32, rounding to nearest
UNIT_ROUNDOFF_64 = 2.0**-53
REASONED = 4
CONDITIONED = 8
MEASURED = 8
FALSE_ALARM = 1e-4
# The test error is computed in float32, too: some units in the last place, whatever the training.
LEAST_SPREAD = 16 * UNIT_ROUNDOFF

# Where a bound comes from: what that means.
SOURCES = {
    "bits": "equal to the bit, or not equal",
    "counting": f"{REASONED} · √terms · unit roundoff",
    "shaking": f"{CONDITIONED} × how far rounding-sized shakes move the float64 oracle",
    "others": f"{MEASURED} × the error of the best other backend",
    "optimizer": "rounding of Adam's bias correction",
    "spread": f"where {1 - FALSE_ALARM:.2%} of trainings end that rounding perturbs",
}


def relative_error(values, exact, each=False, beside=0.0, lost=0.0):
    """Largest absolute error over the largest exact value; infinite where only one is finite.

    Args:
        values: array.
        exact: array of the same shape.
        each: measure each error against its own exact value instead, where that is not lost in
            the rounding of the largest.
        beside: a larger value of the same kind elsewhere in the model, or 0; it is the measure
            where the exact values are lost in its rounding.
        lost: the share of ``beside`` that counts as lost.
    """
    exact = np.asarray(exact, np.float64)
    if exact.size == 0:
        return 0.0
    largest = float(np.max(np.abs(exact)))
    largest = (beside if largest <= lost * beside else largest) or 1.0
    scale = np.maximum(np.abs(exact), UNIT_ROUNDOFF * largest) if each else largest
    error = float(np.max(np.abs(np.asarray(values, np.float64) - exact) / scale))
    return error if math.isfinite(error) else math.inf


def bounds(error, terms, moved, optimizer=0.0, roundoff=UNIT_ROUNDOFF):
    """The error that each backend may have at one place, and what that comes from.

    Args:
        error: dict of backend to error there.
        terms: how many terms went into the values.
        moved: how far the oracle moved when it was shaken.
        optimizer: what the optimizer's constants in float32 may put the values off by.
        roundoff: unit roundoff of the numbers; what the oracle moved is scaled to it.

    Returns:
        (dict of backend to bound, dict of backend to a key of `SOURCES`).
    """
    allowed, sources = {}, {}
    for backend in error:
        others = [error[other] for other in error if other != backend]
        amounts = {
            "counting": REASONED * roundoff * math.sqrt(terms),
            "shaking": CONDITIONED * moved * roundoff / UNIT_ROUNDOFF,
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
    allowed = quantile * deviation * math.sqrt(1 + 1 / len(runs)) / mean
    return mean, max(allowed, LEAST_SPREAD)


def terms_forward(stages):
    """Terms that go into a model's output: the fan-in of all its layers."""
    return sum(entry["terms"] for entry in stages["training forward"])


def terms_of_a_step(stages):
    """Terms that go into a gradient: forward, back to the inputs, and back to the weights."""
    return 3 * terms_forward(stages)
