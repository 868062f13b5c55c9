"""``ae-multi detect report``: write an HTML page about the scores of a table or of images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ae_multi.cli.startup import import_backend
from ae_multi.cli.tables import (
    add_detector_options,
    add_table_options,
    check_other_file,
    is_folder,
    opened_table,
)
from ae_multi.data.table_file import name_of, read_table
from ae_multi.io.atomic import check_file, check_writable
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console

if TYPE_CHECKING:
    from ae_multi.tasks.report_contents import DetectionReport


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
    has_images = is_folder(options, "--label", "--id", "--time")
    with job_progress(console(stderr=True), "detect report"):
        report = _image_report(options) if has_images else _table_report(options)
    alarms = int((report.scores > report.threshold).sum())
    console().print(
        f"{len(report.scores):,} {report.unit}, {alarms:,} of which are anomalous: {options.out}",
        soft_wrap=True,
    )
    return 0


def _table_report(options: argparse.Namespace) -> DetectionReport:
    source = opened_table(options.table)
    table = read_table(source, options.separator, options.encoding, options.decimal)
    import_backend(trains=False)
    from ae_multi.report.detection.table_report import write_table_report
    from ae_multi.tasks.detect_score import load_table_detector

    return write_table_report(
        load_table_detector(options.model),
        table,
        Path(name_of(source)).name,
        options.out,
        label=options.label,
        id_column=options.id,
        time_column=options.time,
    )


def _image_report(options: argparse.Namespace) -> DetectionReport:
    import_backend(trains=False)
    from ae_multi.report.detection import write_detection_report
    from ae_multi.tasks.detect_images import file_names, load_image_detector, open_images

    detector = load_image_detector(options.model)
    images = open_images(options.table, detector)
    return write_detection_report(
        detector,
        images[:],
        options.out,
        title=f"Anomalies in {len(images):,} images of {images.name}",
        ids=file_names(images),
    )
