"""Speed of training, encoding and reconstructing on each backend, compared with Keras.

``nox -s bench``; ``nox -s bench -- --help`` lists the options. Each backend first checks that all
contenders compute the same losses from the same initial weights, then times them in turns: in
training (`benchmarks.contenders`), and on complete arrays:

    encode, reconstruct, evaluate     of an `Autoencoder`, all images
    keras.predict, keras.evaluate     of the plain Keras model, batches of 1,024
    keras.predict as it comes         the same with the default batches of 32

Then the cold start of each contender is measured in a separate process (`benchmarks.cold_start`),
and peers train a network of the same sizes (`benchmarks.peers`).
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths
from benchmarks.networks import NAMES
from benchmarks.peer import NAMES as PEERS
from benchmarks.processes import run

# Images in an epoch; convolutions take a hundred times as long.
SAMPLES = {"conv": 6_400}
TRAINING = ("native", "ours", "keras.fit")
WHOLE = (
    "encode", "reconstruct", "keras.predict", "keras.predict as it comes", "evaluate",
    "keras.evaluate",
)  # fmt: skip
# Column headers that differ from the keys of the recorded rates.
_HEADERS = {"keras.predict as it comes": "keras.predict, batches of 32"}
_FEW = 5  # `predict` with small batches is slow; it runs on a fifth of the images


def main(arguments=None):
    """Measure every backend and print tables; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("bench", lambda: _measure_all(options))


def _measure_all(options):
    check_positive(batch_size=options.batch_size, repeats=options.repeats)
    check_names("--model", options.model, NAMES)
    check_paths(options.json, options.figure)
    interpreters = interpreters_of(options)
    repeats = 2 if options.quick else options.repeats
    recorded = {"machine": describe_machine(), "results": [], "peers": []}
    with console(stderr=True).status("starting") as status:
        for backend in interpreters.available()[0]:
            for model in options.model:
                job = {"model": model, "batch_size": options.batch_size}
                job["samples"] = 6_400 if options.quick else samples_of(model, options.device)

                def measured(module, backend=backend, job=job, **more):
                    python = interpreters.python(backend)
                    return run(python, backend, module, {**job, **more}, options.device)

                status.update(f"{backend}: {model}")
                result = measured("throughput", repeats=repeats)
                result |= {"date": recorded["machine"]["date"], "first": {}}
                for contender in TRAINING:
                    status.update(f"{backend}: {model}, cold start of {contender}")
                    result["first"][contender] = measured("cold_start", contender=contender)
                recorded["results"].append(result)
                if options.json:
                    write_json(options.json, recorded)
        for peer in PEERS if options.peers else ():
            for model in (name for name in options.model if name != "conv"):
                status.update(f"{peer}: {model}")
                job = {"peer": peer, "model": model, "batch_size": options.batch_size}
                job["samples"] = 6_400 if options.quick else None
                result = run(options.peers, "torch", "peer", job, "cpu")
                if result is not None:
                    recorded["peers"].append({**job, **result})
    out = console()
    for table in tables(recorded):
        out.print(table)
    if options.json:
        write_json(options.json, recorded)
    if options.figure:
        from benchmarks.figures import draw_throughput

        draw_throughput(recorded, options.figure)
    return 0


def samples_of(model: str, device: str | None) -> int | None:
    """Return the number of training images for a model, or None for all."""
    return None if device == "gpu" else SAMPLES.get(model)


