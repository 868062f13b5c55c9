"""``nox -s sweep``: random configurations of all Keras layers, compared between backends."""

import argparse
import tempfile
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ae_multi.cli.options import add_python_option
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from tests.robustness.sweep.catalogue import DRAWS, EXCEPTIONS, configurations
from tests.robustness.sweep.sweep import COMPARED, sweep

_ERROR_CHARACTERS = 200  # shown of an error


def main():
    """Run as a program; return the exit status: 0 if all backends agree, 1 if some differ."""
    options = _options()
    found, names = [], options.layers.split(",") if options.layers else list(DRAWS)
    total = 0
    for round_ in range(options.first, options.first + options.rounds):
        drawn = configurations(options.seed, round_, names)
        total += len(drawn)
        with tempfile.TemporaryDirectory() as temporary, _progress() as bars:
            folder = options.keep / str(round_) if options.keep else Path(temporary) / "round"
            folder.mkdir(parents=True)
            on_event = _show_on(bars, len(drawn))
            found += sweep(drawn, dict(options.python), folder, options.seed, on_event)
    _print(console(), found, total, names)
    if options.json:
        value = {"seed": options.seed, "configurations": total, "not_covered": EXCEPTIONS}
        write_json(options.json, {**value, "findings": [entry.to_json() for entry in found]})
    return 1 if found else 0


def _options():
    parser = argparse.ArgumentParser(prog="sweep", description=__doc__)
    add_python_option(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--rounds", type=int, default=1, metavar="N", help="number of rounds (default: 1)"
    )
    parser.add_argument(
        "--first", type=int, default=0, metavar="N", help="number of the first round"
    )
    parser.add_argument(
        "--layers", metavar="NAMES", help="layers, separated by commas: Dense,Conv2D (default: all)"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep models and traces here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser.parse_args()


def _progress():
    columns = TextColumn("{task.description:>10}"), MofNCompleteColumn(), TimeElapsedColumn()
    to = console(stderr=True)
    return Progress(*columns, console=to, disable=not to.is_terminal)


def _show_on(bars, total):
    tasks = {}

    def on_event(name, event):
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.advance(tasks[name])

    return on_event


def _print(to, found, total, names):
    table = plain_table("Differing layers: the largest error, relative to the largest value")
    table.add_column("layer", overflow="fold")
    table.add_column("backend")
    for name in COMPARED:
        table.add_column(name, justify="right")
    table.add_column("message", overflow="fold")
    for finding in found:
        rows = list(_rows(finding))
        for place, row in enumerate(rows):
            layer = str(finding.configuration) if place == 0 else ""
            table.add_row(layer, *row, end_section=place + 1 == len(rows))
    if found:
        to.print(table)
    for name, reason in EXCEPTIONS.items():
        to.print(f"Not covered: {name}: {reason}.")
    to.print(f"{len(found)} of {total} configurations of {len(names)} classes differ.")


def _rows(finding):
    """Yield (backend, largest error of each stage, message) for each backend of a finding."""
    if finding.note:
        yield "", *[""] * len(COMPARED), finding.note
    for backend, error in finding.errors.items():
        yield backend, *[""] * len(COMPARED), Text(" ".join(error.split())[:_ERROR_CHARACTERS])
    for backend in sorted({name for entry in finding.divergences for name in entry.diverging}):
        errors = [
            [
                e.error[backend]
                for e in finding.divergences
                if backend in e.diverging and e.stage == stage
            ]
            for stage in COMPARED
        ]
        yield backend, *[f"{max(found):.1e}" if found else "" for found in errors], ""


if __name__ == "__main__":
    raise SystemExit(main())
