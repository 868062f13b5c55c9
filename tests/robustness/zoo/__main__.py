"""Compare architectures and random models: verdict, closest margin and seconds of each.

Exit status: 0 if the backends agree on every architecture, 1 if they differ on one, 2 for a usage
error.
"""

import argparse
from pathlib import Path

from ae_multi.cli.options import add_backend_options, check_names, comma_separated
from ae_multi.cli.status import status_of
from ae_multi.errors import InputError
from ae_multi.report.tables import console
from tests.robustness.false_positives.__main__ import alarms_table, run_cases
from tests.robustness.operating_points import closeness
from tests.robustness.zoo.catalogue import ZOO, random_case


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
    parser.add_argument(
        "--random",
        type=_range,
        metavar="N|A:B",
        help="compare N random models instead, or those with numbers from A to B - 1",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser


def _run(options):
    check_names("--models", options.models or (), ZOO)
    if options.random is None:
        chosen = {name: ZOO[name] for name in options.models or ZOO}
    elif options.models:
        raise InputError("Expected either --models or --random. Received: both.")
    else:
        chosen = {f"random_{number}": random_case(number) for number in options.random}
    out = console()
    cases = [(name, name, case, options.seed) for name, case in chosen.items()]
    runs = run_cases(cases, options, _describe)
    out.print(alarms_table(runs))
    differing = [run["model"] for run in runs if not run["holds"]]
    verdict = f"{len(differing)} of {len(runs)} architectures differ"
    out.print(f"{verdict}: {', '.join(differing)}." if differing else f"{verdict}.")
    return 1 if differing else 0


def _range(text):
    first, _, end = text.rpartition(":")
    try:
        numbers = range(int(first or 0), int(end))
    except ValueError:
        numbers = range(0)
    if not numbers or numbers[0] < 0:
        raise argparse.ArgumentTypeError(f"expected N, or A:B with A below B, received {text!r}")
    return numbers


def lines(recorded):
    """Yield a tuple of strings, the cells of a row, for each run of recorded results."""
    for run in recorded["runs"]:
        verdict = "agree" if run["holds"] else "differ"
        numbers = f"{run['parameters'] or 0:,}", f"{run['seconds']:.0f}"
        yield run["model"], *numbers, verdict, f"{closeness(run):.2f}"


def _describe(name, run):
    verdict = "agree" if run["holds"] else "DIFFER"
    alarms = [f"    {alarm}" for alarm in run["alarms"]]
    return "\n".join([f"{name}: {verdict}, {run['seconds']:.0f} s", *alarms])


if __name__ == "__main__":
    raise SystemExit(main())
