"""Distance of float32 trainings from float64 at each step, for the figure of a check."""

from collections.abc import Mapping, Sequence

import numpy as np

from ae_multi.parity.trace import Trace

FAULT = "planted fault"
ULP_PERTURBED = "perturbed by rounding"


def curves(
    traces: Mapping[str, Trace],
    oracle: Trace,
    ulp_perturbed: Sequence[Trace],
    injected: Trace | None,
) -> dict[str, dict[str, list[float]]]:
    """Return the relative difference of each step's loss from the oracle's loss.

    Args:
        traces: dict of backend to float32 trace.
        oracle: the float64 trace.
        ulp_perturbed: traces of trainings that are perturbed by rounding.
        injected: trace of trainings with a learning rate that is 0.1 % too large, or None.

    Returns:
        Dict of stage ("epoch", "training") to a dict of run to one number per step.
    """
    runs = {
        **traces,
        **{f"{ULP_PERTURBED}, {run}": trace for run, trace in enumerate(ulp_perturbed, 1)},
        **({} if injected is None else {FAULT: injected}),
    }
    result: dict[str, dict[str, list[float]]] = {}
    for stage in ("epoch", "training"):
        if stage in oracle.stages:
            exact = _losses(oracle, stage)
            result[stage] = {
                name: _distance(_losses(trace, stage), exact)
                for name, trace in runs.items()
                if stage in trace.stages
            }
    return result


def _distance(losses: np.ndarray, exact: np.ndarray) -> list[float]:
    scale = np.abs(exact)
    # The error of a loss of 0 is relative to the largest loss.
    scale = np.where(scale > 0, scale, np.max(scale, initial=0.0) or 1.0)
    # Three digits suffice for a figure and keep the report small.
    return [float(f"{gap:.2e}") for gap in np.abs(losses - exact) / scale]


def _losses(trace: Trace, stage: str) -> np.ndarray:
    values = trace.values(stage)
    if stage == "training":
        return np.asarray(values[0], np.float64)
    return np.array([v for v in values if not np.shape(v)], np.float64)
