"""What a sample costs in training, however many there are; a part of ``nox -s scaling``.

Measurements that are minutes apart differ by more than what is asked here. So one process has
arrays of all sizes, and runs of steps on each are timed in turns. What an epoch needs besides its
steps, the order of its samples, is timed apart, and so is the way to the device, which is gone
once in a training.
"""

import time
from functools import partial

import numpy as np
from rich.table import Table

BATCH = 128
SIZES = (60_000, 1_000_000, 10_000_000)
# Steps in a run, and how often each size has its turn.
_STEPS, _TURNS = 400, 9


def numbers(samples):
    """Rows of 32 numbers: small, so that many fit into memory."""
    return np.random.default_rng(0).random((samples, 32), np.float32)


def measure(sizes=SIZES, turns=_TURNS):
    """Nanoseconds a sample at each size on this process's backend; see `lines`."""
    from ae_multi import backends
    from ae_multi.data.arrays import as_data, first, to_device
    from ae_multi.environment import describe_backend
    from ae_multi.training.loop import BatchOrder
    from benchmarks.contenders import chosen, seconds
    from benchmarks.networks import network

    whole = numbers(max(sizes))
    plan = chosen(network("deep", whole.shape[1:], 1), whole[: min(sizes)], BATCH)
    costs, runs = [], []
    for size in sizes:
        x, model = whole[:size], network("deep", whole.shape[1:], 1)
        data = as_data(x, x)
        model._symbolic_build(data_batch=first(data, BATCH))
        begin = time.perf_counter()
        device_data = to_device(data)
        placed = time.perf_counter()
        order, _ = BatchOrder(size, BATCH, 0).epoch(0)
        ordered = time.perf_counter()
        steps = backends.current().Steps(model, device_data, plan.name, True, BATCH, _STEPS)
        steps.run(order[:_STEPS])  # compiles what is left to be compiled
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
            # Another part of the order each time: where a sample lies must not matter.
            place = turn * max(0, len(order) - _STEPS) // turns
            rows = order[place : place + _STEPS]
            times.append(seconds(partial(steps.run, rows)) / rows.size * 1e9)
    for cost, (_, _, times) in zip(costs, runs, strict=True):
        cost["steps"] = float(np.median(times))
    return {**describe_backend(), "plan": plan.name, "batch_size": BATCH, "costs": costs}


def lines(recorded):
    """For each backend its plan, and at each size the nanoseconds a sample and how they grew."""
    for found in recorded:
        whole = [cost["steps"] + cost["order"] for cost in found["costs"]]
        cells = [f"{ns:,.0f} ({ns / whole[0]:.2f} ×)" for ns in whole[1:]]
        once = found["costs"][-1]["to_the_device"]
        yield found["backend"], found["plan"], f"{whole[0]:,.0f}", *cells, f"{once:,.0f}"


def table(recorded):
    """A row for each backend."""
    made = Table("backend", "plan", title="Training, nanoseconds a sample", title_justify="left")
    for size in (cost["samples"] for cost in recorded[0]["costs"]):
        made.add_column(f"{size:,} samples", justify="right")
    made.add_column("once, to the device", justify="right")
    for line in lines(recorded):
        made.add_row(*line)
    return made
