"""Cost of a sample in training against the number of samples; a part of ``nox -s scaling``.

Measurements that are minutes apart differ by more than the effect of the size. Therefore one
process holds arrays of all sizes, and runs of steps on each are timed in turns. The order of the
samples, which an epoch needs besides its steps, is timed separately, and so is the transfer to the
device, which happens once in a training.
"""

import time
from functools import partial

import numpy as np
from rich.table import Table

BATCH = 128
SIZES = (60_000, 1_000_000, 10_000_000)
# Steps in a run, and runs of each size.
_STEPS, _TURNS = 400, 9


def numbers(samples: int) -> np.ndarray:
    """Return random float32 values of shape (samples, 32), small so that many fit into memory."""
    return np.random.default_rng(0).random((samples, 32), np.float32)


def measure(sizes=SIZES, turns=_TURNS):
    """Measure the cost of a sample at each size on the backend of this process.

    Args:
        sizes: numbers of samples.
        turns: runs of each size.

    Returns:
        Dict of the environment, the ``plan``, ``batch_size`` and ``costs``: a list of dicts of
        ``samples``, and of ``to_the_device``, ``order`` and ``steps`` in nanoseconds per sample.
    """
    from ae_multi import backends
    from ae_multi.data.arrays import as_data, first, to_device
    from ae_multi.data.batches import BatchOrder
    from ae_multi.environment import describe_backend
    from benchmarks.contenders import chosen, seconds
    from benchmarks.networks import network

    samples = numbers(max(sizes))
    plan = chosen(network("deep", samples.shape[1:], 1), samples[: min(sizes)], BATCH)
    costs, runs = [], []
    for size in sizes:
        x, model = samples[:size], network("deep", samples.shape[1:], 1)
        data = as_data(x, x)
        model._symbolic_build(data_batch=first(data, BATCH))
        begin = time.perf_counter()
        device_data = to_device(data)
        placed = time.perf_counter()
        order, _ = BatchOrder(size, BATCH, 0).epoch(0)
        ordered = time.perf_counter()
        steps = backends.current().Steps(model, device_data, plan.name, True, BATCH, _STEPS)
        steps.run(order[:_STEPS])  # completes the compilation
        runs.append((steps, order, []))
        costs.append(
            {
                "samples": size,
                "to_the_device": (placed - begin) / size * 1e9,
                "order": (ordered - placed) / size * 1e9,
            }
        )
    for turn in range(turns):
        for steps, order, times in runs:
            # Other samples each time, so that the result does not depend on their addresses.
            start = turn * max(0, len(order) - _STEPS) // turns
            rows = order[start : start + _STEPS]
            times.append(seconds(partial(steps.run, rows)) / rows.size * 1e9)
    for cost, (_, _, times) in zip(costs, runs, strict=True):
        cost["steps"] = float(np.median(times))
    return {**describe_backend(), "plan": plan.name, "batch_size": BATCH, "costs": costs}


def lines(recorded):
    """Yield a row of the table for each backend, a tuple of strings.

    A row has the plan, the nanoseconds per sample at each size with their ratio to those of the
    smallest size, and the nanoseconds per sample of the transfer to the device.
    """
    for result in recorded:
        totals = [cost["steps"] + cost["order"] for cost in result["costs"]]
        cells = [f"{ns:,.0f} ({ns / totals[0]:.2f} ×)" for ns in totals[1:]]
        once = result["costs"][-1]["to_the_device"]
        yield result["backend"], result["plan"], f"{totals[0]:,.0f}", *cells, f"{once:,.0f}"


def table(recorded):
    """Return a table with a row for each backend."""
    title = "Training, nanoseconds per sample"
    result = Table("backend", "plan", title=title, title_justify="left")
    for size in (cost["samples"] for cost in recorded[0]["costs"]):
        result.add_column(f"{size:,} samples", justify="right")
    result.add_column("once, to the device", justify="right")
    for cells in lines(recorded):
        result.add_row(*cells)
    return result
