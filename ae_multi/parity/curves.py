"""How far trainings drift from float64, step by step: what the figure of a check shows."""

import numpy as np

FAULT = "planted fault"
ULP_PERTURBED = "perturbed by rounding"


def curves(traces, oracle, ulp_perturbed, injected):
    """Distance of each step's loss from the oracle's, relative to the loss.

    Args:
        traces: dict of backend to float32 `Trace`.
        oracle: the float64 `Trace`.
        ulp_perturbed: list of `Trace` of trainings that are perturbed by rounding.
        injected: `Trace` of trainings with a learning rate that is a thousandth too large, or None.

    Returns:
        Dict of stage ("epoch", "training") to a dict of run to a list of numbers.
    """
    runs = {
        **traces,
        **{f"{ULP_PERTURBED}, {run}": trace for run, trace in enumerate(ulp_perturbed, 1)},
        **({} if injected is None else {FAULT: injected}),
    }
    found = {}
    for stage in ("epoch", "training"):
        if stage in oracle.stages:
            exact = _losses(oracle, stage)
            found[stage] = {
                name: _distance(_losses(trace, stage), exact)
                for name, trace in runs.items()
                if stage in trace.stages
            }
    return found


def _distance(losses, exact):
    # Three digits are plenty for a picture, and keep a report small.
    # Where a loss is 0, the largest is the measure.
    scale = np.abs(exact)
    scale = np.where(scale > 0, scale, np.max(scale, initial=0.0) or 1.0)
    return [float(f"{gap:.2e}") for gap in np.abs(losses - exact) / scale]


def _losses(trace, stage):
    values = trace.values(stage)
    if stage == "training":
        return np.asarray(values[0], np.float64)
    return np.array([v for v in values if not np.shape(v)], np.float64)
