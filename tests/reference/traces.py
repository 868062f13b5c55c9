"""Traces of random values, for tests of the comparison."""

import numpy as np

from ae_multi.parity.sampling import reduce_trace
from ae_multi.parity.stages import STAGES
from ae_multi.parity.trace import Trace
from ae_multi.parity.trace_file import TraceFile

RNG = np.random.default_rng(0)
# Stages of each trace; "training", "plans" and "float64" compare further traces.
COMPARED = [stage for stage in STAGES if stage not in ("training", "plans", "float64")]
BITWISE = ("start", "order", "noise")
EXACT = {stage: RNG.normal(size=(2, 6)) for stage in COMPARED}


def trace(dtype, change=None, first=1):
    """Return a trace with two entries per stage, rounded to ``dtype``.

    ``change`` maps a stage to a factor for its entries from number ``first`` on.
    """
    stages = {}
    for stage, values in EXACT.items():
        factor = (change or {}).get(stage, 1.0)
        stages[stage] = [
            {
                "name": f"entry {place}",
                "layer": "Dense",
                "terms": 4,
                "values": (row * (factor if place >= first else 1.0)).astype(dtype),
            }
            for place, row in enumerate(values)
        ]
    return Trace({"model": "m", "data": "d", "seed": 0, "not_comparable": []}, stages)


def training(error, losses=(0.5, 0.25)):
    """Return the entries of the stage "training", of losses and a test error."""
    common = {"layer": "", "terms": 0}
    return [
        {"name": "losses", "values": np.array(losses), **common},
        {"name": "test error after 3 epochs", "values": np.asarray(error), **common},
    ]


def recorded(backend, change=None, reference=True, **about):
    """Return a `TraceFile` of random values, as if recorded on ``backend``."""
    described = {"backend": backend, "steps": 2, "batch_size": 32, "weights": None, **about}
    float32, oracle = trace(np.float32, change), trace(np.float64)
    float32.about.update(described)
    oracle.about.update(described)
    return TraceFile("m:net", reduce_trace(float32), reduce_trace(oracle) if reference else None)
