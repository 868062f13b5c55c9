"""Selection of the defaults on training data alone: ``nox -s choices``.

One split of the training data is for training, another for evaluation, and no test sample is
used. The labels of the evaluation split are used, as they would be when settings are tried out by
hand. For the detector the terms of its score are compared (`benchmarks.score`), and for all tasks
networks and training settings (`benchmarks.ablation_settings`). Measurements that the file of
``--json`` already holds are not repeated.
"""

import argparse
import os
import sys

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks import ablation_settings, score
from benchmarks.command import add_jobs_option, add_run_options, check_paths, recorded_before
from benchmarks.processes import run, with_cores

ROWS = tuple(dict.fromkeys((*score.ROWS, *ablation_settings.ABLATIONS)))


def main(arguments=None):
    """Measure the missing trials of the selected rows, print tables, and return the exit status."""
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
        result = run(interpreters.python(backend), backend, module, job, options.device, cores)
        return {**job, "backend": backend, **result}

    with console(stderr=True).status("starting") as status:
        for number, result in enumerate(with_cores(measured, missing, options.jobs), 1):
            status.update(f"{number} of {len(missing)} done")
            recorded["trials" if "parameters" in result else "scores"].append(result)
            if options.json:
                write_json(options.json, recorded)
    for result in recorded["scores"]:
        console().print(score.table(result))
    if recorded["trials"]:
        console().print(ablation_settings.table(recorded["trials"]))
    return 0


def _jobs(row):
    """Return the jobs of a row, each a dict of the keywords of ``measure``."""
    if row == "odds" and not os.environ.get("AE_MULTI_ODDS"):
        return []
    seeds = ablation_settings.SEEDS.get(row, 1)
    jobs = [
        {"row": row, "parameters": parameters, "seeds": seeds}
        for parameters in ablation_settings.ABLATIONS.get(row, ())
    ]
    return [*([{"row": row}] if row in score.ROWS else []), *jobs]


def _job(result):
    """Return the job that a recorded result belongs to."""
    return {name: result[name] for name in ("row", "parameters", "seeds") if name in result}


def _parser():
    parser = argparse.ArgumentParser(prog="choices", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read recorded results from this file and add the new ones")
    parser.add_argument(
        "--rows",
        type=comma_separated,
        default=ROWS,
        metavar="NAMES",
        help=f"comma-separated rows: {', '.join(ROWS)} (default: all)",
    )
    add_jobs_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
