"""``ae-multi detect fit``: train an anomaly detector on a table or on images and save it."""

import argparse
from pathlib import Path
from typing import Any

from ae_multi.cli.options import comma_separated
from ae_multi.cli.startup import import_backend
from ae_multi.cli.tables import add_table_options, check_other_file, is_folder, opened_table
from ae_multi.data.columns import CellError
from ae_multi.data.table_file import TablePart, name_of, read_table
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console
from ae_multi.report.tasks import print_result
from ae_multi.tasks.result import Options, Result


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_table_options(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.ae", help="where to save the detector"
    )
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="column that is 1 for anomalous rows and 0 for normal ones; anomalous rows are not "
        "used in training, and the detector is compared with baselines",
    )
    parser.add_argument(
        "--id", metavar="COLUMN", help="column that identifies a row; scores are written with it"
    )
    parser.add_argument(
        "--false-alarm-rate",
        type=float,
        metavar="X",
        help="rate of false alarms for which held-out rows set the threshold, such as 0.01 "
        "(default: a threshold by the spread of the training scores)",
    )
    parser.add_argument(
        "--drop",
        type=comma_separated,
        default=(),
        metavar="COLUMNS",
        help="comma-separated columns that are left out",
    )
    parser.add_argument(
        "--kind",
        type=_kind,
        action="append",
        default=[],
        metavar="COLUMN=KIND",
        help="kind of a column: number, boolean, category, date, clock or identifier; may be "
        "repeated (default: chosen by its values)",
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="take the rows for the timestamps of a series, and train on windows of N rows",
    )
    parser.add_argument(
        "--stride",
        type=int,
        metavar="N",
        help="distance of two windows (default: 8, or the window if that is smaller)",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="number of epochs (default: by the number of rows)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of weights and order (default: 0)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Train, save and print the result; return 0."""
    task = Options(epochs=options.epochs, seed=options.seed)
    check_writable(options.out, "the detector")
    check_other_file(options.out, "the detector", options.table, options.json)
    if options.json:
        check_writable(options.json, "the JSON")
        check_other_file(options.json, "the JSON", options.table)
    if options.stride is not None and options.window is None:
        raise InputError("Expected --stride with --window, for a time series. Received: no window.")
    has_images = is_folder(options, "--label", "--id", "--drop", "--kind", "--window")
    source = opened_table(options.table)
    with job_progress(console(stderr=True), "detect fit") as report:
        table = None
        if not has_images:
            table = read_table(source, options.separator, options.encoding, options.decimal)
        import_backend()
        from ae_multi.training.progress_bar import reporting

        with reporting(report):
            if table is None:
                from ae_multi.tasks.detect_images import fit_images, open_images

                detector, result = fit_images(
                    open_images(options.table), task, false_alarm_rate=options.false_alarm_rate
                )
            else:
                detector, result = _fit_rows(table, name_of(source), task, options)
        detector.save(options.out)
    if options.json:
        machine = describe_machine()
        write_json(
            options.json, {**result.to_json(), "model": str(options.out), "machine": machine}
        )
    print_result(console(), result)
    console().print(f"Saved the detector: {options.out}", soft_wrap=True)
    return 0


def _fit_rows(
    table: TablePart, name: str, task: Options, options: argparse.Namespace
) -> tuple[Any, Result]:
    """Train on the rows of a table, or on the series that they are, and return both results."""
    from ae_multi.tasks.detect_fit import fit_table
    from ae_multi.tasks.detect_fit_series import fit_series
    from ae_multi.tasks.detect_score import at_place

    of_table: dict[str, Any] = {
        "label": options.label,
        "id_column": options.id,
        "false_alarm_rate": options.false_alarm_rate,
        "drop": options.drop,
        "kinds": dict(options.kind),
    }
    try:
        if options.window is None:
            return fit_table(table, Path(name).name, task, **of_table)
        sizes = {"window": options.window, "stride": options.stride}
        return fit_series(table, Path(name).name, task, **sizes, **of_table)
    except CellError as error:
        raise at_place(error, table, name) from None


def _kind(text: str) -> tuple[str, str]:
    column, equals, kind = text.rpartition("=")
    if not equals or not column:
        raise argparse.ArgumentTypeError(f"expected COLUMN=KIND, received {text!r}")
    return column, kind
