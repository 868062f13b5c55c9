"""Time the whole call of `fit`, compilation included: ``nox -s fit_time``.

A training is timed from the call of `fit` to its return, in a process of its own. The first process
starts with empty caches, the second with the caches that the first one left. Both are compared
with every single plan, each with caches of its own, with the loop written by hand and with Keras's
`fit`. Short trainings are timed three times, and the shortest counts.
"""

import argparse
import sys
import tempfile

from rich.table import Table

from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from ae_multi.validation import check_positive
from benchmarks.command import add_run_options, check_paths, recorded_before
from benchmarks.networks import NAMES
from benchmarks.processes import run

BATCH_SIZE = 128
EPOCHS = (1, 6, 12, 50)
COMPARED = ("native", "keras.fit")
# A training that takes less than so many seconds is timed so many times; the shortest counts.
SHORT, REPEATS = 6.0, 3


def measure(model, epochs, contender="ours", plan=None, samples=None):
    """Time one training on this process's backend.

    Args:
        model: a name among `networks.NAMES`.
        epochs: passes over the data.
        contender: "ours", "native" (the first way of the loop by hand) or "keras.fit".
        plan: the plan of "ours", or None for the choice that `fit` makes.
        samples: number of images, or None for all.

    Returns:
        Dict of ``seconds`` of the whole call, the ``plan`` that ran, or None, and ``plans``, the
        names of all plans that can be built here.
    """
    from ae_multi import backends
    from ae_multi.environment import describe_backend
    from benchmarks.cold_start import train_by_hand
    from benchmarks.contenders import plain, seconds
    from benchmarks.networks import images, network
    from benchmarks.steps import plans

    backends.current().full_precision()
    x, data = images(samples)
    made = network(model, x.shape[1:])
    fitting = {"epochs": epochs, "batch_size": BATCH_SIZE, "verbose": 0}
    if contender == "native":
        taken = seconds(lambda: train_by_hand(made, x, BATCH_SIZE, epochs))
    elif contender == "keras.fit":
        other = plain(made)
        taken = seconds(lambda: other.fit(x, x, **fitting))
    else:
        taken = seconds(lambda: made.fit(x, plan=plan, **fitting))
    ran = made.history.plan.name if contender == "ours" else None
    return {**describe_backend(), "data": data, "seconds": taken, "plan": ran, "plans": plans(made)}


def compare(start, model, epochs, samples=None):
    """Time one training in every way.

    Args:
        start: function that runs `measure` with the keywords of a job in a new process whose
            caches are in the folder that it is given as well.
        model: a name among `networks.NAMES`.
        epochs: passes over the data.
        samples: number of images, or None for all.

    Returns:
        Dict of plain values: ``first`` and ``second`` (dicts of ``seconds`` and ``plan``),
        ``plans`` (plan to dict of ``first`` and ``second`` seconds), seconds of each of
        `COMPARED`, and what ran where.
    """
    job = {"model": model, "epochs": epochs, "samples": samples}
    chosen = _twice(start, job)
    names = chosen[0].pop("plans")
    by_plan = {name: _twice(start, {**job, "plan": name}) for name in names}
    result = {name: chosen[0][name] for name in ("backend", "device", "versions", "data")}
    return {
        **result,
        "model": model,
        "epochs": epochs,
        **{
            which: {name: measured[name] for name in ("seconds", "plan")}
            for which, measured in zip(("first", "second"), chosen, strict=True)
        },
        "plans": {
            name: {"first": first["seconds"], "second": second["seconds"]}
            for name, (first, second) in by_plan.items()
        },
        **{name: _once(start, {**job, "contender": name})["seconds"] for name in COMPARED},
    }


def _twice(start, job):
    """What two processes one after another measure with the same caches."""
    return _best(start, job, 2)


def _once(start, job):
    return _best(start, job, 1)[0]


def _best(start, job, processes):
    """The shortest of up to `REPEATS` runs, which begin with empty caches, for each process."""
    runs = []
    while len(runs) < REPEATS and all(run[0]["seconds"] < SHORT for run in runs):
        with tempfile.TemporaryDirectory() as caches:
            runs.append([start(job, caches) for _ in range(processes)])
    return [min(ran, key=lambda result: result["seconds"]) for ran in zip(*runs, strict=True)]


def ratios(result):
    """Seconds of the first and the second process over those of the best single plan."""
    return tuple(
        result[which]["seconds"] / min(seconds[which] for seconds in result["plans"].values())
        for which in ("first", "second")
    )


def main(arguments=None):
    """Measure every backend and print a table; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("fit_time", lambda: _measure_all(options))


def _measure_all(options):
    check_names("--model", options.model, NAMES)
    check_positive(**{f"epochs {n}": n for n in options.epochs}, samples=options.samples)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    results = recorded_before(options.json, "results")
    recorded = {"machine": describe_machine(), "results": results}
    with console(stderr=True).status("starting") as status:
        for backend in interpreters.available()[0]:
            for model in options.model:
                for epochs in options.epochs:
                    status.update(f"{backend}: {model}, {epochs} epochs")
                    python = interpreters.python(backend)

                    def start(job, caches, python=python, backend=backend):
                        return run(python, backend, "fit_time", job, options.device, caches=caches)

                    found = compare(start, model, epochs, options.samples)
                    found["date"] = recorded["machine"]["date"]
                    results[:] = [each for each in results if _key(each) != _key(found)] + [found]
                    if options.json:
                        write_json(options.json, recorded)
    console().print(table(results))
    return 0


def _key(result):
    return result["backend"], result["model"], result["epochs"]


def table(results):
    """A row for each backend, model and number of epochs; seconds of the whole call."""
    made = Table(
        "model", "backend", title="The whole call of fit, in seconds", title_justify="left"
    )
    for name in ("epochs", "first", "second"):
        made.add_column(name, justify="right")
    made.add_column("plan")
    made.add_column("best plan")
    for name in ("its first", "its second", "first / best", "second / best", *COMPARED):
        made.add_column(name, justify="right")
    for cells in lines(results):
        made.add_row(*cells)
    return made


def lines(results):
    """The rows of that table, as text."""
    for result in results:
        best = min(result["plans"], key=lambda name: result["plans"][name]["second"])
        seconds = result["plans"][best]
        yield (
            result["model"],
            result["backend"],
            str(result["epochs"]),
            *(f"{result[which]['seconds']:.1f}" for which in ("first", "second")),
            result["second"]["plan"],
            best,
            *(f"{seconds[which]:.1f}" for which in ("first", "second")),
            *(f"{ratio:.2f}" for ratio in ratios(result)),
            *(f"{result[name]:.1f}" for name in COMPARED),
        )


def _parser():
    parser = argparse.ArgumentParser(prog="fit_time", description=__doc__.partition(":")[0])
    add_run_options(parser, "write the figures as JSON; rows that it holds already are replaced")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=NAMES,
        metavar="NAMES",
        help=f"some of {','.join(NAMES)} (default: all)",
    )
    parser.add_argument(
        "--epochs",
        type=_numbers,
        default=EPOCHS,
        metavar="N,N",
        help=f"numbers of epochs (default: {','.join(map(str, EPOCHS))})",
    )
    parser.add_argument("--samples", type=int, metavar="N", help="default: all training images")
    return parser


def _numbers(text):
    return tuple(int(part) for part in comma_separated(text))


if __name__ == "__main__":
    sys.exit(main())
