"""Time of the complete call of `fit`, compilation included: ``nox -s fit_time``.

A training is timed from the call of `fit` to its return, in a separate process. The first process
starts with empty caches, the second with the caches of the first. Both are compared with every
single plan, each with separate caches, with the hand-written loop and with Keras's `fit`. The
processes take turns, since the speed of a machine drifts, and the shortest time of each counts.
"""

import argparse
import sys
import tempfile

from rich.table import Table

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths, recorded_before
from benchmarks.networks import NAMES
from benchmarks.processes import run

BATCH_SIZE = 128
EPOCHS = (1, 6, 12, 50)
COMPARED = ("native", "keras.fit")
# Every contender is timed up to TURNS times: again while its times so far add up to less than
# TURN_SECONDS. Except for the choice of `fit`, it must not take SLOW times as long as the fastest.
TURNS, TURN_SECONDS, SLOW = 4, 40.0, 1.5


def measure(model, epochs, contender="ours", plan=None, samples=None):
    """Time one training on the backend of this process.

    Args:
        model: a name of `networks.NAMES`.
        epochs: passes over the data.
        contender: "ours", "native" (the first variant of the hand-written loop) or "keras.fit".
        plan: the plan of "ours", or None for the choice of `fit`.
        samples: number of images, or None for all.

    Returns:
        Dict of the environment, the number of ``samples``, ``seconds`` of the complete call, the
        ``plan`` that ran, or None, and ``plans``, the names of all plans that can be built here.
    """
    from ae_multi import backends
    from ae_multi.environment import describe_backend
    from benchmarks.cold_start import train_by_hand
    from benchmarks.contenders import plain, seconds
    from benchmarks.networks import images, network
    from benchmarks.steps import plans

    backends.current().full_precision()
    x, data = images(samples)
    ours = network(model, x.shape[1:])
    arguments = {"epochs": epochs, "batch_size": BATCH_SIZE, "verbose": 0}
    if contender == "native":
        duration = seconds(lambda: train_by_hand(ours, x, BATCH_SIZE, epochs))
    elif contender == "keras.fit":
        theirs = plain(ours)
        duration = seconds(lambda: theirs.fit(x, x, **arguments))
    else:
        duration = seconds(lambda: ours.fit(x, plan=plan, **arguments))
    return {
        **describe_backend(),
        "data": data,
        "samples": len(x),
        "seconds": duration,
        "plan": ours.history.plan.name if contender == "ours" else None,
        "plans": plans(ours),
    }


def compare(start, model, epochs, samples=None):
    """Time one training with every contender and every plan.

    Args:
        start: function of (job, caches) that calls `measure` with the keywords ``job`` in a new
            process whose caches are in the folder ``caches``.
        model: a name of `networks.NAMES`.
        epochs: passes over the data.
        samples: number of images, or None for all.

    Returns:
        Dict of values for JSON: ``first`` and ``second`` (dicts of ``seconds`` and ``plan``),
        ``plans`` (plan to dict of ``first`` and ``second`` seconds), seconds of each of
        `COMPARED`, and the environment.
    """
    job = {"model": model, "epochs": epochs, "samples": samples}
    chosen = _timed(start, job, 2)
    names = chosen[0]["plans"]
    jobs = {
        None: job,
        **{name: {**job, "plan": name} for name in names},
        **{name: {**job, "contender": name} for name in COMPARED},
    }
    best = _take_turns(start, jobs, {None: chosen})
    first, second = best[None]
    return {
        **{name: first[name] for name in ("backend", "device", "versions", "data", "samples")},
        "model": model,
        "epochs": epochs,
        "first": {name: first[name] for name in ("seconds", "plan")},
        "second": {name: second[name] for name in ("seconds", "plan")},
        "plans": {
            name: {"first": best[name][0]["seconds"], "second": best[name][1]["seconds"]}
            for name in names
        },
        **{name: best[name][0]["seconds"] for name in COMPARED},
    }


def _take_turns(start, jobs, timed):
    """Return dict of contender to the shortest results of its processes.

    Args:
        start: see `compare`.
        jobs: dict of contender to job: None for the choice of `fit`, a plan or one of `COMPARED`.
        timed: dict of contender to results that count as its first turn.
    """
    turns = {name: [timed[name]] if name in timed else [] for name in jobs}
    best = {}
    for turn in range(TURNS):
        for name, job in jobs.items():
            if turn < len(turns[name]) or (turn and not _is_timed_again(name, turns, best)):
                continue
            turns[name].append(_timed(start, job, 1 if name in COMPARED else 2))
        for name, results in turns.items():
            processes = zip(*results, strict=True)
            best[name] = [min(each, key=lambda found: found["seconds"]) for each in processes]
    return best


def _is_timed_again(name, turns, best):
    """Return whether a contender is short enough for another turn, and fast or the choice."""
    spent = sum(found["seconds"] for results in turns[name] for found in results)
    fastest = min(min(found["seconds"] for found in results) for results in best.values())
    own = min(found["seconds"] for found in best[name])
    return spent < TURN_SECONDS and (name is None or own < SLOW * fastest)


def _timed(start, job, processes):
    """Return the results of processes that run one after the other and share new caches."""
    with tempfile.TemporaryDirectory() as caches:
        return [start(job, caches) for _ in range(processes)]


def ratios(result):
    """Return the seconds of the first and the second process over those of the best plan."""
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

                    result = compare(start, model, epochs, options.samples)
                    result["date"] = recorded["machine"]["date"]
                    results[:] = [each for each in results if _key(each) != _key(result)]
                    results.append(result)
                    results.sort(key=_key)
                    if options.json:
                        write_json(options.json, recorded)
    console().print(table(results))
    return 0


def _key(result):
    return result["model"], result["backend"], result["samples"], result["epochs"]


def table(results):
    """Return a table with a row for each model, backend and number of epochs."""
    result = Table(
        "model", "backend", title="Complete call of fit, in seconds", title_justify="left"
    )
    for name in ("images", "epochs", "first", "second"):
        result.add_column(name, justify="right")
    result.add_column("plan")
    result.add_column("best plan")
    for name in ("its first", "its second", "first / best", "second / best", *COMPARED):
        result.add_column(name, justify="right")
    for cells in lines(results):
        result.add_row(*cells)
    return result


def lines(results):
    """Yield the rows of the table as tuples of strings."""
    for result in results:
        best = min(result["plans"], key=lambda name: result["plans"][name]["second"])
        seconds = result["plans"][best]
        yield (
            result["model"],
            result["backend"],
            f"{result['samples']:,}",
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
    add_run_options(parser, "write the results as JSON; older results of the same job are replaced")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=NAMES,
        metavar="NAMES",
        help=f"comma-separated models: {', '.join(NAMES)} (default: all)",
    )
    parser.add_argument(
        "--epochs",
        type=_numbers,
        default=EPOCHS,
        metavar="N,N",
        help=f"comma-separated numbers of epochs (default: {','.join(map(str, EPOCHS))})",
    )
    parser.add_argument(
        "--samples", type=int, metavar="N", help="number of training images (default: all)"
    )
    return parser


def _numbers(text):
    try:
        return tuple(int(part) for part in comma_separated(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected comma-separated integers, received {text!r}"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
