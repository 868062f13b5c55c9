"""``ae-multi detect report``: write an HTML page about the scores of a table."""

import argparse
from pathlib import Path

from ae_multi.cli.startup import import_backend
from ae_multi.cli.tables import (
    add_detector_options,
    add_table_options,
    check_other_file,
    opened_table,
)
from ae_multi.data.table_file import name_of, read_table
from ae_multi.io.atomic import check_file, check_writable
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_table_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.html", help="where to write the page"
    )
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="column that is 1 for anomalous rows and 0 for normal ones",
    )
    parser.add_argument(
        "--time", metavar="COLUMN", help="column of times (default: the first column of dates)"
    )


def run(options: argparse.Namespace) -> int:
    """Score the rows, write the page and return 0."""
    check_file(options.model, "the file of a detector")
    check_writable(options.out, "the report")
    check_other_file(options.out, "the report", options.table, options.model)
    source = opened_table(options.table)
    with job_progress(console(stderr=True), "detect report"):
        table = read_table(source, options.separator, options.encoding, options.decimal)
        import_backend(trains=False)
        from ae_multi.report.detection.table_report import write_table_report
        from ae_multi.tasks.detect_score import load_table_detector

        report = write_table_report(
            load_table_detector(options.model),
            table,
            Path(name_of(source)).name,
            options.out,
            label=options.label,
            id_column=options.id,
            time_column=options.time,
        )
    alarms = int((report.scores > report.threshold).sum())
    console().print(
        f"{len(report.scores):,} rows, {alarms:,} of which are anomalous: {options.out}",
        soft_wrap=True,
    )
    return 0
