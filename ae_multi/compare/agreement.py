"""Comparison of training results from several backends or plans."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ae_multi.parity.bounds import prediction_interval

# Rounding errors of single values average out over 100,000 squares. Errors that all weights share
# remain: float32 changes Adam's bias correction by about 1.5e-5 / t in step t, which is 6e-7 of the
# distance covered in steps 2 to 20 (docs/agreement.md). Measured differences are below 1e-7.
FIRST_STEPS_BOUND = 2e-6


def agreement(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Compare the results of one model on several backends or with several plans.

    A long training amplifies rounding errors, so no fixed tolerance for the final test MSE suits
    every model. The final test MSE of each result must lie within the prediction interval of the
    repetitions that are perturbed by rounding, see
    `ae_multi.parity.bounds.prediction_interval`.

    Args:
        results: dicts as emitted by `ae_multi.compare.worker`, each with its ``backend``. One of
            them contains the ``perturbed_test_mse`` of the repetitions, if there are any.

    Returns:
        JSON-serialisable dict: ``verdict`` ("agree", "differ", or "one backend" if there is
        nothing to compare), ``reasons`` (why they differ; empty if they agree), and the largest
        difference and the bound of each criterion. Differences are relative. The difference of
        the test MSE is taken from the mean of the repetitions, or between any two results if
        there are no repetitions.
    """
    hashes = {result["initial_weights_sha256"] for result in results}
    first, first_step = _first_steps(results)
    mses = [result["test_mse"] for result in results]
    spread, bound = _spread(results)
    final = _gap(mses)
    if spread is not None and bound is not None and math.isfinite(final):
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


def relative_difference(a: float, b: float) -> float:
    """Return |a - b| / max(|a|, |b|), or infinity if either number is not finite."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


def _gap(values: Sequence[float]) -> float:
    """Return the largest relative difference between any two of ``values``."""
    if not all(map(math.isfinite, values)):
        return math.inf
    return max((relative_difference(a, b) for a, b in combinations(values, 2)), default=0.0)


def _first_steps(results: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """Return (largest relative difference of a step's losses, number of that step from 1)."""
    gaps = [_gap(losses) for losses in zip(*(r["first_losses"] for r in results), strict=True)]
    return max(((gap, step) for step, gap in enumerate(gaps, 1)), default=(0.0, 0))


def _spread(
    results: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any] | None, float | None]:
    """Return (statistics of the repetitions' test MSEs, bound); None for each that is undefined."""
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
