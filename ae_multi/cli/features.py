"""``ae-multi features``: use codes as features of a classifier."""

import argparse

from ae_multi.cli.options import sizes
from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--latent-dim", type=int, default=32, metavar="N", help="size of the code (default: 32)"
    )
    parser.add_argument(
        "--masked",
        type=share,
        default="auto",
        metavar="X",
        help="fraction of the pixels that training sets to 0 (default: 0.75 for a code size of "
        "16 or more, otherwise 0)",
    )
    parser.add_argument(
        "--hidden",
        type=sizes,
        default="auto",
        metavar="SIZES",
        help="comma-separated sizes of the hidden layers of the encoder (default: depends on the "
        "code size)",
    )
    add_task_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the task; return 0."""
    return run_task(
        "features",
        options,
        latent_dim=options.latent_dim,
        masked=options.masked,
        hidden=options.hidden,
    )


def share(text: str) -> float | str:
    """Convert ``0.5`` to a number; return "auto" unchanged."""
    return text if text == "auto" else float(text)
