"""``ae-multi denoise``: remove noise from images."""

import argparse

from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--noise",
        type=float,
        default=0.4,
        metavar="X",
        help="standard deviation of the noise, for values from 0 to 1 (default: 0.4)",
    )
    add_task_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the task; return 0."""
    return run_task("denoise", options, noise=options.noise)
