"""Training throughput against batch size, width, samples and threads: ``nox -s scaling``.

    batch     samples per step, 16 to 65,536; MNIST, DeepAutoencoder
    width     width of the hidden layers, x1 to x16; MNIST, batches of 128
    samples   1,000 to 10 million samples of 32 numbers, batches of 128
    threads   one processor core and all of them; MNIST, batches of 128

Every point is a separate process that times the hand-written loop, this package and Keras's `fit`
in turns. To limit the time, an epoch has about as many samples as the slowest contender trains in a
few seconds, and Keras's `fit` does not run on 10 million samples. The axis "samples" includes the
cost of one sample, measured for all sizes in one process: `benchmarks.data_scaling`. Points that
the file of ``--json`` already holds are not measured again.
"""

import argparse
import os
import sys
from pathlib import Path

from rich.table import Table

from ae_multi.backend_selection import BACKENDS
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks import data_scaling
from benchmarks.command import add_run_options, check_paths, recorded_before
from benchmarks.processes import run

AXES = {
    "batch": (16, 64, 256, 1_024, 8_192, 65_536),
    "width": (1, 4, 16),
    "samples": (1_000, 60_000, 1_000_000, 10_000_000),
    "threads": (1, os.cpu_count()),
}
# From this number of samples on, one epoch is long enough to be timed. With more samples, an epoch
# of Keras's `fit` takes minutes.
_LONG_EPOCH = 1_000_000


def main(arguments=None):
    """Measure every point and print a table; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("scaling", lambda: _measure_all(options))


def _measure_all(options):
    check_names("--axes", options.axes, AXES)
    check_paths(options.json, options.figure)
    interpreters = interpreters_of(options)
    recorded = {
        "machine": describe_machine(),
        "points": recorded_before(options.json, "points"),
        "growth": recorded_before(options.json, "growth", missing=[]),
    }
    done = {(each["axis"], each["value"], each["backend"]) for each in recorded["points"]}
    with console(stderr=True).status("starting") as status:
        for axis in options.axes:
            for value in AXES[axis]:
                for backend in interpreters.available()[0]:
                    if (axis, value, backend) in done:
                        continue
                    status.update(f"{axis} {value:,}: {backend}")
                    job = {"axis": axis, "value": value, "quick": options.quick}
                    cores = list(range(value)) if axis == "threads" else None
                    python = interpreters.python(backend)
                    result = run(python, backend, "scaling", job, options.device, cores)
                    recorded["points"].append({"axis": axis, "value": value, **result})
                    recorded["points"].sort(key=_position)
                    if options.json:
                        write_json(options.json, recorded)
        known = {each["backend"] for each in recorded["growth"]}
        for backend in interpreters.available()[0] if "samples" in options.axes else ():
            if backend in known:
                continue
            status.update(f"cost of a sample: {backend}")
            job = {"sizes": [1_000, 10_000], "turns": 2} if options.quick else {}
            python = interpreters.python(backend)
            recorded["growth"].append(run(python, backend, "data_scaling", job, options.device))
            if options.json:
                write_json(options.json, recorded)
    console().print(table(recorded["points"]))
    if recorded["growth"]:
        console().print(data_scaling.table(recorded["growth"]))
    if options.figure:
        from benchmarks.figures import draw_scaling

        draw_scaling(recorded, options.figure)
    return 0


def _position(point):
    return list(AXES).index(point["axis"]), point["value"], BACKENDS.index(point["backend"])


def measure(axis, value, quick):
    """Measure the samples per second of each contender at one point.

    Args:
        axis: a key of `AXES`.
        value: a value of that axis.
        quick: whether to use about ten batches only.

    Returns:
        Dict of the environment, the job and ``samples_per_second``, a dict of contender to rate.
    """
    from ae_multi.environment import describe_backend
    from benchmarks.contenders import Contenders
    from benchmarks.networks import images, network

    batch_size, width, names = data_scaling.BATCH, 1, ["native", "ours", "keras.fit"]
    if axis == "samples":
        x = data_scaling.numbers(value)
        names = names[: 2 if value > _LONG_EPOCH else 3]
    else:
        batch_size = value if axis == "batch" else batch_size
        width = value if axis == "width" else width
        x, _ = images(_images_in_an_epoch(axis, value))
    if quick:
        x = x[: max(10 * batch_size, 1_000)]
    # In wider networks Adam amplifies rounding errors within fewer steps.
    contenders = Contenders(
        lambda: network("deep", x.shape[1:], width), x, batch_size, checked=10 if width == 1 else 2
    )
    return {
        **describe_backend(),
        "samples": len(x),
        "batch_size": batch_size,
        "width": width,
        "plan": contenders.plan.name,
        "why": contenders.plan.why,
        "samples_per_second": contenders.compare(
            names, repeats=1 if len(x) >= _LONG_EPOCH else 3, least=0.3
        ),
    }


def _images_in_an_epoch(axis, value):
    """Return a number of images with which no contender needs long; at least two batches."""
    if axis == "batch":
        return max(min(60_000, 400 * value), 2 * value)
    if axis == "width":
        return max(1_280, 60_000 // value**2)
    return 60_000


def table(points):
    """Return a table with a row for each point."""
    result = Table("", "", "backend", title="Training, samples per second", title_justify="left")
    for name in ("native", "ours", "keras.fit", "ours / native", "ours / keras.fit", "plan"):
        result.add_column(name, justify="right")
    for point in points:
        rates = point["samples_per_second"]
        result.add_row(
            point["axis"],
            f"{point['value']:,}",
            point["backend"],
            *(
                f"{rates[name]:,.0f}" if name in rates else ""
                for name in ("native", "ours", "keras.fit")
            ),
            *(
                f"{rates['ours'] / rates[name]:.2f}" if name in rates else ""
                for name in ("native", "keras.fit")
            ),
            point["plan"],
        )
    return result


def _parser():
    parser = argparse.ArgumentParser(prog="scaling", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read recorded points from this file and add the new ones")
    parser.add_argument(
        "--axes",
        type=comma_separated,
        default=tuple(AXES),
        metavar="NAMES",
        help=f"comma-separated axes: {', '.join(AXES)} (default: all)",
    )
    parser.add_argument("--quick", action="store_true", help="use ten batches only")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
