"""Quality of anomaly detection compared with baselines: ``nox -s detection``.

The tables are those of ADBench and ODDS in the folders of ``AE_MULTI_ADBENCH`` and
``AE_MULTI_ODDS``, ADBench's four types of synthetic anomalies, and two generated tables of sensors.
Methods are trained on 70 % of the rows, anomalies included (the protocol "contaminated"), or on the
normal ones among them ("clean"), and judged on the other rows by AUROC and average precision. A
process measures one table with one seed; those that the file of ``--json`` already holds are not
repeated.
"""

import argparse
import sys
from pathlib import Path

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks import critical_difference, detection_tables
from benchmarks.command import add_jobs_option, add_run_options, check_paths, recorded_before
from benchmarks.detection_methods import METHODS, PEERS
from benchmarks.detection_summary import matrix, table
from benchmarks.processes import run, with_cores

SEEDS, MAX_ROWS = (0, 1, 2), 6000


def main(arguments=None):
    """Run what is missing, print the tables, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("detection", lambda: _measure_all(options))


def _measure_all(options):
    names = detection_tables.names()
    options.tables = options.tables or names
    check_names("--tables", options.tables, names)
    check_names("--protocols", options.protocols, detection_tables.PROTOCOLS)
    check_names("--methods", options.methods, METHODS)
    check_positive(jobs=options.jobs, max_rows=options.max_rows)
    check_paths(options.json, options.figure)
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    backend = "jax" if "jax" in backends else backends[0]
    pythons = {backend: interpreters.python(backend), "torch": options.peers}
    recorded = {
        "machine": describe_machine(),
        "max_rows": options.max_rows,
        "provenance": {},
        "runs": recorded_before(options.json, "runs"),
    }
    done = {_key(each) for each in recorded["runs"]}
    jobs = [
        (name, seed, python_of, missing)
        for seed in map(int, options.seeds)
        for name in options.tables
        for python_of, methods in _by_interpreter(options.methods, backend, options.peers)
        if (missing := _missing(done, name, seed, options.protocols, methods))
    ]

    def measured(job, cores):
        name, seed, python_of, methods = job
        keywords = {
            "table": name,
            "seeds": [seed],
            "protocols": list(options.protocols),
            "methods": methods,
            "max_rows": options.max_rows,
        }
        python = pythons[python_of]
        return python_of, run(python, python_of, "detection_run", keywords, options.device, cores)

    with console(stderr=True).status("starting") as status:
        for number, result in enumerate(with_cores(measured, jobs, options.jobs), 1):
            status.update(f"{number} of {len(jobs)} runs done")
            recorded["runs"] += result[1]["runs"]
            recorded["provenance"][result[0]] = result[1]["provenance"]
            if options.json:
                write_json(options.json, recorded)
    for protocol in options.protocols:
        console().print(table(recorded["runs"], protocol))
    if options.figure:
        critical_difference.draw(_panels(recorded["runs"], options.protocols), options.figure)
    return 0


def _by_interpreter(methods, backend, peers):
    """Yield the key of an interpreter and the methods that it measures."""
    yield backend, [name for name in methods if name not in PEERS or not peers]
    if peers:
        yield "torch", [name for name in methods if name in PEERS]


def _missing(done, name, seed, protocols, methods):
    """Return the methods that are not recorded for each protocol."""
    return [
        method
        for method in methods
        if any((name, protocol, seed, method) not in done for protocol in protocols)
    ]


def _key(each):
    return each["table"], each["protocol"], each["seed"], each["method"]


def _panels(runs, protocols):
    panels = {}
    for protocol in protocols:
        tables, methods, values = matrix(runs, protocol, "auroc")
        ranks = critical_difference.average_ranks(values)
        p = f"Friedman's test p = {critical_difference.friedman(values):.1g}"
        panels[f"Average rank by AUROC, {protocol} training, {len(tables)} tables; {p}"] = {
            "ranks": dict(zip(methods, map(float, ranks), strict=True)),
            "difference": critical_difference.critical_difference(len(tables), len(methods)),
        }
    return panels


def _parser():
    parser = argparse.ArgumentParser(prog="detection", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read recorded runs from this file and add the new ones")
    names = {
        "--tables": ((), "tables (default: all that can be read)"),
        "--seeds": (SEEDS, "seeds of rows, splits and methods (default: 0,1,2)"),
        "--protocols": (detection_tables.PROTOCOLS, "contaminated, clean (default: both)"),
        "--methods": (METHODS, f"{', '.join(METHODS)} (default: all)"),
    }
    for name, (default, text) in names.items():
        parser.add_argument(
            name,
            type=comma_separated,
            default=default,
            metavar="NAMES",
            help=f"comma-separated {text}",
        )
    parser.add_argument(
        "--max-rows",
        type=int,
        default=MAX_ROWS,
        metavar="N",
        help=f"rows to draw from larger tables (default: {MAX_ROWS})",
    )
    parser.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="an interpreter that has PyOD and PyTorch"
    )
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw average ranks")
    add_jobs_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
