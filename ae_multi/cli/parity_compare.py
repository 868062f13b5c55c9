"""``ae-multi parity compare``: compare recorded traces, without running the model."""

import argparse
from pathlib import Path

from ae_multi.io.atomic import check_writable
from ae_multi.parity.recorded_traces import compare
from ae_multi.report.parity_tables import print_report, write_reports
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "traces",
        type=Path,
        nargs="+",
        metavar="FILE.trace",
        help="two or more files of `ae-multi parity record`; the first one with a float64 "
        "reference provides it",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")


def run(options: argparse.Namespace) -> int:
    """Compare the traces; return 0 if they agree, 1 if they differ."""
    if options.json:
        check_writable(options.json, "the JSON")
    report = compare(*options.traces)
    print_report(console(), report)
    if options.json:
        write_reports(options.json, [report])
    return 0 if report.agree else 1
