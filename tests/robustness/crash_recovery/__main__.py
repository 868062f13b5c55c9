"""``nox -s kills``: kill trainings at random moments on each backend, and resume them."""

import argparse
import tempfile
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ae_multi.cli.options import add_backend_options
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from ae_multi.subprocesses.launcher import run
from tests.robustness.crash_recovery.pairs import BOUND, STEPS, compare


def main():
    """Run as a program; return 0 if all trainings resumed exactly, else 1."""
    options = _options()
    pythons = {name: path for name, path in options.python if name in (options.backends or (name,))}
    to, cases = console(), {}
    recorded = {"machine": describe_machine(), "seed": options.seed, "cases": cases, "pairs": []}
    with _progress() as bars:
        for backend, python in pythons.items():
            bar = bars.add_task(backend, total=options.moments)
            job = {
                "run": "tests.robustness.crash_recovery.cases:run",
                "seed": options.seed, "first": options.first,
                "moments": options.moments, "at_once": options.at_once,
            }  # fmt: skip
            cases[backend] = []
            for event in run(python, backend, job):
                if event.pop("event") == "moment":
                    cases[backend].append(event)
                    bars.advance(bar)
            if options.json:
                write_json(options.json, recorded)
    with tempfile.TemporaryDirectory() as root:
        differences = compare(pythons, Path(root)) if len(pythons) > 1 else {}
    _print(to, cases, differences)
    recorded["pairs"] = [
        {"from": one, "to": other, "largest": error} for (one, other), error in differences.items()
    ]
    if options.json:
        write_json(options.json, recorded)
    faulty = [case for found in cases.values() for case in found if case["fault"]]
    return 1 if faulty or any(error > BOUND for error in differences.values()) else 0


def _options():
    parser = argparse.ArgumentParser(prog="kills", description=__doc__)
    add_backend_options(parser)
    parser.add_argument("--moments", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="first moment's number")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--at-once", type=int, default=2, metavar="N", help="trainings in parallel (default: 2)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser.parse_args()


def _progress():
    columns = (
        TextColumn("{task.description:>10}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TimeElapsedColumn(),
    )  # fmt: skip
    to = console(stderr=True)
    return Progress(*columns, console=to, disable=not to.is_terminal)


def _print(to, cases, differences):
    table = plain_table("Trainings killed at random moments and resumed")
    table.add_column("backend")
    columns = (
        "moments",
        "by the clock",
        "while writing",
        "ended before",
        "without checkpoint",
        "faults",
    )
    for name in columns:
        table.add_column(name, justify="right")
    for backend, found in cases.items():
        numbers = (
            len(found),
            sum(case["kind"] == "by the clock" for case in found),
            sum(case["kind"] == "while writing" for case in found),
            sum(case["ended_before"] for case in found),
            sum(case["resumed"] is None for case in found),
            sum(case["fault"] is not None for case in found),
        )
        table.add_row(backend, *map(str, numbers))
    to.print(table)
    for backend, found in cases.items():
        for case in found:
            if case["fault"]:
                to.print(f"{backend}, moment {case['number']}: {case['fault']}", style="red")
    if differences:
        table = plain_table(f"The next {STEPS} losses: largest relative difference (≤ {BOUND:.0e})")
        table.add_column("killed on")
        names = list(cases)
        for name in names:
            table.add_column(f"resumed on {name}", justify="right")
        for one in names:
            table.add_row(one, *(_error(differences.get((one, other))) for other in names))
        to.print(table)


def _error(value):
    return "" if value is None else f"{value:.1e}"


if __name__ == "__main__":
    raise SystemExit(main())
