"""``ae-multi features``: codes as features of a classifier."""

from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser):
    """What can be asked for."""
    parser.add_argument(
        "--codes", type=int, default=32, metavar="N", help="code size (default: 32)"
    )
    add_task_options(parser)


def run(options):
    """Run the task; return 0."""
    return run_task("features", options, codes=options.codes)
