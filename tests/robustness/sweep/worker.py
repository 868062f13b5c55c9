"""Child process of a sweep: one backend, one configuration after the other.

An error of one configuration does not affect the others.
"""

import json
import os
import sys
import traceback
import warnings
from pathlib import Path

# Functions of `ae_multi.parity.worker` and `model_builder`: the stage for error messages.
_STAGES = {
    "build": "building",
    "_layers": "forward",
    "_targets": "forward",
    "_gradients": "gradient",
    "step": "training",
}
_BACKENDS = ("jax", "torch", "tensorflow")


def main(job):
    """Record a trace of each configuration; print a line of JSON after each.

    Args:
        job: dict of the name of the trace, folder, places, seed, float64, and the number of
            perturbed runs.
    """
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    from ae_multi.parity.worker import record_traces

    for place in job["places"]:
        folder = Path(job["folder"]) / str(place)
        event = {"place": place}
        try:
            record_traces(_trace_job(folder, job), lambda _: None)
        except Exception as error:  # any error of a layer is a finding
            event |= {"doing": _stage(error), "error": _describe(error)}
        events.write(json.dumps(event) + "\n")
        events.flush()


def _trace_job(folder, job):
    from ae_multi.parity.job import TraceJob

    # The reference starts from the initial values of a backend. The backends draw theirs, which
    # the first stage compares.
    recorded = [path for name in _BACKENDS if (path := folder / f"{name}.npz").exists()]
    perturbed = [str(folder / f"perturbed-{run}.npz") for run in range(job["perturbed"])]
    return TraceJob(
        build=f"{folder / 'model.py'}:build",
        data={"file": str(folder / "data.npz")},
        folder=str(folder),
        programs=str(folder.with_name("programs")),
        trace=str(folder / f"{job['name']}.npz"),
        seed=job["seed"],
        steps=1,
        batch_size=10**6,
        float64=job["float64"],
        start=str(recorded[0]) if job["float64"] else None,
        perturbed=perturbed,
    ).to_dict()


def _stage(error):
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return next((_STAGES[name] for name in names if name in _STAGES), "recording")


def _describe(error):
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}"


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
