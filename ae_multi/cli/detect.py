"""``ae-multi detect``: anomalies among images, or in a table of one's own."""

from ae_multi.cli.tasks import add_task_options, run_task
from ae_multi.errors import InputError


def add_options(parser):
    """What can be asked for."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--normal",
        type=int,
        metavar="N",
        help="the class of images that is normal, all others strange (default: 2)",
    )
    which.add_argument(
        "--strange",
        type=int,
        metavar="N",
        help="the class of images that is strange, all others normal",
    )
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="with --data FILE.csv: the column that is 1 for strange rows and 0 for normal ones",
    )
    add_task_options(parser)


def run(options):
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
