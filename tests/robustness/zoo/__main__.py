"""Judge the architectures of the zoo: a verdict, the closest margin and the time of each.

Status 0 if every architecture agrees on every backend, 1 if one does not, 2 for a usage error.
"""

import argparse
from pathlib import Path

from ae_multi.cli.options import add_backend_options, check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from tests.robustness.false_positives.__main__ import alarms_table, clean_run
from tests.robustness.zoo.catalogue import ZOO


def main(arguments=None):
    """Run as a program; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("zoo", lambda: _run(options))


def _parser():
    parser = argparse.ArgumentParser(prog="zoo", description=__doc__)
    add_backend_options(parser)
    parser.add_argument(
        "--models",
        type=comma_separated,
        metavar="NAMES",
        help=f"{', '.join(ZOO)} (default: all)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON")
    return parser


def _run(options):
    names = options.models or list(ZOO)
    check_names("--models", names, ZOO)
    if options.json:
        check_writable(options.json, "the JSON")
    runs, out = [], console()
    interpreters_of(options).available()  # fails before anything is run
    with console(stderr=True).status("starting") as status:
        for name in names:
            status.update(f"{name}, {len(runs) + 1} of {len(names)}")
            pythons = dict(options.python)
            runs.append(clean_run(name, ZOO[name], options.seed, options.backends, pythons))
            if not out.is_terminal:
                run = runs[-1]
                verdict = "agree" if run["holds"] else "DIFFER"
                print(f"{name}: {verdict}, {run['seconds']:.0f} s", flush=True)
                for alarm in run["alarms"]:
                    print(f"    {alarm}", flush=True)
            if options.json:
                write_json(options.json, {"runs": runs, "machine": describe_machine()})
    out.print(alarms_table(runs))
    differing = [run["model"] for run in runs if not run["holds"]]
    verdict = f"{len(differing)} of {len(runs)} architectures differ"
    out.print(f"{verdict}: {', '.join(differing)}." if differing else f"{verdict}.")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
