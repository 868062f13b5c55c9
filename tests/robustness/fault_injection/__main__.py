"""Inject each known fault in each backend, and check that the comparison finds it.

Exit status: 0 if each fault is found at its stage, in its layer and on its backend, and no
divergence is found without a fault; 1 otherwise; 2 for a usage error.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

from rich.text import Text

from ae_multi.cli.options import add_backend_options, check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import BackendProgress
from ae_multi.report.tables import console, plain_table
from tests.robustness.fault_injection.catalogue import FAULTS
from tests.robustness.fault_injection.run import FaultInjector


def main(arguments=None):
    """Run as a program; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("faults", lambda: _run(options))


def _parser():
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    add_backend_options(parser)
    parser.add_argument(
        "--faults",
        type=comma_separated,
        default=tuple(FAULTS),
        metavar="NAMES",
        help="faults, separated by commas (default: all)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser


def _run(options):
    check_names("--faults", options.faults, FAULTS)
    if options.json:
        check_writable(options.json, "the JSON")
    interpreters = interpreters_of(options)
    backends, _ = interpreters.available()
    pythons = {backend: interpreters.python(backend) for backend in backends}
    plan = list(itertools.product(options.faults, backends))
    out, results = console(), []
    with tempfile.TemporaryDirectory() as folder, BackendProgress(console(stderr=True)) as bars:
        injector = FaultInjector(pythons, folder, bars.on_event)
        alarms, models = [], set()
        for name, backend in plan:
            model = FAULTS[name].model
            if model not in models:
                models.add(model)
                stages = injector.compare_without_fault(model)
                alarms += [str(entry) for stage in stages for entry in stage.divergences]
            done = sum(result.backend == backend for result in results)
            event = {"event": "progress", "total": len(options.faults), "label": name}
            bars.on_event(backend, {**event, "done": done})
            results.append(injector.inject(name, backend))
            bars.on_event(backend, {**event, "done": done + 1})
            if not out.is_terminal:
                found = "caught" if results[-1].caught else "NOT CAUGHT"
                print(f"{found} on {backend}: {name}", flush=True)
            if options.json:
                _write(options.json, results, alarms)
    out.print(faults_table(results))
    for alarm in alarms:
        out.print(f"Without a fault: {alarm}", style="red", markup=False)
    caught = sum(result.caught for result in results)
    is_clean = caught == len(results) and not alarms
    out.print(
        f"{caught} of {len(results)} faults caught, {len(alarms)} false alarms.",
        style="bold green" if is_clean else "bold red",
    )
    return 0 if is_clean else 1


def _write(path, results, alarms):
    found = [{**result.to_json(), "caught": result.caught} for result in results]
    caught = sum(result.caught for result in results)
    written = {"caught": caught, "planted": len(results), "alarms": alarms, "faults": found}
    write_json(path, {**written, "machine": describe_machine()})


def faults_table(results):
    """Return a table with a row for each fault in each backend: expected and found places.

    Args:
        results: list of `InjectionResult`.
    """
    table = plain_table("Faults injected in one backend at a time")
    for name in ("fault", "injected in", "expected in", "found in"):
        table.add_column(name)
    for name in ("size", "bound"):
        table.add_column(name, justify="right")
    for name in ("diverging", "caught"):
        table.add_column(name)
    for result in results:
        table.add_row(
            result.fault,
            result.backend,
            _where(result.stage, result.place),
            _where(result.found_stage, result.found_place),
            f"{result.size:.1e}",
            f"{result.bound:.1e}",
            ", ".join(result.diverging),
            Text("yes", "green") if result.caught else Text("NO", "bold red"),
        )
    return table


def _where(stage, place):
    return f"{stage}: {place}" if place else stage


if __name__ == "__main__":
    raise SystemExit(main())
