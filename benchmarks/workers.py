"""Data-parallel training: ``nox -s workers``.

Three parts, on each backend:

    losses     every model with 1, 2 and 4 workers, by each plan that can be split: the largest
               relative difference of the first 20 losses from those of one worker, and whether the
               weights and the optimizer of all workers are equal to the bit
    scaling    steps per second of DeepAutoencoder with 1 and 2 workers of one core each
    kills      SIGKILL of a random worker at random moments of a training with checkpoints, and
               restart: whether the result has the bits of an undisturbed training
"""

import argparse
import sys

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError, WorkerError
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from benchmarks.command import add_run_options, check_paths
from benchmarks.processes import run
from benchmarks.workers_groups import measure
from benchmarks.workers_run import MODELS

__all__ = ["main", "measure"]

PARTS = ("losses", "scaling", "kills")
# Global batches and workers of the scaling.
BATCHES, SCALED = (1024, 8192), (1, 2)
# Losses that are compared. An epoch has ten full batches and a smaller one.
COMPARED, ARGUMENTS = 20, (336, 32, 2)
BOUND = 1e-5


def main(arguments=None):
    """Measure every backend and print tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="workers", description=__doc__.partition(":")[0])
    add_run_options(parser, "write the results as JSON")
    parser.add_argument(
        "--parts",
        type=comma_separated,
        default=PARTS,
        metavar="NAMES",
        help=f"comma-separated parts: {', '.join(PARTS)} (default: all)",
    )
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=MODELS,
        metavar="NAMES",
        help=f"comma-separated models of the losses: {', '.join(MODELS)} (default: all)",
    )
    parser.add_argument(
        "--workers",
        type=comma_separated,
        default=("1", "2", "4"),
        metavar="NUMBERS",
        help="comma-separated numbers of workers of the losses, divisors of 32 (default: 1,2,4)",
    )
    parser.add_argument(
        "--kills", type=int, default=20, metavar="N", help="number of kills (default: 20)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the moments (default: 0)"
    )
    options = parser.parse_args(arguments)
    return status_of("workers", lambda: _measure_all(options))


def _measure_all(options):
    check_names("--parts", options.parts, PARTS)
    check_names("--model", options.model, MODELS)
    check_positive(kills=options.kills)
    numbers = _numbers(options.workers)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    recorded = {"machine": describe_machine(), **{part: [] for part in options.parts}}

    def call(backend, part, job, cores=None):
        status.update(f"{backend}: {part}")
        python = interpreters.python(backend)
        try:
            result = run(python, backend, "workers", job, options.device, cores)
        except WorkerError as error:
            result = {"failed": str(error)}
        recorded[part].append({"backend": backend, **result})
        if options.json:
            write_json(options.json, recorded)

    with console(stderr=True).status("starting") as status:
        for backend in interpreters.available()[0]:
            if "losses" in options.parts:
                for workers in numbers:
                    job = {"models": list(options.model), "arguments": ARGUMENTS}
                    call(backend, "losses", {"kind": "losses", "workers": workers, **job})
            if "scaling" in options.parts:
                for batch in BATCHES:
                    for workers in SCALED:
                        job = {"kind": "scaling", "workers": workers, "arguments": [batch]}
                        call(backend, "scaling", job, list(range(workers)))
            if "kills" in options.parts:
                job = {"kind": "kills", "workers": 2, "arguments": [options.kills, options.seed]}
                call(backend, "kills", job)
    tables = {"losses": _losses_table, "scaling": _scaling_table, "kills": _kills_table}
    for part in options.parts:
        console().print(tables[part](recorded[part]))
    return 0


def _numbers(words):
    """Return the numbers of workers; one worker, with which others are compared, is the first."""
    try:
        numbers = sorted({int(word) for word in words})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1 or any(ARGUMENTS[1] % number for number in numbers):
        raise InputError(
            f"Expected --workers to be divisors of {ARGUMENTS[1]}. Received: {','.join(words)}."
        )
    return sorted({1, *numbers})


def rows(results):
    """Compare the losses with those of one worker by the same plan, or by its first.

    Args:
        results: dicts of ``backend``, ``workers`` and ``trained``, a dict from model to a list of
            one dict a plan, which holds ``losses`` and ``digests``; or ``refused``.

    Returns:
        List of dicts: ``backend``, ``plan``, ``model``, ``workers``, and either ``note`` or
        ``difference``, the largest relative one of the first `COMPARED` losses, ``is_equal``
        (whether all workers have the same bits) and ``seconds``.
    """
    compared = []
    alone = {}
    for result in results:
        if result.get("workers") == 1:
            for model, trained in result["trained"].items():
                for each in trained:
                    if "losses" in each:
                        key = (result["backend"], model)
                        alone.setdefault((*key, None), each["losses"])
                        alone[(*key, each["plan"])] = each["losses"]
    for result in results:
        if "failed" in result:
            compared.append({**result, "plan": "", "model": "", "note": "failed"})
            continue
        for model, trained in result["trained"].items():
            for each in trained:
                key = (result["backend"], model)
                row = {name: result[name] for name in ("backend", "workers")}
                row |= {"model": model, "plan": each["plan"]}
                one = alone.get((*key, each["plan"]), alone.get((*key, None)))
                if "refused" in each or one is None:
                    row["note"] = "refused" if "refused" in each else "not compared"
                else:
                    pairs = zip(each["losses"][:COMPARED], one[:COMPARED], strict=True)
                    row["difference"] = max(abs(a / b - 1) for a, b in pairs)
                    row["is_equal"] = len(set(each["digests"])) == 1
                    row["seconds"] = each["seconds"]
                compared.append(row)
    return compared


def _losses_table(results):
    table = plain_table(
        f"First {COMPARED} losses: largest relative difference from one worker (≤ {BOUND:.0e})"
    )
    for name in ("backend", "plan", "model"):
        table.add_column(name)
    for name in ("workers", "difference", "equal bits", "seconds"):
        table.add_column(name, justify="right")
    for row in rows(results):
        shared = (row["backend"], row["plan"] or "", row["model"], str(row.get("workers", "")))
        if "note" in row:
            table.add_row(*shared, row["note"], "", "")
            continue
        bits = "yes" if row["is_equal"] else "NO"
        table.add_row(*shared, f"{row['difference']:.1e}", bits, f"{row['seconds']:.1f}")
    return table


def _scaling_table(results):
    table = plain_table("Steps per second of DeepAutoencoder, one core for each worker")
    for name in ("backend", "plan"):
        table.add_column(name)
    for name in ("batch", "workers", "steps/s", "of one worker"):
        table.add_column(name, justify="right")
    for cells in scaling_lines(results):
        table.add_row(*cells)
    return table


def scaling_lines(results):
    """Yield the rows of the table of steps per second as tuples of strings."""
    alone = {
        (result["backend"], result["batch"]): result["steps_per_second"]
        for result in results
        if result.get("workers") == 1
    }
    for result in results:
        if "failed" in result:
            yield result["backend"], "", "", "", "failed", ""
            continue
        speed, one = result["steps_per_second"], alone.get((result["backend"], result["batch"]))
        ratio = f"{speed / one:.2f}" if one else ""
        shared = (result["backend"], result["plan"], f"{result['batch']:,}")
        yield *shared, str(result["workers"]), f"{speed:,.1f}", ratio


def _kills_table(results):
    table = plain_table("Trainings of two workers, one of which was killed")
    table.add_column("backend")
    for name in ("kills", "restarted", "equal bits"):
        table.add_column(name, justify="right")
    for result in results:
        if "failed" in result:
            table.add_row(result["backend"], "", "failed", "")
            continue
        cases = result["cases"]
        counts = (len(cases), *(sum(case[n] for case in cases) for n in ("restarted", "is_equal")))
        table.add_row(result["backend"], *map(str, counts))
    return table


if __name__ == "__main__":
    sys.exit(main())
