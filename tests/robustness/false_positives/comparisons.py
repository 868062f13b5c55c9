"""Run comparisons without faults, and count false verdicts.

Run k uses conditions k mod 4 (the processor's own instruction set or an older one, two threads or
one) and seed k // 4. Exit status: 0 if all backends agree in every run, 1 if they do not, 2 for a
usage error.
"""

import argparse
import contextlib
import os
import time
from pathlib import Path

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import add_backend_options, add_data_options, model_names
from ae_multi.cli.status import status_of
from ae_multi.compare import CompareConfig, compare
from ae_multi.compare.config import TrainingConfig
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table

OLDER = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
}
# (instruction set, environment variables, number of threads)
CONDITIONS = [
    (name, variables, threads)
    for threads in (2, 1)
    for name, variables in (("own", {}), ("SSE4", OLDER))
]


def main(arguments=None):
    """Run as a program; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("comparisons", lambda: _run(options))


def _parser():
    parser = argparse.ArgumentParser(prog="comparisons", description=__doc__)
    add_backend_options(parser)
    add_data_options(parser)
    parser.add_argument("--model", type=model_names, default=model_names("all"), metavar="NAMES")
    parser.add_argument("--runs", type=int, default=80, metavar="N", help="default: 80")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first run")
    parser.add_argument("--epochs", type=int, metavar="N", help="default: as in a comparison")
    parser.add_argument("--plans", action="store_true", help="compare every plan of each backend")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser


def _run(options):
    check_positive(runs=options.runs)
    if options.first < 0:
        raise InputError(f"Expected --first to be at least 0. Received: {options.first}.")
    if options.json:
        check_writable(options.json, "the JSON")
    runs, out = [], console()
    for number in range(options.first, options.first + options.runs):
        seed, place = divmod(number, len(CONDITIONS))
        name, variables, threads = CONDITIONS[place]
        begin = time.perf_counter()
        with _environment(variables, threads):
            agreement = compare(_config(options, seed)).agreement
        seconds = time.perf_counter() - begin
        conditions = {"seed": seed, "instructions": name, "threads": threads, "seconds": seconds}
        runs += [{**conditions, "model": model, **row} for model, row in agreement.items()]
        verdicts = ", ".join(row["verdict"] for row in agreement.values())
        print(f"run {number}: {verdicts}", flush=True)
        if options.json:
            write_json(options.json, {"runs": runs, "machine": describe_machine()})
    out.print(comparisons_table(runs))
    wrong = sum(run["verdict"] != "agree" for run in runs)
    out.print(
        f"{wrong} false verdicts of {len(runs)}.", style="bold red" if wrong else "bold green"
    )
    return 1 if wrong else 0


def _config(options, seed):
    config = CompareConfig(
        configs=tuple(
            TrainingConfig(name, epochs=options.epochs, seed=seed) for name in options.model
        ),
        backends=options.backends,
        pythons=dict(options.python),
        data=options.data,
        path=options.data_path,
        plans=options.plans,
    )
    if len(config.interpreters.available()[0]) < 2 and not options.plans:
        raise InputError("Expected two backends or more, or --plans. Received: one.")
    return config


@contextlib.contextmanager
def _environment(variables, threads):
    """Set environment variables and the number of processors of child processes."""
    before = dict(os.environ)
    os.environ.update({**variables, "OMP_NUM_THREADS": str(threads)})
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        if allowed:
            os.sched_setaffinity(0, sorted(allowed)[:threads])
        yield
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)
        os.environ.clear()
        os.environ.update(before)


def comparisons_table(runs):
    """Return a table with a row for each model of each run: differences, bounds and verdict.

    Args:
        runs: list of dicts of ``seed``, ``instructions``, ``threads``, ``model`` and the result
            of `ae_multi.compare.agreement.agreement`.
    """
    table = plain_table("Comparisons without a fault (largest relative difference, and its bound)")
    for name in ("model", "seed", "instructions", "threads"):
        table.add_column(name)
    for name in ("first losses", "final test MSE"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for run in runs:
        table.add_row(
            *(run["model"], str(run["seed"]), run["instructions"], str(run["threads"])),
            f"{run['first_losses_difference']:.1e} ≤ {run['first_losses_bound']:.0e}",
            f"{run['test_mse_difference']:.1e} ≤ {run['test_mse_bound']:.1e}",
            run["verdict"],
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
