"""Quality of the tasks with their defaults, compared with baselines: ``nox -s quality``.

Each row is one task on all of MNIST, or the detector on the tables of ODDS, with one set of
defaults: three seeds on one backend, and one seed on each of the others. Every run is a separate
process. Runs that the file of ``--json`` already holds are not repeated, so that hours of work can
be interrupted and resumed.

    reduce-N   test MSE, or the sum of the squared errors of an image, with a code of N numbers
    denoise-S  PSNR in dB of restored images, after Gaussian noise of S standard deviations
    detect     AUROC, the mean over the ten digits: one digit is normal, or all but one
    odds       AUROC, the mean over the tables in the folder of AE_MULTI_ODDS
    features-N test accuracy of a linear classifier on codes of N numbers
    segment    intersection over union of digits on clutter
"""

import argparse
import os
import statistics
import sys

from rich.table import Table

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.command import add_jobs_option, add_run_options, check_paths, recorded_before
from benchmarks.processes import run, with_cores
from benchmarks.quality_targets import ROWS

SEEDS = (0, 1, 2)


def main(arguments=None):
    """Run what is missing, print a table, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("quality", lambda: _measure_all(options))


def _measure_all(options):
    check_names("--rows", options.rows, ROWS)
    check_positive(jobs=options.jobs)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    main_backend = "jax" if "jax" in backends else backends[0]
    recorded = {"machine": describe_machine(), "runs": recorded_before(options.json, "runs")}
    done = {_key(each) for each in recorded["runs"]}
    runs = [
        {"row": row, "seed": seed, "backend": backend}
        for row in options.rows
        for backend in sorted(backends, key=lambda name: name != main_backend)
        for seed in (SEEDS if backend == main_backend else SEEDS[:1])
    ]
    missing = [each for each in runs if _key(each) not in done and _can_run(each["row"])]

    def measured(each, cores):
        job = {"row": each["row"], "seed": each["seed"]}
        python = interpreters.python(each["backend"])
        return {
            **each,
            **run(python, each["backend"], "quality_targets", job, options.device, cores),
        }

    with console(stderr=True).status("starting") as status:
        for number, result in enumerate(with_cores(measured, missing, options.jobs), 1):
            status.update(f"{number} of {len(missing)} runs done")
            recorded["runs"].append(result)
            if options.json:
                write_json(options.json, recorded)
    console().print(table(recorded["runs"]))
    return 0


def _can_run(row):
    """Return whether the data of the row is available; only that of ODDS has to be named."""
    return row != "odds" or bool(os.environ.get("AE_MULTI_ODDS"))


def _key(each):
    return each["row"], each["backend"], each["seed"]


def lines(runs):
    """Yield a row of the table for each task that was run, a tuple of strings."""
    for name, row in ROWS.items():
        of_row = [each for each in runs if each["row"] == name]
        if not of_row:
            continue
        first = of_row[0]["backend"]
        ours = [each["ours"] for each in of_row if each["backend"] == first]
        spread = f" ± {row.text(statistics.stdev(ours))}" if len(ours) > 1 else ""
        mean = statistics.fmean(ours)
        baseline, value = of_row[0]["floor"]
        others = [f"{row.text(e['ours'])} {e['backend']}" for e in of_row if e["backend"] != first]
        yield (
            name,
            row.measure,
            f"{row.text(value)} {baseline}",
            f"{row.text(mean)}{spread} {first} ({len(ours)})",
            ", ".join(others),
            "best baseline" if row.required is None else row.text(row.required),
            row.text(row.target),
            row.reached(mean, value),
        )


def table(runs):
    """Return a table with a line for each row that was run.

    A line has the mean and standard deviation over seeds, the best baseline, the other backends,
    and the required and the target value.
    """
    result = Table("row", title="Quality with the tasks' defaults", title_justify="left")
    columns = "measure", "best baseline", "ours", "other backends", "required", "target", "reached"
    for name in columns:
        result.add_column(name, justify="left" if name == "measure" else "right")
    for cells in lines(runs):
        result.add_row(*cells)
    return result


def _parser():
    parser = argparse.ArgumentParser(prog="quality", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read recorded runs from this file and add the new ones")
    parser.add_argument(
        "--rows",
        type=comma_separated,
        default=tuple(ROWS),
        metavar="NAMES",
        help=f"comma-separated rows: {', '.join(ROWS)} (default: all)",
    )
    add_jobs_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
