"""``ae-multi denoise``: noise taken out of images."""

from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser):
    """What can be asked for."""
    parser.add_argument(
        "--noise",
        type=float,
        default=0.4,
        metavar="X",
        help="the noise's standard deviation, for values from 0 to 1 (default: 0.4)",
    )
    add_task_options(parser)


def run(options):
    """Run the task; return 0."""
    return run_task("denoise", options, noise=options.noise)
