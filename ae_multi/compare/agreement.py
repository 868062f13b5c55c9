"""Whether results of several backends agree, and by how much they differ."""

import math
from itertools import combinations

import numpy as np

from ae_multi.parity.bounds import prediction_interval

# Rounding of single values vanishes in a mean over 100,000 squares. What is left is what all
# weights share: Adam's bias correction, which float32 puts off by about 3e-5 / t of step t, or
# 1e-6 of the way in twenty steps (docs/agreement.md). Measured gaps are below 1e-7.
FIRST_STEPS_BOUND = 2e-6


def agreement(results):
    """Compare the results of one model on several backends or by several plans.

    A long training amplifies rounding, so that a fixed tolerance for its end would be right for
    no model. The final test MSE of each result has to lie where one more of the repetitions that
    were perturbed by rounding would lie, see `ae_multi.parity.bounds.prediction_interval`.

    Args:
        results: list of dicts as `ae_multi.compare.worker` emits them, each with its ``backend``.
            One of them holds ``perturbed_test_mse`` of the repetitions, where there are any.

    Returns:
        Dict of plain values: ``verdict`` ("agree", "differ", or "one backend" where there is
        nothing to compare), ``reasons`` (why they part; empty otherwise), each criterion's
        largest difference and its bound. Differences are relative; that of the test MSE is from
        the mean of the repetitions, or between any two results where there are none.
    """
    hashes = {result["initial_weights_sha256"] for result in results}
    first, first_step = _first_steps(results)
    mses = [result["test_mse"] for result in results]
    spread, bound = _spread(results)
    final = _gap(mses)
    if bound is not None and math.isfinite(final):
        final = max(abs(mse - spread["mean"]) / spread["mean"] for mse in mses)
    reasons = []
    if len(hashes) > 1:
        reasons.append("the initial weights differ")
    if not first <= FIRST_STEPS_BOUND:
        reasons.append(
            f"the loss differs by {first:.1e} at step {first_step}, beyond {FIRST_STEPS_BOUND:.0e}"
        )
    if not math.isfinite(final):
        reasons.append("a test MSE is not finite")
    elif bound is not None and not final <= bound:
        reasons.append(f"the final test MSE differs by {final:.1e}, beyond {bound:.1e}")
    return {
        "verdict": "one backend" if len(results) < 2 else "differ" if reasons else "agree",
        "reasons": reasons if len(results) > 1 else [],
        "initial_weights_identical": len(hashes) == 1,
        "first_losses_steps": len(results[0]["first_losses"]),
        "first_losses_difference": first,
        "first_losses_bound": FIRST_STEPS_BOUND,
        "test_mse_difference": final,
        "test_mse_bound": bound,
        "spread": spread,
    }


def relative_difference(a, b):
    """The absolute difference over the larger magnitude; infinite if either is not finite."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


def _gap(values):
    """The largest relative difference between any two of ``values``."""
    if not all(map(math.isfinite, values)):
        return math.inf
    return max((relative_difference(a, b) for a, b in combinations(values, 2)), default=0.0)


def _first_steps(results):
    """(largest gap between losses of one step, that step's number from 1)."""
    gaps = [_gap(losses) for losses in zip(*(r["first_losses"] for r in results), strict=True)]
    return max(((gap, step) for step, gap in enumerate(gaps, 1)), default=(0.0, 0))


def _spread(results):
    """(how the perturbed repetitions ended, the bound that follows); None where there are none."""
    for result in results:
        mses = result["perturbed_test_mse"]
        if not mses:
            continue
        spread = {"backend": result["backend"], "plan": result["plan"], "runs": len(mses)}
        if not all(map(math.isfinite, mses)):
            return {**spread, "mean": math.nan, "deviation": math.nan}, None
        mean, bound = prediction_interval(mses)
        deviation = float(np.std(mses, ddof=1)) / mean
        return {**spread, "mean": mean, "deviation": deviation}, bound
    return None, None
