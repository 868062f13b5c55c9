"""``ae-multi detect``: find anomalies among images or in a CSV table."""

import argparse

from ae_multi.cli.tasks import add_task_options, run_task
from ae_multi.errors import InputError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--normal",
        type=int,
        metavar="N",
        help="class of images that is normal; all others are anomalous (default: 2)",
    )
    classes.add_argument(
        "--strange",
        type=int,
        metavar="N",
        help="class of images that is anomalous; all others are normal",
    )
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="with --data FILE.csv: column that is 1 for anomalous rows and 0 for normal rows",
    )
    add_task_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the task; return 0."""
    table = options.data if options.data.lower().endswith(".csv") else None
    if (table is None) != (options.label is None):
        raise InputError(
            "Expected --data FILE.csv and --label COLUMN together. "
            f"Received: --data {options.data} "
            f"{'alone' if options.label is None else f'and --label {options.label}'}."
        )
    if table is not None and options.data_path is not None:
        raise InputError(f"Expected no --data-path with a table. Received: {options.data_path}.")
    for name in ("normal", "strange"):
        if table is not None and getattr(options, name) is not None:
            raise InputError(
                f"Expected no --{name} with a table. Received: {getattr(options, name)}."
            )
    return run_task(
        "detect",
        options,
        normal=options.normal,
        strange=options.strange,
        table=table,
        label=options.label,
    )
