"""Compare the stages of models without faults, and count false positives.

Of n models, run k uses model k mod n and seed k // n. Exit status: 0 if every stage holds in every
run, 1 if one does not, 2 for a usage error.
"""

import argparse
import time
from pathlib import Path

from rich.text import Text

from ae_multi.argument_checks import check_positive
from ae_multi.backend_selection import FORWARD_ONLY
from ae_multi.cli.options import add_backend_options, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError, WorkerError
from ae_multi.io.atomic import check_writable
from ae_multi.parity import check
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from tests.robustness.false_positives.cases import CASES


def main(arguments=None):
    """Run as a program; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("alarms", lambda: _run(options))


def _parser():
    parser = argparse.ArgumentParser(prog="alarms", description=__doc__)
    add_backend_options(parser)
    parser.add_argument("--runs", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser


def _run(options):
    check_positive(runs=options.runs)
    if options.first < 0:
        raise InputError(f"Expected --first to be at least 0. Received: {options.first}.")
    cases, out = [], console()
    for number in range(options.first, options.first + options.runs):
        seed, place = divmod(number, len(CASES))
        model = list(CASES)[place]
        cases.append((f"run {number}, {model}, seed {seed}", model, CASES[model], seed))

    def describe(label, run):
        return f"{'holds' if run['holds'] else 'ALARM'}: {label}"

    runs = run_cases(cases, options, describe)
    out.print(alarms_table(runs))
    for run in runs:
        for entry in run["alarms"]:
            out.print(f"{run['model']}, seed {run['seed']}: {entry}", style="red", markup=False)
    alarms = sum(not run["holds"] for run in runs)
    style = "bold red" if alarms else "bold green"
    out.print(f"{alarms} false alarms in {len(runs)} runs.", style=style)
    return 1 if alarms else 0


def run_cases(cases, options, describe):
    """Run cases one after another, with progress, and write the JSON after each.

    Args:
        cases: list of (label, model, `Case`, seed).
        options: the command's options: ``backends``, ``python`` and ``json``.
        describe: function of a label and the result of `clean_run` that returns the text to print
            without a terminal.

    Returns:
        List of the results of `clean_run`.
    """
    if options.json:
        check_writable(options.json, "the JSON")
    interpreters_of(options).available()  # raises before the first run
    runs, is_terminal = [], console().is_terminal
    with console(stderr=True).status("starting") as status:
        for label, *case in cases:
            status.update(f"{label}: {len(runs) + 1} of {len(cases)}")
            runs.append(clean_run(*case, options.backends, dict(options.python)))
            if not is_terminal:
                print(describe(label, runs[-1]), flush=True)
            if options.json:
                write_json(options.json, {"runs": runs, "machine": describe_machine()})
    return runs


def clean_run(model, case, seed, backends, pythons):
    """Check one model without faults.

    Args:
        model: name of the model.
        case: its `Case`.
        seed: integer for data, weights, batch order and noise.
        backends: names, or None for all installed backends.
        pythons: dict of backend to interpreter.

    Returns:
        Dict of values for JSON: ``model``, ``seed``, ``parameters`` (number of them), ``steps``,
        ``seconds``, ``holds``, ``closest`` (a dict for each stage: the entry closest to its bound,
        see `ae_multi.parity.divergence.Divergence`) and ``alarms`` (false positives, as text).
    """
    xs, ys = case.data(seed)
    begin = time.perf_counter()
    try:
        report = check(case.build, xs, ys, backends, seed=seed, steps=case.steps, pythons=pythons)
        closest = [stage.closest.to_json() for stage in report.stages]
        alarms = [str(entry) for stage in report.stages for entry in stage.divergences]
        parameters = report.backends[report.oracle]["parameters"]
    except (InputError, WorkerError) as error:
        # A model that cannot be checked counts as a false positive.
        closest, alarms, parameters = [], [str(error)], None
    return {
        "model": model,
        "seed": seed,
        "parameters": parameters,
        "steps": case.steps,
        "seconds": time.perf_counter() - begin,
        "holds": not alarms,
        "closest": closest,
        "alarms": alarms,
    }


def alarms_table(runs):
    """Return a table with a row for each run: the entry closest to its bound on any stage.

    Args:
        runs: list of dicts as `clean_run` returns them.
    """
    table = plain_table("Runs without a fault")
    table.add_column("model")
    for name in ("seed", "parameters", "seconds"):
        table.add_column(name, justify="right")
    for name in ("closest to its bound", "backend"):
        table.add_column(name)
    for name in ("error", "bound"):
        table.add_column(name, justify="right")
    table.add_column("holds")
    for run in runs:
        table.add_row(*_row(run))
    return table


def shares_of_bounds(run):
    """Yield (ratio of error to bound, entry, backend) for the backends of a run that can train.

    Args:
        run: a dict as `clean_run` returns it.
    """
    for entry in run["closest"]:
        for backend, error in entry["error"].items():
            if backend not in FORWARD_ONLY:
                yield error / (entry["bound"][backend] or 1e-300), entry, backend


def _row(run):
    shares = shares_of_bounds(run)
    _, entry, backend = max(shares, key=lambda share: share[0], default=(0.0, None, ""))
    tightest = ["", "", "", ""]
    if entry:
        numbers = [f"{entry[kind][backend]:.1e}" for kind in ("error", "bound")]
        tightest = [f"{entry['rung']}: {entry['name']}", backend, *numbers]
    holds = Text("yes", "green") if run["holds"] else Text("NO", "bold red")
    numbers = [str(run["seed"]), f"{run['parameters'] or 0:,}", f"{run['seconds']:.0f}"]
    return [run["model"], *numbers, *tightest, holds]


if __name__ == "__main__":
    raise SystemExit(main())
