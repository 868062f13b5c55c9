"""``ae-multi reduce``: encode images as short codes."""

import argparse

from ae_multi.cli.options import sizes
from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--latent-dim", type=int, default=9, metavar="N", help="size of the code (default: 9)"
    )
    parser.add_argument(
        "--hidden",
        type=sizes,
        default="auto",
        metavar="SIZES",
        help="comma-separated sizes of the hidden layers of the encoder, such as 1000,500,250 "
        "(default: those of AutoencoderTransformer)",
    )
    add_task_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the task; return 0."""
    return run_task("reduce", options, latent_dim=options.latent_dim, hidden=options.hidden)
