"""How good the tasks are with their defaults, beside their floors: ``nox -s quality``.

Each row is one task on all of MNIST, or the detector on the tables of ODDS, with one set of
defaults: over three seeds on one backend, and with one seed on each of the others. Every run is a
process of its own. Where ``--json`` names a file that is there, runs that it has are not repeated,
so that hours of work can be done by and by.

    reduce     test MSE, or the squared error of an image in sum, after a code of so many numbers
    denoise    PSNR in dB, Gaussian noise of so many standard deviations taken out
    detect     AUROC, the mean over the ten digits: one is normal, or all but one are
    odds       AUROC, the mean over the tables in the folder that AE_MULTI_ODDS names
    features   test accuracy of a linear classifier on the codes
    segment    intersection over union of digits on clutter
"""

import argparse
import os
import statistics
import sys

from rich.table import Table

from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from ae_multi.validation import check_positive
from benchmarks.command import add_jobs_option, add_run_options, check_paths, recorded_before
from benchmarks.processes import run, with_cores
from benchmarks.quality_targets import ROWS

SEEDS = (0, 1, 2)


def main(arguments=None):
    """Do what is missing, print a table, and return the exit status."""
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
    required = [
        {"row": row, "seed": seed, "backend": backend}
        for row in options.rows
        for backend in sorted(backends, key=lambda name: name != main_backend)
        for seed in (SEEDS if backend == main_backend else SEEDS[:1])
    ]
    missing = [each for each in required if _key(each) not in done and _can_run(each["row"])]

    def measured(each, cores):
        job = {"row": each["row"], "seed": each["seed"]}
        python = interpreters.python(each["backend"])
        return {
            **each,
            **run(python, each["backend"], "quality_targets", job, options.device, cores),
        }

    with console(stderr=True).status("starting") as status:
        for number, found in enumerate(with_cores(measured, missing, options.jobs), 1):
            status.update(f"{number} of {len(missing)} runs done")
            recorded["runs"].append(found)
            if options.json:
                write_json(options.json, recorded)
    console().print(table(recorded["runs"]))
    return 0


def _can_run(row):
    """Whether the row's data is there; only ODDS has to be named."""
    return row != "odds" or bool(os.environ.get("AE_MULTI_ODDS"))


def _key(each):
    return each["row"], each["backend"], each["seed"]


def lines(runs):
    """What the table says of each row that was run, as texts."""
    for name, row in ROWS.items():
        here = [each for each in runs if each["row"] == name]
        if not here:
            continue
        first = here[0]["backend"]
        ours = [each["ours"] for each in here if each["backend"] == first]
        spread = f" ± {row.text(statistics.stdev(ours))}" if len(ours) > 1 else ""
        mean = statistics.fmean(ours)
        floor, value = here[0]["floor"]
        others = [f"{row.text(e['ours'])} {e['backend']}" for e in here if e["backend"] != first]
        yield (
            name,
            row.measure,
            f"{row.text(value)} {floor}",
            f"{row.text(mean)}{spread} {first} ({len(ours)})",
            ", ".join(others),
            "the floor" if row.required is None else row.text(row.required),
            row.text(row.target),
            row.reached(mean, value),
        )


def table(runs):
    """A line for each row that was run: mean and spread over seeds, the other backends, floors."""
    made = Table("row", title="Quality with the tasks' defaults", title_justify="left")
    for name in ("measure", "floor", "ours", "other backends", "wanted", "hoped for", "reached"):
        made.add_column(name, justify="left" if name == "measure" else "right")
    for texts in lines(runs):
        made.add_row(*texts)
    return made


def _parser():
    parser = argparse.ArgumentParser(prog="quality", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read runs that are there, write all of them")
    parser.add_argument(
        "--rows",
        type=comma_separated,
        default=tuple(ROWS),
        metavar="NAMES",
        help=f"some of {', '.join(ROWS)} (default: all)",
    )
    add_jobs_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