def measure(model, batch_size, samples, repeats):
    """Measure the samples per second of each contender on the backend of this process.

    Args:
        model: a name of `networks.NAMES`.
        batch_size: samples per step.
        samples: number of images, or None for all.
        repeats: number of turns.

    Returns:
        Dict of the environment, the job, the ``plan``, ``samples_per_second`` (dict of a name of
        `TRAINING` or `WHOLE` to rate) and ``limits``, see `benchmarks.limits`.
    """
    from ae_multi.environment import describe_backend
    from benchmarks.contenders import Contenders, seconds
    from benchmarks.limits import limits
    from benchmarks.networks import images, network

    x, data = images(samples)
    contenders = Contenders(lambda: network(model, x.shape[1:]), x, batch_size)
    rates = contenders.compare(TRAINING, repeats)
    ours, theirs = contenders.ours, contenders.theirs
    few = x[: len(x) // _FEW]
    jobs = {
        "encode": (ours.encode, x),
        "reconstruct": (ours.reconstruct, x),
        "keras.predict": (lambda x: theirs.predict(x, batch_size=1024, verbose=0), x),
        "keras.predict as it comes": (lambda x: theirs.predict(x, verbose=0), few),
        "evaluate": (lambda x: ours.evaluate(x, batch_size=1024, verbose=0), x),
        "keras.evaluate": (lambda x: theirs.evaluate(x, x, batch_size=1024, verbose=0), x),
    }
    for job, data_of_job in jobs.values():
        job(data_of_job)  # compiles and fills caches
    times = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, (job, data_of_job) in jobs.items():
            times[name].append(seconds(partial(job, data_of_job)))
    rates |= {name: len(jobs[name][1]) / statistics.median(each) for name, each in times.items()}
    return {
        **describe_backend(),
        "precision": "float32, TF32 off",
        "model": model,
        "data": data,
        "samples": len(x),
        "batch_size": batch_size,
        "repeats": repeats,
        "native_way": contenders.way,
        "plan": {"name": contenders.plan.name, "why": contenders.plan.why},
        "samples_per_second": rates,
        "limits": limits(ours, batch_size),
    }


def tables(recorded):
    """Yield the tables: training, complete arrays, cold start, and peers if measured."""
    results = recorded["results"]
    yield _table(
        "Training, samples per second",
        results,
        {
            **{name: rate(name) for name in TRAINING},
            "ours / native": ratio("ours", "native"),
            "ours / keras.fit": ratio("ours", "keras.fit"),
            "limit": lambda r: f"{r['limits']['training']['samples_per_second']:,.0f}",
            "plan": lambda r: r["plan"]["name"],
        },
    )
    yield _table(
        "Complete arrays, samples per second",
        results,
        {
            **{_HEADERS.get(name, name): rate(name) for name in WHOLE},
            "reconstruct / predict": ratio("reconstruct", "keras.predict"),
            "/ batches of 32": ratio("reconstruct", "keras.predict as it comes"),
            "evaluate / Keras's": ratio("evaluate", "keras.evaluate"),
            "limit of reconstruct": lambda r: (
                f"{r['limits']['reconstruct']['samples_per_second']:,.0f}"
            ),
        },
    )
    yield _table(
        "Cold start, compilation included; memory of one epoch",
        results,
        {
            "import s": lambda r: f"{r['first']['ours']['import_seconds']:.1f}",
            "ours, 1 epoch s": first("ours", "first_epoch"),
            "native, 1 epoch s": first("native", "first_epoch"),
            "Keras, 1 epoch s": first("keras.fit", "first_epoch"),
            "Keras, 2 epochs s": first("keras.fit", "two_epochs"),
            "data MiB": lambda r: f"{r['first']['ours']['data_bytes'] / 2**20:,.0f}",
            **{
                f"{name} MiB": lambda r, name=name: f"{r['first'][name]['peak_bytes'] / 2**20:,.0f}"
                for name in TRAINING
            },
        },
    )
    if recorded["peers"]:
        yield peers_table(recorded)


def peers_table(recorded):
    """Return a table of the training of each peer and the speedup of each backend over it."""
    backends = list(dict.fromkeys(result["backend"] for result in recorded["results"]))
    table = Table("model", "peer", title="Peers, samples per second", title_justify="left")
    for name in ("samples/s", *(f"ours on {backend}" for backend in backends)):
        table.add_column(name, justify="right")
    for peer, multiples in beside_peers(recorded):
        table.add_row(
            peer["model"],
            f"{peer['peer']} {peer['version']}",
            f"{peer['samples_per_second']:,.0f}",
            *(f"{multiples[backend]:.2f} x" for backend in backends),
        )
    return table


def beside_peers(recorded):
    """Yield (peer, dict of backend to the speedup of this package over the peer)."""
    for peer in recorded["peers"]:
        yield (
            peer,
            {
                result["backend"]: result["samples_per_second"]["ours"] / peer["samples_per_second"]
                for result in recorded["results"]
                if result["model"] == peer["model"]
            },
        )


def _table(title, results, columns):
    table = Table("model", "backend", "device", title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(
            result["model"],
            f"{result['backend']} {result['versions'][result['backend']]}",
            result["device"],
            *(value(result) for value in columns.values()),
        )
    return table


def rate(name: str) -> Callable[[dict[str, Any]], str]:
    """Return a function that formats the samples per second of the job ``name`` of a result."""
    return lambda result: f"{result['samples_per_second'][name]:,.0f}"


def ratio(one: str, other: str) -> Callable[[dict[str, Any]], str]:
    """Return a function that formats the speed of the job ``one`` relative to the job ``other``."""

    def formatted(result):
        rates = result["samples_per_second"]
        return f"{rates[one] / rates[other]:.2f}"

    return formatted


def first(contender: str, what: str) -> Callable[[dict[str, Any]], str]:
    """Return a function that formats the seconds ``what`` of the cold start of a contender."""
    return lambda result: f"{result['first'][contender][what]:.1f}"


def _parser():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.partition("\n")[0])
    add_run_options(parser, "write the results as JSON")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=NAMES,
        metavar="NAMES",
        help=f"comma-separated models: {', '.join(NAMES)} (default: all)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=128, metavar="N", help="samples per batch (default: 128)"
    )
    parser.add_argument(
        "--repeats", type=int, default=5, metavar="N", help="number of timed turns (default: 5)"
    )
    parser.add_argument("--quick", action="store_true", help="use 6,400 images and two turns")
    parser.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="also time peers, with this interpreter"
    )
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
