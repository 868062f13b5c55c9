"""Time of one training step with each plan and in hand-written loops: ``nox -s steps``.

This is the benchmark that needs a GPU for the shortest time. Data and weights are on the device and
everything is compiled before a run of steps is timed, from the call to the last loss in NumPy. The
plans and loops take turns. Work of a training between runs is not included; it is in
`benchmarks.throughput`.
"""

import argparse
import statistics
import sys
import time
from functools import partial

import numpy as np
from rich.table import Table

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated
from ae_multi.cli.status import status_of
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths, measure_models
from benchmarks.networks import NAMES

BATCH = 128
_STEPS = 468  # steps in a run: the full batches of MNIST's training images
_MAX_SECONDS = 1.0  # maximum seconds of a run; slow steps make shorter runs


def main(arguments=None):
    """Measure every backend and print a table; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("steps", lambda: _measure_all(options))


def _measure_all(options):
    check_positive(steps=options.steps, repeats=options.repeats)
    check_names("--model", options.model, NAMES)
    check_paths(options.json)
    job = {name: getattr(options, name) for name in ("steps", "repeats")}
    recorded = measure_models(options, "steps", job)
    console().print(table(recorded))
    return 0


def measure(model, steps, repeats):
    """Measure the time of a training step on the backend of this process.

    Args:
        model: a name of `networks.NAMES`.
        steps: steps in a run.
        repeats: timed runs of each plan and loop.

    Returns:
        Dict of the environment, the job, and ``plans`` and ``by_hand``: name to dict of
        ``microseconds`` and ``seconds_to_build``, which includes compilation.
    """
    from ae_multi import backends
    from ae_multi.environment import describe_backend
    from benchmarks.contenders import native, ways
    from benchmarks.networks import images, network

    backend = backends.current()
    backend.full_precision()
    x, data = images(steps * BATCH)
    order = np.random.default_rng(0).permutation(len(x)).astype(np.int32).reshape(steps, BATCH)

    def by_plan(plan):
        ours = network(model, x.shape[1:])
        ours._symbolic_build(data_batch=(x[:BATCH], x[:BATCH], None))
        return backend.Steps(ours, backend.to_device((x, x, None)), plan, True, BATCH, steps).run

    def by_hand(way):
        return native(network(model, x.shape[1:]), x, way)

    builders = {("plans", name): by_plan for name in plans(network(model, x.shape[1:]))}
    builders |= {("by_hand", way): by_hand for way in ways(network(model, x.shape[1:]))}
    results, runs = {"plans": {}, "by_hand": {}}, {}
    for (kind, name), build in builders.items():
        begin = time.perf_counter()
        run_steps = build(name)
        run_steps(order[:1])
        built = time.perf_counter()
        run_steps(order[:1])
        once = time.perf_counter() - built
        some = order[: int(np.clip(_MAX_SECONDS / once, 1, steps))]
        run_steps(some)  # may compile again for this number of steps
        runs[kind, name] = partial(run_steps, some), len(some), []
        results[kind][name] = {"seconds_to_build": max(0.0, built - begin - once)}
    for _ in range(repeats):
        for run_steps, _, times in runs.values():
            begin = time.perf_counter()
            run_steps()
            times.append(time.perf_counter() - begin)
    for (kind, name), (_, count, times) in runs.items():
        results[kind][name]["microseconds"] = statistics.median(times) / count * 1e6
    return {
        **describe_backend(),
        "precision": "float32, TF32 off",
        "model": model,
        "data": data,
        "batch_size": BATCH,
        "steps": steps,
        "repeats": repeats,
        **results,
    }


def plans(model) -> list[str]:
    """Return the names of the plans that can be built here."""
    from ae_multi import backends

    known = backends.current().plans(model)
    return [name for name, seconds in known if seconds < float("inf")]


def lines(recorded):
    """Yield a row of the table for each plan and loop of each result, a tuple of strings."""
    for result in recorded["results"]:
        backend = f"{result['backend']} {result['versions'][result['backend']]}"
        for kind, what in (("plans", "plan"), ("by_hand", "by hand")):
            for name, measured in result[kind].items():
                built = measured.get("seconds_to_build")
                yield (
                    result["model"],
                    backend,
                    result["device"],
                    f"{what}: {name}",
                    f"{measured['microseconds']:,.0f}",
                    "" if built is None else f"{built:.1f}",
                )


def table(recorded):
    """Return a table with a row for each plan and each hand-written loop."""
    result = Table(
        "model",
        "backend",
        "device",
        "way",
        title="One training step",
        title_justify="left",
    )
    for name in ("µs per step", "s to build"):
        result.add_column(name, justify="right")
    for cells in lines(recorded):
        result.add_row(*cells)
    return result


def _parser():
    parser = argparse.ArgumentParser(prog="steps", description=__doc__.partition(":")[0])
    add_run_options(parser, "write the results as JSON")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=("deep",),
        metavar="NAMES",
        help=f"comma-separated models: {', '.join(NAMES)} (default: deep)",
    )
    parser.add_argument(
        "--steps", type=int, default=_STEPS, metavar="N", help=f"steps in a run (default: {_STEPS})"
    )
    parser.add_argument(
        "--repeats", type=int, default=7, metavar="N", help="number of timed runs (default: 7)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
