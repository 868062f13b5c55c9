"""Traces of random values, for tests of the comparison."""

import numpy as np

from ae_multi.parity.stages import STAGES
from ae_multi.parity.trace import Trace

RNG = np.random.default_rng(0)
# Stages of each trace; "training", "plans" and "float64" compare further traces.
COMPARED = [stage for stage in STAGES if stage not in ("training", "plans", "float64")]
BITWISE = ("start", "order", "noise")
EXACT = {stage: RNG.normal(size=(2, 6)) for stage in COMPARED}


def trace(dtype, change=None, first=1):
    """A trace of two entries a stage, rounded to ``dtype``.

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
    """Entries of the stage "training" that ends with a test error."""
    kept = {"layer": "", "terms": 0}
    return [
        {"name": "losses", "values": np.array(losses), **kept},
        {"name": "test error after 3 epochs", "values": np.asarray(error), **kept},
    ]
