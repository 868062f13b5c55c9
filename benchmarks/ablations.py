"""How defaults were chosen, on training data alone: ``nox -s choices``.

One part of the training data is learned from, another is scored, and no test sample is looked at.
Labels of the part that is scored tell what is strange in it, or what belongs to which class, as
they would in an afternoon of trying out. Of the detector it is what its score is made of
(`benchmarks.score`), of the other tasks networks and trainings (`benchmarks.ablation_settings`).
Where ``--json`` names a file that is there, what it has is not measured again.
"""

import argparse
import os
import sys

from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from ae_multi.validation import check_positive
from benchmarks import ablation_settings, score
from benchmarks.command import add_jobs_option, add_run_options, check_paths, recorded_before
from benchmarks.processes import run, with_cores

ROWS = tuple(dict.fromkeys((*score.ROWS, *ablation_settings.ABLATIONS)))


def main(arguments=None):
    """Measure what is missing of the rows asked for, print tables, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("choices", lambda: _measure_all(options))


def _measure_all(options):
    check_names("--rows", options.rows, ROWS)
    check_positive(jobs=options.jobs)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    backend = "jax" if "jax" in backends else backends[0]
    recorded = {"machine": describe_machine()}
    recorded |= {kind: recorded_before(options.json, kind) for kind in ("scores", "trials")}
    done = [_job(each) for kind in ("scores", "trials") for each in recorded[kind]]
    missing = [job for row in options.rows for job in _jobs(row) if job not in done]

    def measured(job, cores):
        module = "ablation" if "parameters" in job else "score"
        found = run(interpreters.python(backend), backend, module, job, options.device, cores)
        return {**job, "backend": backend, **found}

    with console(stderr=True).status("starting") as status:
        for number, found in enumerate(with_cores(measured, missing, options.jobs), 1):
            status.update(f"{number} of {len(missing)} done")
            recorded["trials" if "parameters" in found else "scores"].append(found)
            if options.json:
                write_json(options.json, recorded)
    for found in recorded["scores"]:
        console().print(score.table(found))
    if recorded["trials"]:
        console().print(ablation_settings.table(recorded["trials"]))
    return 0


def _jobs(row):
    """What has to be measured for a row, each with what its ``measure`` is given."""
    if row == "odds" and not os.environ.get("AE_MULTI_ODDS"):
        return []
    seeds = ablation_settings.SEEDS.get(row, 1)
    jobs = [
        {"row": row, "parameters": parameters, "seeds": seeds}
        for parameters in ablation_settings.ABLATIONS.get(row, ())
    ]
    return [*([{"row": row}] if row in score.ROWS else []), *jobs]


def _job(found):
    return {name: found[name] for name in ("row", "parameters", "seeds") if name in found}


def _parser():
    parser = argparse.ArgumentParser(prog="choices", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read what is there, write all of it")
    parser.add_argument(
        "--rows",
        type=comma_separated,
        default=ROWS,
        metavar="NAMES",
        help=f"some of {', '.join(ROWS)} (default: all)",
    )
    add_jobs_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
