"""Whether results of several backends agree, and by how much they differ."""

import math
from itertools import combinations

# The loss of one step is a mean over 100,000 squares, each the end of a chain of float32 dot
# products of up to 784 terms. Rounding puts it within a few 1e-7 of the exact value, and twenty
# Adam steps from identical weights have not yet amplified that; measured gaps are 2e-7. An
# optimizer constant that is off by a thousandth shows at 1e-4.
FIRST_STEPS_BOUND = 1e-5

# A long Adam training is chaotic: it amplifies the last bit until results differ visibly. So
# final losses are held against what a one-ulp change of the initial weights does on one backend.
# Where a training is not chaotic that change dies out, and the rounding of every step is what is
# left: over 7,000 steps a random walk of √7000 · 2⁻²⁴ = 5e-6 of a weight. So the bound is never
# below that of the first steps.
SPREADS = 3


def agreement(results):
    """Compare the results of one model on several backends.

    Args:
        results: list of dicts as `ae_multi.parity.record` emits them, each with its ``backend``.
            Those that measured it hold ``one_ulp_test_mse``.

    Returns:
        Dict of plain values: ``verdict`` ("agree", "part", or "one backend" where there is
        nothing to compare), ``reasons`` (why they part; empty otherwise), each rung's largest
        difference and its bound. Differences are relative.
    """
    hashes = {result["initial_weights_sha256"] for result in results}
    first, first_step = _first_steps(results)
    final = _gap([result["test_mse"] for result in results])
    spread = _spread(results)
    bound = None if spread is None else max(SPREADS * spread["relative"], FIRST_STEPS_BOUND)
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
        "verdict": "one backend" if len(results) < 2 else "part" if reasons else "agree",
        "reasons": reasons if len(results) > 1 else [],
        "initial_weights_identical": len(hashes) == 1,
        "first_losses_steps": len(results[0]["first_losses"]),
        "first_losses_difference": first,
        "first_losses_bound": FIRST_STEPS_BOUND,
        "test_mse_difference": final,
        "test_mse_bound": bound,
        "one_ulp_spread": spread,
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
    """How far one-ulp changes move the final test MSE inside one backend, or None."""
    for result in results:
        if result["one_ulp_test_mse"]:
            mses = [result["test_mse"], *result["one_ulp_test_mse"]]
            return {
                "backend": result["backend"],
                "runs": len(result["one_ulp_test_mse"]),
                "relative": _gap(mses),
            }
    return None
