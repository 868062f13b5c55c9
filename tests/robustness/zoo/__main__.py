"""Judge the architectures of the zoo: a verdict, the closest margin and the time of each.

Status 0 if every architecture agrees on every backend, 1 if one does not, 2 for a usage error.
"""

import argparse
from pathlib import Path

from ae_multi.cli.options import add_backend_options, check_names, comma_separated
from ae_multi.cli.status import status_of
from ae_multi.report.tables import console
from tests.robustness.false_positives.__main__ import alarms_table, run_cases
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
    out = console()
    cases = [(name, name, ZOO[name], options.seed) for name in names]
    runs = run_cases(cases, options, _describe)
    out.print(alarms_table(runs))
    differing = [run["model"] for run in runs if not run["holds"]]
    verdict = f"{len(differing)} of {len(runs)} architectures differ"
    out.print(f"{verdict}: {', '.join(differing)}." if differing else f"{verdict}.")
    return 1 if differing else 0


def _describe(name, run):
    verdict = "agree" if run["holds"] else "DIFFER"
    lines = [f"{name}: {verdict}, {run['seconds']:.0f} s", *(f"    {a}" for a in run["alarms"])]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
